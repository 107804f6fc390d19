"""What the line of a message says of the rest."""

from typing import Any

import pytest

from botod.ipc.envelope import (
    MAX_DEPTH,
    MAX_STREAMS,
    declared_streams,
    is_id,
    is_number,
    is_plain,
    parse_line,
    request_id,
)
from botod.ipc.errors import Code, ProtocolError, RpcError


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b'{"a":-Infinity}', b'"\xff"', b"{}{}", b"[" * 10_000]
)
def test_what_is_not_json_is_a_fault(text: bytes) -> None:
    """Python's own decoder would take NaN, and leave a RecursionError to the caller."""
    with pytest.raises(ProtocolError) as caught:
        parse_line(text)
    assert caught.value.code == Code.PARSE_ERROR


@pytest.mark.parametrize(
    ("params", "plain"),
    [
        ('{"Key":"k"}', True),
        ('{"Key":"costs $5"}', True),
        ('{"$bytes":0}', False),
        ('{"\\u0024bytes":0}', False),
        ('{ "\\u0024fd" : 0 }', False),
        ('{"Key":"$k"}', False),  # a value, but to look closer would cost more
        ("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), True),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, False),
        ('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, False),
    ],
)
def test_where_markers_and_depth_need_not_be_looked_for(params: str, plain: bool) -> None:
    """A message passes as plain only if no key can begin with $ and nothing is nested deep."""
    assert is_plain(f'{{"params":{params}}}'.encode()) is plain


def test_what_is_an_id_and_what_is_a_number() -> None:
    """Strings, whole numbers and null are ids; whole numbers from 0 on are numbers."""
    cases: list[Any] = ["", "a", 0, -1, None, True, False, 1.0, [], {}]
    assert [is_id(case) for case in cases] == [True] * 5 + [False] * 5
    assert [request_id({"id": case}) for case in cases] == cases[:5] + [None] * 5
    assert request_id({}) is None
    numbers: list[Any] = [0, 1, 10**4000, -1, True, False, 1.0, "1", None, [1]]
    assert [is_number(case) for case in numbers] == [True] * 3 + [False] * 7


@pytest.mark.parametrize("numbers", [[], [0], [7, 3], list(range(MAX_STREAMS)), [10**4000]])
def test_streams_are_different_whole_numbers(numbers: list[int]) -> None:
    """As many as may be, in any order."""
    assert declared_streams({"streams": numbers}) == numbers


def test_no_streams_need_be_declared() -> None:
    """Without the key there are none."""
    assert declared_streams({}) == []


@pytest.mark.parametrize(
    "numbers",
    [None, 7, "7", {}, [-1], [True], [1.0], ["1"], [[1]], [1, 1], [0] * 5, [0, 1, 2, 3, 4]],
)
def test_other_streams_are_refused(numbers: Any) -> None:
    """The request is answered: framing does not depend on its streams."""
    with pytest.raises(RpcError, match=f"at most {MAX_STREAMS} different") as refused:
        declared_streams({"streams": numbers})
    assert refused.value.code == Code.INVALID_REQUEST
    assert not isinstance(refused.value, ProtocolError)
