"""The configuration: its settings with their defaults, bounds and words, and how a file is read.

Each section is a frozen dataclass; a setting's bounds and words stand beside its default. Reading
names every mistake in a file at once, with file, key and what is allowed.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botod.daemon.rule_files import load_rules
from botod.daemon.rules import Rule
from botod.daemon.services import SERVICES

Bounds = tuple[float, float]


class ConfigError(Exception):
    """A configuration that cannot be used; one line a mistake."""


def _setting(default: Any, words: str, bounds: Bounds | None = None) -> Any:
    return field(default=default, metadata={"words": words, "bounds": bounds})


@dataclass(frozen=True)
class DaemonSettings:
    """`[daemon]`: the process."""

    socket: str = _setting("", "path of the Unix socket; empty: $BOTOD_SOCKET or the usual places")
    socket_mode: str = _setting("0666", "rights of the socket, octal; policy decides who is served")
    drain_timeout_s: float = _setting(
        30.0, "how long running jobs may take after SIGTERM", (0, 3600)
    )
    job_timeout_s: float = _setting(
        60.0, "a job's deadline where it names none; a long poll takes 20 s", (1, 3600)
    )
    job_timeout_max_s: float = _setting(
        900.0, "the longest deadline a job may name; that of jobs with large bodies", (1, 86400)
    )
    remember_s: float = _setting(
        600.0, "how long the outcome of a request with an idempotency key is known", (0, 86400)
    )
    keys_file: str = _setting(
        "", "path of a file to share idempotency keys through; empty: one process's memory"
    )
    visit_warn_s: float = _setting(
        0.1, "a job that keeps the loop for longer at a stretch is logged", (0.001, 60)
    )
    policy_mode: str = _setting("enforce", "enforce, or audit: only log what would be refused")
    log_level: str = _setting("info", "debug, info, warning or error")


@dataclass(frozen=True)
class LimitSettings:
    """`[limits]`: how much at once."""

    peers: int = _setting(1024, "connections at once", (1, 100_000))
    peers_per_uid: int = _setting(512, "of which one user's", (1, 100_000))
    in_flight_per_peer: int = _setting(256, "unanswered requests of one connection", (1, 100_000))
    in_flight_per_uid: int = _setting(2048, "the same of one user", (1, 1_000_000))
    requests_per_s_per_uid: int = _setting(
        0, "requests a second of one user, as many at once; 0: any number", (0, 1_000_000)
    )
    jobs: int = _setting(4096, "jobs at once; a waiting one takes some 20 KiB", (1, 1_000_000))
    line_bytes: int = _setting(1_048_576, "longest line of JSON", (1024, 67_108_864))
    inline_bytes: int = _setting(
        16_777_216, "bytes that one request may carry; held in memory", (0, 1_073_741_824)
    )
    buffered_bytes: int = _setting(
        268_435_456, "bytes of all peers' messages and bodies in memory", (1_048_576, 8_589_934_592)
    )
    buffered_bytes_per_uid: int = _setting(
        201_326_592, "the same of one user's peers", (1_048_576, 8_589_934_592)
    )
    unread_bytes: int = _setting(
        67_108_864, "answers that may wait for a peer that does not read", (1024, 1_073_741_824)
    )
    unread_timeout_s: float = _setting(
        60.0, "how long a peer may take nothing of what waits for it", (0.1, 3600)
    )
    half_sent_timeout_s: float = _setting(
        30.0, "for a message from its first byte on; a second more for each MiB", (0.1, 3600)
    )
    idle_timeout_s: float = _setting(
        3600.0, "how long a connection may be without requests", (1, 1_000_000)
    )
    streams_per_peer: int = _setting(64, "streams of one connection at once", (0, 10_000))
    descriptors_per_uid: int = _setting(
        64, "descriptors that one user has passed, at once", (0, 100_000)
    )


@dataclass(frozen=True)
class PoolSettings:
    """`[pool]`: connections to AWS."""

    slots_per_host: int = _setting(64, "transfers at once to one host", (1, 10_000))
    total_slots: int = _setting(
        0, "transfers at once to all hosts; 0: no bound but each host's", (0, 100_000)
    )
    max_waiting: int = _setting(4096, "jobs that may wait for a slot of one host", (0, 1_000_000))
    max_waiting_per_uid: int = _setting(
        2048,
        "of these, jobs of one user; below max_waiting, so that one user's never fill it",
        (0, 1_000_000),
    )
    slot_timeout_s: float = _setting(60.0, "longest wait for a slot", (0.1, 3600))
    connect_timeout_s: float = _setting(10.0, "for name, connection and TLS together", (0.1, 300))
    idle_timeout_s: float = _setting(
        70.0, "a transfer on which nothing moves for so long fails; rounded", (1, 3600)
    )
    ca_file: str = _setting("", "PEM file of trusted roots; empty: those of the package certifi")


@dataclass(frozen=True)
class ProfileSettings:
    """`[profile.NAME]`: an upstream. The one called default serves jobs that name none."""

    region: str = _setting("us-east-1", "AWS region; it goes into every signature")
    retries: int = _setting(
        3, "tries after the first, where a failure allows another; boto's loop makes them", (0, 10)
    )
    endpoints: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"words": "service = URL, for servers that are not AWS's", "bounds": None},
    )
    warm_sockets: Mapping[str, int] = field(
        default_factory=dict,
        metadata={"words": "service = connections kept open over quiet spells", "bounds": None},
    )


@dataclass(frozen=True)
class Config:
    """Everything that can be set."""

    daemon: DaemonSettings = DaemonSettings()
    limits: LimitSettings = LimitSettings()
    pool: PoolSettings = PoolSettings()
    profiles: Mapping[str, ProfileSettings] = field(
        default_factory=lambda: {"default": ProfileSettings()}
    )
    rules: tuple[Rule, ...] = ()


SECTIONS: Mapping[str, type] = {
    "daemon": DaemonSettings,
    "limits": LimitSettings,
    "pool": PoolSettings,
}

BUCKET_HOSTS = ("s3",)
"""Services whose jobs go to a host that depends on the job, unless there is an endpoint."""

MAX_SOCKET_PATH = 107
"""sockaddr_un has 108 bytes, the last of them nought."""

POLICY_MODES = ("enforce", "audit")

LOG_LEVELS = ("debug", "info", "warning", "error")


def load(path: str) -> Config:
    """Read a file. Raises ConfigError, which names every mistake."""
    try:
        text = Path(path).read_bytes().decode()
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # numbers too long, lists too deep, and the rest
        raise ConfigError(f"{path}: not TOML: {error}") from None
    config, mistakes = _read(data)
    rules, wrong_rules = load_rules(path, data, text, config.profiles)
    if mistakes or wrong_rules:
        raise ConfigError("\n".join([*(f"{path}: {words}" for words in mistakes), *wrong_rules]))
    return replace(config, rules=rules)


def _read(data: dict[str, Any]) -> tuple[Config, list[str]]:
    mistakes: list[str] = []
    for name in sorted(data.keys() - SECTIONS.keys() - {"profile", "policy"}):
        known = ", ".join([*SECTIONS, "profile.NAME", "[[policy]]"])
        mistakes.append(f"[{name}]: unknown section; there are: {known}")
    sections = {
        name: _read_section(name, kind, data.get(name, {}), mistakes)
        for name, kind in SECTIONS.items()
    }
    profiles = _read_profiles(data.get("profile", {}), mistakes)
    daemon = sections["daemon"]
    if daemon.job_timeout_s > daemon.job_timeout_max_s:
        mistakes.append(
            f"[daemon] job_timeout_s = {daemon.job_timeout_s!r}: "
            f"has to be at most job_timeout_max_s, {daemon.job_timeout_max_s:g}"
        )
    for name, profile in profiles.items():
        mistakes += _warmth_mistakes(f"[profile.{name}]", profile, sections["pool"].slots_per_host)
    limits = sections["limits"]
    if limits.inline_bytes > limits.buffered_bytes:
        mistakes.append(
            f"[limits] inline_bytes = {limits.inline_bytes}: "
            f"has to be at most buffered_bytes, {limits.buffered_bytes}"
        )
    return Config(**sections, profiles=profiles), mistakes


def _read_profiles(data: Any, mistakes: list[str]) -> dict[str, ProfileSettings]:
    profiles = {"default": ProfileSettings()}
    if not isinstance(data, dict):
        mistakes.append("profile: write [profile.NAME]")
        return profiles
    for name, values in data.items():
        profiles[name] = _read_section(f"profile.{name}", ProfileSettings, values, mistakes)
    return profiles


def _warmth_mistakes(section: str, profile: ProfileSettings, slots: int) -> Iterator[str]:
    for service, number in profile.warm_sockets.items():
        setting = f"{section} warm_sockets.{service} = {number}"
        if not 0 <= number <= slots:
            yield f"{setting}: has to be from 0 to slots_per_host, {slots}"
        elif service in BUCKET_HOSTS and service not in profile.endpoints:
            yield f"{setting}: needs endpoints.{service}; at AWS each bucket has its own host"


def _read_section(section: str, kind: type, values: Any, mistakes: list[str]) -> Any:
    if not isinstance(values, dict):
        mistakes.append(f"{section}: has to be a section, [{section}]")
        return kind()
    known = {setting.name: setting for setting in fields(kind)}
    good: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            names = ", ".join(known)
            mistakes.append(f"[{section}] {key}: unknown setting; there are: {names}")
            continue
        mistake = _mistake(key, known[key].default, known[key].metadata["bounds"], value)
        if mistake:
            mistakes.append(f"[{section}] {key} = {value!r}: {mistake}")
        else:
            good[key] = float(value) if isinstance(known[key].default, float) else value
    return kind(**good)


def _mistake(key: str, default: Any, bounds: Bounds | None, value: Any) -> str | None:
    """What is wrong with a value; None: nothing. Its default tells the type."""
    if key in _SPECIAL:
        return _SPECIAL[key](value)
    if isinstance(default, (int, float)):
        numeric = (int,) if isinstance(default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, numeric):
            return "has to be a whole number" if numeric == (int,) else "has to be a number"
        assert bounds is not None, f"{key} is a number without bounds"
        if not bounds[0] <= value <= bounds[1]:
            return f"has to be from {bounds[0]:.10g} to {bounds[1]:.10g}"
    elif not isinstance(value, str):
        return "has to be a text in quotes"
    return None


def _endpoints_mistake(value: Any) -> str | None:
    if not isinstance(value, dict):
        return 'has to be a table: endpoints.s3 = "https://…"'
    for service, url in value.items():
        mistake = _service_mistake(service) or _url_mistake(url)
        if mistake:
            return f"{service}: {mistake}"
    return None


def _warm_sockets_mistake(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "has to be a table: warm_sockets.sqs = 2"
    for service, number in value.items():
        mistake = _service_mistake(service)
        if mistake:
            return f"{service}: {mistake}"
        if isinstance(number, bool) or not isinstance(number, int):
            return f"{service}: has to be a whole number"
    return None


def _service_mistake(service: str) -> str | None:
    return None if service in SERVICES else f"unknown service; there are: {', '.join(SERVICES)}"


def _url_mistake(url: Any) -> str | None:
    form = "has to be http://host[:port] or https://host[:port]"
    if not isinstance(url, str):
        return form
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return form
    return None if good and parts.path in ("", "/") and not parts.query else form


def _socket_mistake(value: Any) -> str | None:
    if not isinstance(value, str):
        return "has to be a text in quotes"
    if "\0" in value or len(value.encode()) > MAX_SOCKET_PATH:
        return f"has to be a path of at most {MAX_SOCKET_PATH} bytes, which is the kernel's bound"
    return None


def _keys_file_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and "\0" not in value and value[:1] in ("", "/")
    return None if good else "has to be a path that begins with /, the same for all who share it"


def _ca_file_mistake(value: Any) -> str | None:
    if not isinstance(value, str):
        return "has to be a text in quotes"
    good = not value or ("\0" not in value and os.access(value, os.R_OK) and Path(value).is_file())
    return None if good else "there is no such file that can be read"


def _log_level_mistake(value: Any) -> str | None:
    return None if value in LOG_LEVELS else f"has to be one of {', '.join(LOG_LEVELS)}"


def _policy_mode_mistake(value: Any) -> str | None:
    return None if value in POLICY_MODES else f"has to be one of {', '.join(POLICY_MODES)}"


def _mode_mistake(value: Any) -> str | None:
    good = (
        isinstance(value, str) and value.isdecimal() and all(digit in "01234567" for digit in value)
    )
    return None if good and int(value, 8) <= 0o777 else 'has to be octal in quotes, like "0660"'  # noqa: PLR2004


def _region_mistake(value: Any) -> str | None:
    good = isinstance(value, str) and value and value.replace("-", "").isalnum() and value.isascii()
    return None if good else 'has to be a region\'s name, like "eu-central-1"'


_SPECIAL = {
    "ca_file": _ca_file_mistake,
    "endpoints": _endpoints_mistake,
    "keys_file": _keys_file_mistake,
    "log_level": _log_level_mistake,
    "policy_mode": _policy_mode_mistake,
    "region": _region_mistake,
    "socket": _socket_mistake,
    "socket_mode": _mode_mistake,
    "warm_sockets": _warm_sockets_mistake,
}
