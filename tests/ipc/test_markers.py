"""What JSON cannot hold: what moves out of it, and what comes back in."""

import base64
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.descriptors import Descriptor
from botod.ipc.envelope import MAX_DEPTH
from botod.ipc.errors import Code, RpcError
from botod.ipc.markers import Declared, pack, unpack
from botod.ipc.protocol import Carrier
from support.wire import BYTES_TOO, UNHURRIED

NOTHING = Declared()


def nested(depth: int, innermost: Any = None) -> Any:
    """Lists inside lists, `depth` of them."""
    value = innermost
    for _ in range(depth):
        value = [value]
    return value


def packed_with(value: Any, streams: dict[Any, int] | None = None) -> tuple[Any, list[bytes]]:
    """What JSON has of a value, and the bytes beside it."""
    blobs: list[bytes] = []
    return pack(value, Carrier(blobs, streams or {})), blobs


def unpacked(value: Any, *blobs: bytes, fds: int = 0, streams: Any = None) -> Any:
    """What a value stands for, where so much is declared."""
    descriptors = [Descriptor(-1 - number) for number in range(fds)]
    return unpack(value, Declared(blobs, descriptors, streams or {}))


def refusal(value: Any, *blobs: bytes, fds: int = 0, streams: Any = None) -> RpcError:
    """Why what a value stands for is refused."""
    with pytest.raises(RpcError) as caught:
        unpacked(value, *blobs, fds=fds, streams=streams)
    return caught.value


# There and back


@UNHURRIED
@given(value=BYTES_TOO, fds=st.integers(0, 2), streams=st.sets(st.integers(0, 3)))
def test_what_is_packed_comes_back(value: Any, fds: int, streams: set[int]) -> None:
    """Through JSON and back it is the same, whatever of it looks like a marker.

    Even where descriptors and streams are declared beside it, to which it might seem to refer.
    """
    packed, blobs = packed_with(value)
    through = json.loads(json.dumps(packed))
    descriptors = [Descriptor(-1 - number) for number in range(fds)]
    declared = Declared(blobs, descriptors, dict.fromkeys(streams, "a stream"))
    assert unpack(through, declared) == value


@pytest.mark.parametrize(
    "value",
    [
        {"$bytes": 0},
        {"$bytes": b"x"},
        {"$fd": 0, "offset": 1},
        {"$stream": 0},
        {"$base64": "QQ=="},
        {"$base64": "not base64"},
        {"$literal": {}},
        {"$literal": {"$literal": {"$bytes": 0}}},
        {"$literal": {"$bytes": 0}, "more": [{"$fd": 0}]},
        {"$literal": [1]},
        {"$fd": 0, "offset": "x"},
        {"a": {"$bytes": 0, "more": {"$base64": b"y"}}},
    ],
)
def test_what_looks_like_a_marker_comes_back_as_it_was(value: Any) -> None:
    """A user's item may have any keys: where all is declared it is still his item."""
    packed, blobs = packed_with([b"first", value])
    through = json.loads(json.dumps(packed))
    declared = Declared(blobs, [Descriptor(-1)], {0: "a stream"})
    assert unpack(through, declared) == [b"first", value]


def test_only_what_looks_like_a_marker_is_made_a_literal() -> None:
    """Other data stand in JSON as they are, also with a dollar in their keys."""
    plain = {"$": 1, "$bytesize": 2, "bytes": 0, "offset": 1, "k": ["$bytes"]}
    assert packed_with(plain) == (plain, [])
    assert packed_with({"$fd": 1}) == ({"$literal": {"$fd": 1}}, [])


def test_a_literal_is_an_object_and_stands_alone() -> None:
    """What is beside it, or is no object, makes it plain data, to be read as ever."""
    assert unpacked({"$literal": {"$bytes": 0}}, b"x") == {"$bytes": 0}
    assert unpacked({"$literal": {"k": {"$bytes": 0}}}, b"x") == {"k": b"x"}
    assert unpacked({"$literal": {"$bytes": 0}, "k": 1}, b"x") == {"$literal": b"x", "k": 1}
    for value in ([{"$bytes": 0}], "text", 7, None):
        expected = [b"x"] if isinstance(value, list) else value
        assert unpacked({"$literal": value}, b"x") == {"$literal": expected}


def test_a_literal_adds_no_depth() -> None:
    """Data as deep as may be still come through when they look like a marker."""
    value = nested(MAX_DEPTH - 1, {"$bytes": 0})
    packed, _blobs = packed_with(value)
    assert unpack(packed, NOTHING) == value


# Bytes


def test_bytes_are_numbered_in_the_order_in_which_they_stand() -> None:
    """Each bytes object has a number of its own, equal ones too."""
    packed, blobs = packed_with({"a": b"x", "b": [b"y", {"c": b"x"}]})
    assert packed == {"a": {"$bytes": 0}, "b": [{"$bytes": 1}, {"c": {"$bytes": 2}}]}
    assert blobs == [b"x", b"y", b"x"]


@pytest.mark.parametrize("value", [bytearray(b"abc"), memoryview(b"abc"), b"abc"])
def test_all_that_is_bytes_like_counts_as_bytes(value: Any) -> None:
    """bytearray and memoryview are copied, so that who gave them may go on to change them."""
    packed, blobs = packed_with([value])
    assert packed == [{"$bytes": 0}]
    assert blobs == [b"abc"]
    assert type(blobs[0]) is bytes


def test_packing_leaves_the_original_alone() -> None:
    """The caller's params are not changed by sending them."""
    params = {"Body": b"x", "Tags": [{"Value": b"y"}], "Pair": (1, b"z")}
    packed, _blobs = packed_with(params)
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
        {"$fd": 1},
        {"$fd": -1},
        {"$fd": True},
        {"$fd": None},
        {"$fd": "0"},
        {"$fd": 0, "more": 1},
        {"$fd": 0, "offset": 1, "length": 1, "more": 1},
        {"$stream": 0},
        {"$stream": 7.0},
        {"$stream": True},
        {"$stream": [7]},
        {"$stream": 7, "more": 1},
        {"$base64": 7},
        {"$base64": None},
        {"$base64": "QQ==", "more": 1},
    ],
)
def test_a_marker_that_refers_to_nothing_is_plain_data(value: dict[str, Any]) -> None:
    """User data that looks like a marker comes through as it is, where one of each is declared."""
    assert unpacked({"Item": [value]}, b"blob", fds=1, streams={7: "s"}) == {"Item": [value]}


@pytest.mark.parametrize("value", [{"$bytes": 0}, {"$fd": 0, "offset": "x"}, {"$stream": 0}])
def test_where_nothing_is_declared_no_number_is_a_marker(value: Any) -> None:
    """Even the first number is plain data then."""
    assert unpack(value, NOTHING) == value


def test_one_blob_may_stand_in_many_places() -> None:
    """A marker may be repeated, and a blob may be left unused."""
    value = [{"$bytes": 1}, {"$bytes": 1}]
    assert unpacked(value, b"unused", b"x") == [b"x", b"x"]


def test_a_marker_inside_a_marker_is_the_inner_one() -> None:
    """Only a number makes a marker; what stands around one is data."""
    assert unpacked({"$bytes": {"$bytes": 0}}, b"x") == {"$bytes": b"x"}


def test_base64_needs_no_declaration() -> None:
    """Bytes may stand in the JSON itself, for programs that cannot write behind a line."""
    marker = {"$base64": base64.b64encode(b"\x00\xff").decode()}
    assert unpack({"Body": marker}, NOTHING) == {"Body": b"\x00\xff"}
    assert unpack({"Body": {"$base64": ""}}, NOTHING) == {"Body": b""}


@pytest.mark.parametrize("text", ["QQ", "Q Q==", "QQ==\n", "é", "\ud800", "-_==", "=", "A"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    """Bad base64 is the sender's mistake and is told to him, never read as something else."""
    error = refusal({"$base64": text})
    assert error.code == Code.INVALID_PARAMS
    assert "base64" in error.message


# Descriptors and streams


def test_a_marker_stands_for_a_descriptor() -> None:
    """The declared one, from where its file stands to its end."""
    value = unpacked({"Body": {"$fd": 1}}, fds=2)["Body"]
    assert isinstance(value, Descriptor)
    assert (value.fd, value.offset, value.length) == (-2, None, None)


@pytest.mark.parametrize(
    ("part", "offset", "length"),
    [
        ({"offset": 5}, 5, None),
        ({"length": 7}, None, 7),
        ({"offset": 0, "length": 0}, 0, 0),
        ({"offset": 10**4000, "length": 1}, 10**4000, 1),  # who opens it knows what a file can be
    ],
)
def test_a_marker_may_stand_for_a_part_of_a_file(part: Any, offset: Any, length: Any) -> None:
    """From an offset, of a length, in bytes, each for itself or both."""
    value = unpacked({"$fd": 0} | part, fds=1)
    assert (value.offset, value.length) == (offset, length)


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize("number", [-1, 1.5, "1", None, True, [1]])
def test_a_part_that_is_no_number_of_bytes_is_refused(key: str, number: Any) -> None:
    """Beside a descriptor that came it is a mistake, and is named."""
    error = refusal({"Body": {"$fd": 0, key: number}}, fds=1)
    assert error.code == Code.INVALID_PARAMS
    assert key in error.message


def test_a_marker_stands_for_a_stream() -> None:
    """By the number that its sender gave it."""
    stream = object()
    assert unpacked({"Body": {"$stream": 7}}, streams={7: stream}) == {"Body": stream}


@pytest.mark.parametrize(
    "value",
    [
        [{"$fd": 0}, {"$fd": 0}],
        [{"$fd": 0, "offset": 0, "length": 5}, {"$fd": 0, "offset": 5}],
        {"a": {"$stream": 7}, "b": [{"$stream": 7}]},
    ],
)
def test_what_is_read_only_once_stands_in_one_place(value: Any) -> None:
    """A file has one part here, and a stream one reader: the second marker is refused."""
    error = refusal(value, fds=1, streams={7: object()})
    assert error.code == Code.INVALID_PARAMS
    assert "two places" in error.message


def test_different_descriptors_and_streams_may_stand_beside_each_other() -> None:
    """A number is counted for its kind alone; literals and plain data are no use of it."""
    value = [{"$fd": 0}, {"$fd": 1}, {"$stream": 0}, {"$stream": 1}, {"$literal": {"$fd": 0}}]
    first, second, *streams, plain = unpacked(value, fds=2, streams={0: "a", 1: "b"})
    assert (first.fd, second.fd) == (-1, -2)
    assert streams == ["a", "b"]
    assert plain == {"$fd": 0}


def test_unpacking_closes_and_opens_nothing() -> None:
    """Whose descriptors they are is decided elsewhere."""
    fd = os.open(os.devnull, os.O_RDONLY)
    unpack({"$fd": 0}, Declared((), [Descriptor(fd)]))
    os.close(fd)


# Depth


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"k": value, "l": 0}])
def test_nesting_has_an_end(wrap: Any) -> None:
    """As deep as the limit is fine, one deeper is refused, in lists and in objects."""
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert unpack(value, NOTHING) == value
    with pytest.raises(RpcError, match="nested deeper") as refused:
        unpack(wrap(value), NOTHING)
    assert refused.value.code == Code.INVALID_REQUEST


def test_a_marker_at_the_deepest_place_counts() -> None:
    """The limit is on containers around a marker, which itself is not one."""
    assert unpacked(nested(MAX_DEPTH, {"$bytes": 0}), b"x") == nested(MAX_DEPTH, b"x")
