"""The settings, with their defaults, bounds and words: a frozen dataclass a section."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Bounds = tuple[float, float]


def setting(
    default: Any, words: str, bounds: Bounds | None = None, choices: tuple[str, ...] = ()
) -> Any:
    """A setting. bounds: of a number. choices: of a text that may be one of these only."""
    metadata = {"words": words, "bounds": bounds, "choices": choices}
    return field(default=default, metadata=metadata)


def table(words: str) -> Any:
    """A setting that has a value for each of some names."""
    metadata = {"words": words, "bounds": None, "choices": ()}
    return field(default_factory=dict, metadata=metadata)


@dataclass(frozen=True)
class DaemonSettings:
    """`[daemon]`: the process."""

    socket: str = setting("", "path of the Unix socket; empty: $BOTOD_SOCKET or the usual places")
    socket_mode: str = setting("0666", "rights of the socket, octal; policy decides who is served")
    workers: int = setting(
        1, "processes that serve the socket; limits of the host are divided among them", (1, 64)
    )
    drain_timeout_s: float = setting(
        30.0, "how long running jobs may take after SIGTERM", (0, 3600)
    )
    job_timeout_s: float = setting(
        60.0, "a job's deadline where it names none; a long poll takes 20 s", (1, 3600)
    )
    job_timeout_max_s: float = setting(
        900.0, "the longest deadline a job may name; that of jobs with large bodies", (1, 86400)
    )
    remember_s: float = setting(
        600.0, "how long the outcome of a request with an idempotency key is known", (0, 86400)
    )
    keys_file: str = setting(
        "", "path of a file to share idempotency keys through; empty: one process's memory"
    )
    state_dir: str = setting(
        "", "directory that remembers open uploads; empty: $STATE_DIRECTORY, else none"
    )
    visit_warn_s: float = setting(
        0.1, "a job that keeps the loop for longer at a stretch is logged", (0.001, 60)
    )
    policy_mode: str = setting(
        "enforce", "audit: only log what would be refused", choices=("enforce", "audit")
    )
    log_level: str = setting(
        "info", "info: a line a job", choices=("debug", "info", "warning", "error")
    )


@dataclass(frozen=True)
class LimitSettings:
    """`[limits]`: how much at once."""

    peers: int = setting(1024, "connections at once", (1, 100_000))
    peers_per_uid: int = setting(512, "of which one user's", (1, 100_000))
    in_flight_per_peer: int = setting(256, "unanswered requests of one connection", (1, 100_000))
    in_flight_per_uid: int = setting(2048, "the same of one user", (1, 1_000_000))
    requests_per_s_per_uid: int = setting(
        0, "requests a second of one user, as many at once; 0: any number", (0, 1_000_000)
    )
    jobs: int = setting(4096, "jobs at once; a waiting one takes some 20 KiB", (1, 1_000_000))
    line_bytes: int = setting(1_048_576, "longest line of JSON", (1024, 67_108_864))
    inline_bytes: int = setting(
        16_777_216, "bytes that one request may carry; held in memory", (0, 1_073_741_824)
    )
    buffered_bytes: int = setting(
        268_435_456, "bytes of all peers' messages and bodies in memory", (1_048_576, 8_589_934_592)
    )
    buffered_bytes_per_uid: int = setting(
        201_326_592, "the same of one user's peers", (1_048_576, 8_589_934_592)
    )
    unread_bytes: int = setting(
        67_108_864, "answers that may wait for a peer that does not read", (1024, 1_073_741_824)
    )
    unread_timeout_s: float = setting(
        60.0, "how long a peer may take nothing of what waits for it", (0.1, 3600)
    )
    half_sent_timeout_s: float = setting(
        30.0, "for a message from its first byte on; a second more for each MiB", (0.1, 3600)
    )
    idle_timeout_s: float = setting(
        3600.0, "how long a connection may be without requests", (1, 1_000_000)
    )
    streams_per_peer: int = setting(64, "streams of one connection at once", (0, 10_000))
    descriptors_per_uid: int = setting(
        64, "descriptors that one user has passed, at once", (0, 100_000)
    )


@dataclass(frozen=True)
class PoolSettings:
    """`[pool]`: connections to AWS."""

    slots_per_host: int = setting(64, "transfers at once to one host", (1, 10_000))
    total_slots: int = setting(
        0, "transfers at once to all hosts; 0: no bound but each host's", (0, 100_000)
    )
    max_waiting: int = setting(4096, "jobs that may wait for a slot of one host", (0, 1_000_000))
    max_waiting_per_uid: int = setting(
        2048,
        "of these, jobs of one user; below max_waiting, so that one user's never fill it",
        (0, 1_000_000),
    )
    slot_timeout_s: float = setting(60.0, "longest wait for a slot", (0.1, 3600))
    connect_timeout_s: float = setting(10.0, "for name, connection and TLS together", (0.1, 300))
    idle_timeout_s: float = setting(
        70.0, "a transfer on which nothing moves for so long fails; rounded", (1, 3600)
    )
    ca_file: str = setting("", "PEM file of trusted roots; empty: those of the package certifi")


@dataclass(frozen=True)
class ProfileSettings:
    """`[profile.NAME]`: an upstream. The one called default serves jobs that name none."""

    region: str = setting("us-east-1", "AWS region; it goes into every signature")
    aws_profile: str = setting(
        "", "whose keys of AWS's shared files; empty: those of the same name; default: the chain"
    )
    endpoint: str = setting("", "URL of a server for all services, in place of AWS's")
    endpoints: Mapping[str, str] = table("service = URL, for servers that are not AWS's")
    addressing: str = setting(
        "auto",
        "of buckets: in the host's name, in the path, or as fits the server",
        choices=("auto", "path", "virtual"),
    )
    dual_stack: bool = setting(False, "AWS's endpoints for IPv6 and IPv4")
    fips: bool = setting(False, "AWS's endpoints with FIPS 140 modules")
    signature: str = setting(
        "v4", "v2: for old servers that know no other, S3's and SQS's", choices=("v2", "v4")
    )
    ca_file: str = setting("", "PEM file of trusted roots; empty: that of [pool]")
    client_cert: str = setting("", "PEM file of a certificate of ours, for servers that ask")
    client_key: str = setting("", "PEM file of its key; empty: in client_cert")
    tls_min_version: str = setting("1.2", "the oldest version of TLS", choices=("1.2", "1.3"))
    proxy: str = setting("", "http://[user:password@]host:port; empty: none")
    slots_per_host: int = setting(0, "transfers at once to one host; 0: as in [pool]", (0, 10_000))
    retries: int = setting(3, "tries after the first, where a failure allows another", (0, 10))
    retry_max_s: float = setting(20.0, "longest pause between two tries", (0.1, 300))
    sqs_batching: bool = setting(
        True, "messages sent, deleted or changed at the same time travel as one request"
    )
    user_agent: str = setting("", "said in each request beside the caller's name")
    warm_sockets: Mapping[str, int] = table("service = connections kept open over quiet spells")


SECTIONS: Mapping[str, type] = {
    "daemon": DaemonSettings,
    "limits": LimitSettings,
    "pool": PoolSettings,
}
