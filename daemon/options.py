"""What a request may say beside its params, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botod.ipc.errors import Code, RpcError

PRIORITIES = range(-10, 11)
"""Higher goes first. It orders a user's own jobs only, for which 21 steps are plenty."""

MAX_KEY_LENGTH = 255
"""Of an idempotency key, in characters: what AWS's own client tokens may have at most."""

HANG_UPS = ("cancel", "finish")

TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<parent>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})"
)
"""W3C Trace Context: version, trace, parent and flags. Nought is no trace and no parent."""

SAMPLED = 1
"""The flag that says that the caller records this trace."""


@dataclass(frozen=True)
class Options:
    """The options of one request. timeout_s: None: it names none."""

    profile: str = "default"
    timeout_s: float | None = None
    idempotency_key: str | None = None
    priority: int = 0
    progress: bool = False
    traceparent: str | None = None
    batch: bool = True


DEFAULTS = Options()


def read_options(given: Mapping[str, Any], *, timeout_max_s: float) -> Options:
    """The options as the wire gave them. Raises RpcError, which says what is allowed."""
    if not given:
        return DEFAULTS
    on_hangup = given.get("on_hangup", "cancel")
    _require(on_hangup in HANG_UPS, f"on_hangup has to be one of {', '.join(HANG_UPS)}")
    return Options(
        profile=_profile(given),
        timeout_s=_timeout_s(given, timeout_max_s),
        idempotency_key=_idempotency_key(given),
        priority=_priority(given),
        progress=_flag(given, "progress", default=DEFAULTS.progress),
        traceparent=_traceparent(given),
        batch=_flag(given, "batch", default=DEFAULTS.batch),
    )


def trace_headers(traceparent: str) -> Mapping[str, str]:
    """The header by which AWS's services take part in a trace."""
    found = TRACEPARENT.fullmatch(traceparent)
    assert found is not None, "a trace that was not checked"
    trace, sampled = found["trace"], int(found["flags"], 16) & SAMPLED
    root = f"1-{trace[:8]}-{trace[8:]}"
    return {"X-Amzn-Trace-Id": f"Root={root};Parent={found['parent']};Sampled={sampled}"}


def _profile(given: Mapping[str, Any]) -> str:
    profile = given.get("profile", DEFAULTS.profile)
    _require(isinstance(profile, str), "profile has to be a text")
    return str(profile)


def _timeout_s(given: Mapping[str, Any], longest: float) -> float | None:
    if "timeout_s" not in given:
        return None
    timeout_s = given["timeout_s"]
    is_number = isinstance(timeout_s, (int, float)) and not isinstance(timeout_s, bool)
    _require(
        is_number and 0 < timeout_s <= longest,
        f"timeout_s has to be seconds, more than 0 and at most {longest:g}",
    )
    return float(timeout_s)


def _idempotency_key(given: Mapping[str, Any]) -> str | None:
    if "idempotency_key" not in given:
        return None
    key = given["idempotency_key"]
    _require(
        isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH,
        f"idempotency_key has to be a text of 1 to {MAX_KEY_LENGTH} characters",
    )
    return str(key)


def _priority(given: Mapping[str, Any]) -> int:
    priority = given.get("priority", DEFAULTS.priority)
    _require(
        isinstance(priority, int) and not isinstance(priority, bool) and priority in PRIORITIES,
        f"priority has to be a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}; "
        "higher goes first",
    )
    return int(priority)


def _flag(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    _require(isinstance(value, bool), f"{name} has to be true or false")
    return bool(value)


def _traceparent(given: Mapping[str, Any]) -> str | None:
    if "traceparent" not in given:
        return None
    text = given["traceparent"]
    _require(
        isinstance(text, str) and TRACEPARENT.fullmatch(text) is not None,
        "traceparent has to be version-traceid-parentid-flags in lower-case hex, as W3C has it: "
        "2, 32, 16 and 2 digits, neither id all zeros",
    )
    return str(text)


def _require(good: bool, words: str) -> None:  # noqa: FBT001 - an assertion about a peer's value
    if not good:
        raise RpcError(Code.INVALID_PARAMS, words)
