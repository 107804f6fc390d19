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
        "cores need more of them. Limits that are meant for a host, by user and over all, slots and "
        "bytes, are divided among them. Each has a control socket beside the socket, worker-0.sock "
        "and so on. See docs/workers.md.",
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
        1024,
        "Connections of peers at once {bounds}. Each is a descriptor; mind the limit on those.",
        bounds=(1, 100_000),
    )
    peers_per_uid: int = setting(
        512,
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
class ProfileSettings:
    """`[profile.NAME]`: an upstream. The one called default serves jobs that name none."""

    region: str = setting(
        "us-east-1",
        "AWS region. It goes into every signature.",
    )
    aws_profile: str = setting(
        "",
        "Whose keys it uses, by the name of a profile in AWS's shared files (~/.aws/config and "
        "~/.aws/credentials, or those that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE "
        'name). Empty: the one of the same name. "default", and the profile default by itself, '
        "is AWS's whole chain: the environment first, at last the container's and the machine's "
        "role. docs/credentials.md has more.",
    )
    endpoint: str = setting(
        "",
        "URL of one server for all services, in place of AWS's, such as "
        '"http://127.0.0.1:9000". Paths are not allowed.',
    )
    endpoints: Mapping[str, str] = table(
        'The same by service, such as { s3 = "http://127.0.0.1:9000" }; it goes before endpoint.'
    )
    addressing: str = setting(
        "auto",
        'Where S3\'s bucket stands: "virtual": in the host\'s name; "path"; "auto": at AWS in the '
        "host's name where the certificate allows that, elsewhere in the path.",
        choices=("auto", "path", "virtual"),
    )
    dual_stack: bool = setting(
        False,
        "AWS's endpoints that have IPv6 beside IPv4 addresses.",
    )
    fips: bool = setting(
        False,
        "AWS's endpoints with FIPS 140 modules.",
    )
    signature: str = setting(
        "v4",
        'Signature Version 4, or "v2" for old servers that know no other. It is about S3 and '
        "SQS; SimpleDB has Version 2 only.",
        choices=("v2", "v4"),
    )
    ca_file: str = setting(
        "",
        "PEM file of the roots that servers are verified against. Empty: that of [pool].",
    )
    client_cert: str = setting(
        "",
        "PEM file of a certificate by which the daemon says who it is, for servers that ask.",
    )
    client_key: str = setting(
        "",
        "PEM file of its key. Empty: it is in client_cert, too.",
    )
    tls_min_version: str = setting(
        "1.2", 'The oldest version of TLS that is spoken: "1.2" or "1.3".', choices=("1.2", "1.3")
    )
    proxy: str = setting(
        "",
        "An HTTP proxy, as http://[user:password@]host:port; for https it opens a tunnel. The "
        "environment's is not looked at.",
    )
    slots_per_host: int = setting(
        0, "Transfers at once to one host {bounds}; 0: as in [pool].", bounds=(0, 10_000)
    )
    retries: int = setting(
        3,
        "Tries after the first, where a failure allows another {bounds}: docs/retries.md says "
        "which do.",
        bounds=(0, 10),
    )
    retry_max_s: float = setting(
        20.0, "Longest pause between two tries, in seconds {bounds}.", bounds=(0.1, 300)
    )
    sqs_batching: bool = setting(
        True,
        "Whether SQS messages that are sent, deleted or changed at the same time travel as one "
        "request: jobs of one user on one queue, while another such job is on its way; a lone one "
        "never waits. A request with the option batch = false goes by itself all the same.",
    )
    user_agent: str = setting(
        "",
        "Said in the User-Agent of each request, beside botod's name and the caller's.",
    )
    warm_sockets: Mapping[str, int] = table(
        "Connections to keep open over quiet spells, by service, such as { sqs = 2 }; each "
        "number from 0 to slots_per_host. They are opened at the start and again when the "
        "server closes them, in the background, each by a request without keys (HEAD /) that "
        "has a slot like any other. s3 needs an endpoint: at AWS each bucket has its own host."
    )


SECTIONS: Mapping[str, type] = {
    "daemon": DaemonSettings,
    "limits": LimitSettings,
    "pool": PoolSettings,
}
