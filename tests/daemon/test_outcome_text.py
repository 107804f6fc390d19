"""Outcomes as text, for another process."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.outcome_text import decode, encode
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome

PLAIN = st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.binary()
NAMES = st.text() | st.sampled_from(["$base64", "$bytes", "$literal", "$fd", "code", "result"])
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=10
)


@given(VALUES)
def test_a_result_comes_back_as_it_was(result: Any) -> None:
    """Bytes too, and what looks like a marker."""
    assert decode(encode(Outcome(result))) == Outcome(result)


@pytest.mark.parametrize("data", [{}, {"attempts": 2, "retryable": False}])
def test_an_error_comes_back_as_it_was(data: dict[str, Any]) -> None:
    """Code, words and data."""
    error = decode(encode(Outcome(error=RpcError(Code.BAD_ANSWER, "no \ud800", data)))).error
    assert error is not None
    assert (error.code, error.message, error.data) == (Code.BAD_ANSWER, "no \ud800", data)
