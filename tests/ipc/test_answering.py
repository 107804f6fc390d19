"""What a peer is told of how its request ended."""

import json
import logging
from typing import Any

import pytest

from botod.ipc.answering import encode_outcome, internal_error
from botod.ipc.errors import AccessDenied, Code
from botod.ipc.exchange import Outcome
from support.ipc import unheard


def told(outcome: Outcome) -> dict[str, Any]:
    """The envelope that a peer gets."""
    said: dict[str, Any] = json.loads(encode_outcome(unheard(7), outcome)[0])
    assert said["id"] == 7
    return said


def test_a_result_and_an_error() -> None:
    """Each under the request's id."""
    assert told(Outcome(result={"A": 1}))["result"] == {"A": 1}
    assert told(Outcome(error=AccessDenied(Code.ACCESS_DENIED, "no")))["error"]["message"] == "no"


def deep() -> list[Any]:
    """A list in a list, and so on."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "result", [{1, 2}, object(), float("nan"), deep()], ids=["set", "object", "nan", "deep"]
)
def test_a_result_that_json_does_not_have(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours: the peer is told that, not what it was; the log has it."""
    error = told(Outcome(result=result))["error"]
    assert (error["code"], error["message"]) == (
        Code.INTERNAL_ERROR,
        "internal error; the daemon's log has more",
    )
    assert [record.exc_info is not None for record in caplog.records] == [True]
    caplog.clear()


def test_a_bug_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    """The peer cannot do anything about it."""
    error = internal_error(KeyError("secret"))
    assert "secret" not in str(error)
    ((_name, level, message),) = caplog.record_tuples
    assert (level, message) == (logging.ERROR, "a handler failed")
    caplog.clear()
