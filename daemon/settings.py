"""The settings, with their defaults, bounds and words: a frozen dataclass a section."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Bounds = tuple[float, float]


def setting(
    default: Any, words: str, bounds: Bounds | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """A setting. bounds: of a number. choices: of a text that may be one of these only.

    words: as botod.toml and docs/settings.md have them; {bounds} stands where these go.
    """
    metadata = {"words": words, "bounds": bounds, "choices": choices}
    return field(default=default, metadata=metadata)


def table(words: str) -> Any:
    """A setting that has a value for each of some names."""
    metadata = {"words": words, "bounds": None, "choices": ()}
    return field(default_factory=dict, metadata=metadata)


@dataclass(frozen=True)
class DaemonSettings:
    """`[daemon]`: the process."""

    socket: str = setting(
        "",
        "Path of the Unix socket. Empty: $BOTOD_SOCKET, else /run/botod/botod.sock, else, if "
        "that is not there and $XDG_RUNTIME_DIR is set, $XDG_RUNTIME_DIR/botod.sock.",
    )
    socket_mode: str = setting(
        "0666",
        "Rights of the socket, octal. Policy decides who is served: docs/policy.md.",
    )
    workers: int = setting(
        1,
        "Processes that serve the socket {bounds}: a core carries some 10,000 jobs a second, more "
        "cores need more of them. Limits that are meant for a host, by user and over all, slots "
        "and bytes, are divided among them. Each has a control socket beside the socket, "
        "worker-0.sock and so on. See docs/workers.md.",
        bounds=(1, 64),
    )
    drain_timeout_s: float = setting(
        30.0,
        "How long running jobs may take to finish after SIGTERM, in seconds {bounds}. Whoever "
        "manages the daemon should wait 10 s longer before it kills.",
        bounds=(0, 3_600),
    )
    job_timeout_s: float = setting(
        60.0,
        "A job's deadline in seconds, where it names none {bounds}. A long poll alone takes 20.",
        bounds=(1, 3_600),
    )
    job_timeout_max_s: float = setting(
        900.0,
        "The longest deadline that a job may name, in seconds {bounds}. A job with a descriptor "
        "or a stream, whose body may be of any size, has this one where it names none.",
        bounds=(1, 86_400),
    )
    remember_s: float = setting(
        600.0,
        "How long the outcome of a request with an idempotency key is remembered, in seconds "
        "{bounds}, for requests that come again with that key. 0: only while the first is under "
        "way. Of one user at most 16,384 outcomes are remembered, and 16 MiB.",
        bounds=(0, 86_400),
    )
    keys_file: str = setting(
        "",
        "Path of a file through which daemons share idempotency keys, such as /run/botod/keys: "
        "a second request with a key then joins the first whichever of them it comes to. Empty: "
        "each knows its own only, which is right where there is one. It is made if missing, "
        "with .owners, -wal and -shm beside it. All that name it run as one user and have one "
        "remember_s; only that user may write in its directory, which is best one that is "
        "emptied at boot: the file is not made to survive a power loss. Do not remove it while "
        "one of them runs.",
    )
    state_dir: str = setting(
        "",
        "Directory in which multipart uploads are remembered while they are under way, so that "
        "what a daemon that died has left of one is aborted at the next start. Empty: "
        "$STATE_DIRECTORY, which systemd sets for StateDirectory=, else none: then only a rule of "
        "the bucket's lifecycle ends such uploads. Several daemons may share it; they run as one "
        "user.",
    )
    visit_warn_s: float = setting(
        0.1,
        "A job that keeps the loop for longer at a stretch, in seconds, is logged with its "
        "stack {bounds}: nobody else is served meanwhile.",
        bounds=(0.001, 60),
    )
    policy_mode: str = setting(
        "enforce",
        "enforce, or audit: what the rules of policy would refuse is done, and logged as a "
        "warning.",
        choices=("enforce", "audit"),
    )
    log_level: str = setting(
        "info",
        "debug, info (a line a job), warning or error.",
        choices=("debug", "info", "warning", "error"),
    )


@dataclass(frozen=True)
class LimitSettings:
    """`[limits]`: how much at once."""

    peers: int = setting(
        4096,
        "Connections of peers at once {bounds}. Each is a descriptor, of which a daemon takes as "
        "many as it may have, up to 65,536: `botod doctor` compares.",
        bounds=(1, 100_000),
    )
    peers_per_uid: int = setting(
        2048,
        "Those of one user {bounds}: half, so that nobody keeps all others out.",
        bounds=(1, 100_000),
    )
    in_flight_per_peer: int = setting(
        256,
        "Requests of one connection that are not answered, or whose streams have not ended "
        "{bounds}.",
        bounds=(1, 100_000),
    )
    in_flight_per_uid: int = setting(
        2048,
        "The same of one user, over all connections {bounds}: half of jobs.",
        bounds=(1, 1_000_000),
    )
    requests_per_s_per_uid: int = setting(
        0,
        "Requests of one user a second {bounds}; as many may come at once. 0: any number.",
        bounds=(0, 1_000_000),
    )
    jobs: int = setting(
        4096,
        "Jobs at once {bounds}, those whose answers are still streamed among them. One that "
        "waits takes some 20 KiB. Long polls of SQS have three quarters of them at most.",
        bounds=(1, 1_000_000),
    )
    line_bytes: int = setting(
        1_048_576,
        "Longest line of JSON, in bytes {bounds}. SQS's and SimpleDB's largest requests have 1 "
        "MiB; larger values are declared as raw bytes.",
        bounds=(1_024, 67_108_864),
    )
    inline_bytes: int = setting(
        16_777_216,
        "Raw bytes that one request may carry {bounds}, at most buffered_bytes. They are held "
        "in memory; larger bodies go by descriptors and streams.",
        bounds=(0, 1_073_741_824),
    )
    buffered_bytes: int = setting(
        268_435_456,
        "Bytes of requests, answers and bodies that may be in memory for all peers together "
        "{bounds}. Above it requests are refused until there is room.",
        bounds=(1_048_576, 8_589_934_592),
    )
    buffered_bytes_per_uid: int = setting(
        201_326_592,
        "The same of one user's peers {bounds}: the rest is for the others.",
        bounds=(1_048_576, 8_589_934_592),
    )
    unread_bytes: int = setting(
        67_108_864,
        "Bytes of answers that may wait for a peer that does not read {bounds}: beyond, its "
        "requests are refused; after 10,000 of these the connection is closed.",
        bounds=(1_024, 1_073_741_824),
    )
    unread_timeout_s: float = setting(
        60.0,
        "The same if it has read nothing of them for so long, in seconds {bounds}. A stream for "
        "which no credit comes ends after as long.",
        bounds=(0.1, 3_600),
    )
    half_sent_timeout_s: float = setting(
        30.0,
        "For a message from its first byte to its last, in seconds {bounds}; a second more for "
        "each MiB.",
        bounds=(0.1, 3_600),
    )
    idle_timeout_s: float = setting(
        3600.0,
        "A connection without requests is closed after this, in seconds {bounds}.",
        bounds=(1, 1_000_000),
    )
    streams_per_peer: int = setting(
        64, "Streams of one connection at once, both ways together {bounds}.", bounds=(0, 10_000)
    )
    descriptors_per_uid: int = setting(
        64,
        "Descriptors that one user has passed and that are not closed yet {bounds}.",
        bounds=(0, 100_000),
    )


@dataclass(frozen=True)
class PoolSettings:
    """`[pool]`: connections to AWS."""

    slots_per_host: int = setting(
        64,
        "Transfers at once to one host {bounds}. Long polls of SQS have three quarters of them at "
        "most, and of total_slots: a send never waits for a queue in which nothing is.",
        bounds=(1, 10_000),
    )
    total_slots: int = setting(
        0,
        "Transfers at once to all hosts together {bounds}; 0: no bound but each host's own, so "
        "that a service that hangs takes nothing from another. Set it where the uplink or "
        "memory is what is scarce: users, and the connections of each, then take turns over all "
        "hosts.",
        bounds=(0, 100_000),
    )
    max_waiting: int = setting(
        4096,
        "Jobs that may wait for a slot of one host {bounds}; one more is refused at once. Long "
        "polls are counted apart, here and for one user.",
        bounds=(0, 1_000_000),
    )
    max_waiting_per_uid: int = setting(
        2048,
        "Of these, jobs of one user {bounds}; one more is refused, or takes the place of one of "
        "the user's own: of a lower priority, or of a connection with more. Below max_waiting, "
        "so that no user fills it alone.",
        bounds=(0, 1_000_000),
    )
    slot_timeout_s: float = setting(
        60.0,
        "Longest wait for a slot, in seconds {bounds}. A job's own deadline may be sooner.",
        bounds=(0.1, 3_600),
    )
    connect_timeout_s: float = setting(
        10.0, "Name, connection and TLS together, in seconds {bounds}.", bounds=(0.1, 300)
    )
    idle_timeout_s: float = setting(
        70.0,
        "A transfer on which nothing moves for so long fails {bounds}, rounded to seconds. Not "
        "a total: a stream that moves may take as long as it likes, within its job's deadline.",
        bounds=(1, 3_600),
    )
    ca_file: str = setting(
        "",
        "PEM file of the roots that servers are verified against. Empty: those of the package "
        "certifi.",
    )


@dataclass(frozen=True)
class MetricsSettings:
    """`[metrics]`: numbers for Prometheus, beside those on admin.sock."""

    port: int = setting(
        0,
        "Port on which they are served over HTTP {bounds}, to whoever is on this host: /metrics, "
        "/healthz, /readyz, /status.json and a page, counts only. 0: none; admin.sock, beside the "
        "socket, has them in any case, for root and the daemon's user. See docs/metrics.md.",
        bounds=(0, 65_535),
    )
    address: str = setting(
        "127.0.0.1",
        "Where the port is: 127.0.0.1 or ::1. A machine's other addresses are not for this.",
        choices=("127.0.0.1", "::1"),
    )


@dataclass(frozen=True)
class LogSettings:
    """`[log]`: what is told to whoever runs the daemon. Its level is `[daemon] log_level`."""

    file: str = setting(
        "",
        "Path of the log, which is appended to, and made with mode 0640 if missing; after a "
        "rename SIGUSR1 has it begun anew. Empty: standard error, which systemd and supervisor "
        "keep.",
    )
    format: str = setting(
        "text",
        "text: time, level, logger, words, and key=value; or json: an object a line. Either way "
        "no value can end a line.",
        choices=("text", "json"),
    )
    resources: bool = setting(
        True,
        "Whether the line about a job names what it touches: the first object, queue or domain, up "
        "to 256 characters. Names may be personal; the audit record has them all the same.",
    )
    repeats: int = setting(
        100,
        "How often the same words of one module are logged within a minute {bounds}; how often "
        "they came beyond that is told at its end. Lines about jobs are not counted. 0: always.",
        bounds=(0, 1_000_000),
    )
    levels: Mapping[str, str] = table(
        'Levels of single modules, in place of log_level, such as { "botod.pool" = "debug" }; '
        "the lines about jobs are botod.daemon.ledger's. boto, botocore and urllib3 have none: "
        "they would log secrets."
    )


@dataclass(frozen=True)
class AuditSettings:
    """`[audit]`: a record of who had what done, apart from the log, and complete."""

    path: str = setting(
        "",
        "File that records are appended to, as JSON lines, made with mode 0600 if missing; or "
        '"journald". Empty: there is no record. See docs/logging.md.',
    )
    on_failure: str = setting(
        "refuse",
        "While records cannot be written, as the disk is full say: refuse: no job begins; or "
        "continue: jobs go on, and how many records were lost is told afterwards.",
        choices=("refuse", "continue"),
    )


SECTIONS: Mapping[str, type] = {
    "daemon": DaemonSettings,
    "log": LogSettings,
    "audit": AuditSettings,
    "limits": LimitSettings,
    "pool": PoolSettings,
    "metrics": MetricsSettings,
}
