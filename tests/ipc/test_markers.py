"""Bytes inside JSON: what moves out of it, and what comes back in."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.errors import Code, RpcError
from botod.ipc.markers import MAX_DEPTH, pack, unpack

KEYS = st.text(max_size=5).filter(lambda key: not key.startswith("$"))
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int, innermost: Any = None) -> Any:
    """Lists inside lists, `depth` of them."""
    value = innermost
    for _ in range(depth):
        value = [value]
    return value


def has_bytes(value: Any) -> bool:
    """Whether there are bytes anywhere in a value."""
    if isinstance(value, dict):
        return any(has_bytes(item) for item in value.values())
    if isinstance(value, list):
        return any(has_bytes(item) for item in value)
    return isinstance(value, bytes)


@given(value=VALUES)
def test_what_is_packed_comes_back(value: Any) -> None:
    """Bytes at any depth move out of a value and back into it; everything else stays."""
    blobs: list[bytes] = []
    packed = pack(value, blobs)
    assert not has_bytes(packed)
    assert unpack(packed, tuple(blobs), base64_too=True) == value


def test_bytes_are_numbered_in_the_order_in_which_they_stand() -> None:
    """Each bytes object has a number of its own, equal ones too."""
    blobs: list[bytes] = []
    packed = pack({"a": b"x", "b": [b"y", {"c": b"x"}]}, blobs)
    assert packed == {"a": {"$bytes": 0}, "b": [{"$bytes": 1}, {"c": {"$bytes": 2}}]}
    assert blobs == [b"x", b"y", b"x"]


@pytest.mark.parametrize("value", [bytearray(b"abc"), memoryview(b"abc"), b"abc"])
def test_all_that_is_bytes_like_counts_as_bytes(value: Any) -> None:
    """bytearray and memoryview are copied, so that who gave them may go on to change them."""
    blobs: list[bytes] = []
    assert pack([value], blobs) == [{"$bytes": 0}]
    assert blobs == [b"abc"]
    assert type(blobs[0]) is bytes


def test_packing_leaves_the_original_alone() -> None:
    """The caller's params are not changed by sending them."""
    params = {"Body": b"x", "Tags": [{"Value": b"y"}], "Pair": (1, b"z")}
    packed = pack(params, [])
    assert params == {"Body": b"x", "Tags": [{"Value": b"y"}], "Pair": (1, b"z")}
    assert packed["Pair"] == [1, {"$bytes": 2}]


@pytest.mark.parametrize(
    "value",
    [
        {"$bytes": 1},
        {"$bytes": -1},
        {"$bytes": True},
        {"$bytes": False},
        {"$bytes": 0.0},
        {"$bytes": "0"},
        {"$bytes": None},
        {"$bytes": 10**4000},
        {"$bytes": 0, "more": 1},
        {"$fd": 0},
        {"$stream": 0},
        {"$base64": 7},
        {"$base64": None},
        {"$base64": "QQ==", "more": 1},
    ],
)
def test_a_marker_that_refers_to_nothing_is_plain_data(value: dict[str, Any]) -> None:
    """User data that looks like a marker comes through as it is, where one blob is declared."""
    assert unpack({"Item": [value]}, (b"blob",), base64_too=True) == {"Item": [value]}


def test_without_declared_bytes_no_number_is_a_marker() -> None:
    """Where nothing is declared even the first number is plain data."""
    assert unpack({"$bytes": 0}, ()) == {"$bytes": 0}


def test_one_blob_may_stand_in_many_places() -> None:
    """A marker may be repeated, and a blob may be left unused."""
    value = [{"$bytes": 1}, {"$bytes": 1}]
    assert unpack(value, (b"unused", b"x")) == [b"x", b"x"]


def test_a_marker_inside_a_marker_is_the_inner_one() -> None:
    """Only a number makes a marker; what stands around one is data."""
    assert unpack({"$bytes": {"$bytes": 0}}, (b"x",)) == {"$bytes": b"x"}


def test_base64_needs_no_declaration() -> None:
    """Bytes may stand in the JSON itself, for programs that cannot write behind a line."""
    marker = {"$base64": base64.b64encode(b"\x00\xff").decode()}
    assert unpack({"Body": marker}, (), base64_too=True) == {"Body": b"\x00\xff"}
    assert unpack({"Body": {"$base64": ""}}, (), base64_too=True) == {"Body": b""}


def test_base64_is_for_requests_only() -> None:
    """A result is not searched for base64: it may hold a user's data of that shape."""
    assert unpack({"$base64": "QQ=="}, ()) == {"$base64": "QQ=="}


@pytest.mark.parametrize("text", ["QQ", "Q Q==", "QQ==\n", "é", "\ud800", "-_==", "=", "A"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    """Bad base64 is the sender's mistake and is told to him, never read as something else."""
    with pytest.raises(RpcError, match="base64") as refused:
        unpack({"$base64": text}, (), base64_too=True)
    assert refused.value.code == Code.INVALID_PARAMS


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"k": value, "l": 0}])
def test_nesting_has_an_end(wrap: Any) -> None:
    """As deep as the limit is fine, one deeper is refused, in lists and in objects."""
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert unpack(value, ()) == value
    with pytest.raises(RpcError, match="nested deeper") as refused:
        unpack(wrap(value), ())
    assert refused.value.code == Code.INVALID_REQUEST


def test_a_marker_at_the_deepest_place_counts() -> None:
    """The limit is on containers around a marker, which itself is not one."""
    assert unpack(nested(MAX_DEPTH, {"$bytes": 0}), (b"x",)) == nested(MAX_DEPTH, b"x")
