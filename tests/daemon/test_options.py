"""What a request may say beside its params."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.options import DEFAULTS, TRACEPARENT, Options, read_options, trace_headers
from botod.ipc.errors import Code, RpcError

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(**given_options: Any) -> Options:
    """The options as read, with deadlines of up to 100 s."""
    return read_options(given_options, timeout_max_s=100.0)


def test_none_at_all() -> None:
    """The defaults, which are the same object each time: most requests have none."""
    assert read() is DEFAULTS
    assert Options() == DEFAULTS


def test_all_at_once() -> None:
    """Each arrives where it belongs."""
    assert read(
        profile="backup",
        timeout_s=7,
        idempotency_key="k",
        priority=-10,
        on_hangup="finish",
        progress=True,
        traceparent=TRACE,
        batch=False,
    ) == Options("backup", 7.0, "k", -10, True, TRACE, False, "finish")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("profile", [7, None, ["default"]], "profile has to be a text"),
        (
            "timeout_s",
            [0, -1, 100.1, 10**400, float("inf"), float("nan"), True, "7", None, []],
            "timeout_s has to be seconds, more than 0 and at most 100",
        ),
        (
            "idempotency_key",
            ["", "x" * 256, 7, None],
            "idempotency_key has to be a text of 1 to 255 characters",
        ),
        (
            "priority",
            [-11, 11, 1.0, True, "1", None],
            "priority has to be a whole number from -10 to 10; higher goes first",
        ),
        ("on_hangup", ["stop", "", None, 1, []], "on_hangup has to be one of cancel, finish"),
        ("progress", [1, "true", None], "progress has to be true or false"),
        ("batch", [1, "false", None], "batch has to be true or false"),
    ],
)
def test_what_is_refused(name: str, values: list[Any], words: str) -> None:
    """The message says what is allowed."""
    for value in values:
        with pytest.raises(RpcError) as caught:
            read(**{name: value})
        assert (caught.value.code, caught.value.message) == (Code.INVALID_PARAMS, words)


@pytest.mark.parametrize(
    "value",
    [
        "",
        7,
        None,
        TRACE.upper(),
        TRACE + "\n",
        TRACE + "-00",
        TRACE.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        TRACE[:-1],
    ],
)
def test_no_traceparent(value: Any) -> None:
    """W3C's form or nothing."""
    with pytest.raises(RpcError, match="traceparent has to be version-traceid-parentid-flags"):
        read(traceparent=value)


def test_the_bounds_themselves() -> None:
    """They are allowed."""
    assert read(timeout_s=100).timeout_s == 100
    assert read(idempotency_key="x" * 255).idempotency_key == "x" * 255
    assert (read(priority=10).priority, read(priority=-10).priority) == (10, -10)


def test_the_header_of_a_trace() -> None:
    """AWS writes the same ids in another way."""
    header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"
    assert trace_headers(TRACE) == {"X-Amzn-Trace-Id": header}
    unsampled = trace_headers(TRACE[:-2] + "fe")
    assert unsampled is not None
    assert unsampled["X-Amzn-Trace-Id"].endswith(";Sampled=0")


@given(st.from_regex(TRACEPARENT, fullmatch=True))
def test_any_trace_can_travel_in_a_header(text: str) -> None:
    """What is let through is printable ASCII, without separators of its own."""
    headers = trace_headers(text)
    assert headers is not None
    value = headers["X-Amzn-Trace-Id"]
    assert value.isascii()
    assert value.isprintable()
    assert value.count(";") == 2
