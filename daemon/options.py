"""What a request may say beside its params, checked."""

import re
from collections.abc import Callable, Mapping
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
    """The options of one request.

    timeout_s: None: it names none. on_hangup: its exchange heeds it.
    """

    profile: str = "default"
    timeout_s: float | None = None
    idempotency_key: str | None = None
    priority: int = 0
    progress: bool = False
    traceparent: str | None = None
    batch: bool = True
    on_hangup: str = "cancel"


DEFAULTS = Options()


def read_options(given: Mapping[str, Any], *, timeout_max_s: float) -> Options:
    """The options as the wire gave them. Raises RpcError, which says what is allowed."""
    if not given:
        return DEFAULTS
    for name, value in given.items():
        is_allowed, words = _ALLOWED[name]
        if not is_allowed(value) or (name == "timeout_s" and value > timeout_max_s):
            words = words.format(longest=timeout_max_s)
            raise RpcError(Code.INVALID_PARAMS, f"{name} has to be {words}")
    return Options(**given)


def trace_headers(traceparent: str) -> Mapping[str, str]:
    """The header by which AWS's services take part in a trace."""
    found = TRACEPARENT.fullmatch(traceparent)
    assert found is not None, "a trace that was not checked"
    trace, sampled = found["trace"], int(found["flags"], 16) & SAMPLED
    root = f"1-{trace[:8]}-{trace[8:]}"
    return {"X-Amzn-Trace-Id": f"Root={root};Parent={found['parent']};Sampled={sampled}"}


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY_LENGTH


def _is_priority(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in PRIORITIES


def _is_trace(value: Any) -> bool:
    return isinstance(value, str) and TRACEPARENT.fullmatch(value) is not None


_DIGITS = "2, 32, 16 and 2 digits, neither id all zeros"

_ALLOWED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "profile": (lambda value: isinstance(value, str), "a text"),
    "timeout_s": (_is_time, "seconds, more than 0 and at most {longest:g}"),
    "idempotency_key": (_is_key, f"a text of 1 to {MAX_KEY_LENGTH} characters"),
    "priority": (
        _is_priority,
        f"a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}; higher goes first",
    ),
    "progress": (_is_flag, "true or false"),
    "traceparent": (
        _is_trace,
        f"version-traceid-parentid-flags in lower-case hex, as W3C has it: {_DIGITS}",
    ),
    "batch": (_is_flag, "true or false"),
    "on_hangup": (lambda value: value in HANG_UPS, f"one of {', '.join(HANG_UPS)}"),
}
"""What each may be, and the same in words. Others the wire has refused."""
