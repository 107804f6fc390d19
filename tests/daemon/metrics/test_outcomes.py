"""What became of a request, in a word."""

from typing import Any

import pytest

from botod.daemon.metrics.outcomes import OUTCOMES, outcome_of
from botod.ipc.errors import Code, RpcError


@pytest.mark.parametrize("code", Code)
def test_each_error_of_the_wire_has_a_word(code: Code) -> None:
    """One of those that there are."""
    assert outcome_of(RpcError(code, "no")) in OUTCOMES


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"http_status": 404, "retryable": False}, "client_error"),
        ({"http_status": 400, "retryable": True}, "throttled"),
        ({"http_status": 503, "retryable": True}, "throttled"),
        ({"http_status": 429, "retryable": True}, "throttled"),
        ({"http_status": 500, "retryable": False}, "server_error"),
        ({"http_status": 502, "retryable": False}, "server_error"),
        ({}, "client_error"),
    ],
)
def test_what_a_service_said(data: dict[str, Any], word: str) -> None:
    """By its status: its own words for it are without number."""
    assert outcome_of(RpcError(Code.SERVICE_ERROR, "no", {"type": "Whatever", **data})) == word


def test_no_error_and_an_unknown_one() -> None:
    """Both have a word, too."""
    assert outcome_of(None) == "ok"
    assert outcome_of(RpcError(-1, "what")) == "internal_error"
