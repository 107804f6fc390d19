"""What stands in a request for what JSON does not have."""

import json
from typing import Any

import pytest
from hypothesis import given

from botod.ipc.markers import Declared, unpack
from botod.ipc.sending import FilePart, Pieces
from botod.ipc.writing import batch_entry, marked
from support.wire import BYTES_TOO, UNHURRIED


def test_each_kind_has_its_marker() -> None:
    """Bytes and descriptors are counted; the stream has the number that comes next."""
    file, pieces = FilePart("file", 5), Pieces(None, None)
    params = {"A": b"a", "B": (b"b", file), "C": pieces, "D": FilePart("other", None)}
    text, carrier = marked(params, 9)
    assert json.loads(text) == {
        "A": {"$bytes": 0},
        "B": [{"$bytes": 1}, {"$fd": 0, "offset": 5}],
        "C": {"$stream": 9},
        "D": {"$fd": 1},
    }
    assert carrier.blobs == [b"a", b"b"]
    assert [part.file for part in carrier.files] == ["file", "other"]
    assert carrier.source is pieces


@UNHURRIED
@given(BYTES_TOO)
def test_params_come_through(value: Any) -> None:
    """Whatever is in them, and whatever it looks like."""
    text, carrier = marked({"A": value}, 1)
    assert unpack(json.loads(text), Declared(carrier.blobs)) == {"A": value}


@pytest.mark.parametrize("text", ["$5", '"$5', "$bytes", "a$"])
def test_what_looks_like_a_marker_comes_through(text: str) -> None:
    """As a value and as a key, alone and beside one."""
    for value in ({text: 0}, {text: b"x"}, [text, b"x"], {"$literal": {text: 0}}):
        said, carrier = marked({"A": value}, 1)
        assert unpack(json.loads(said), Declared(carrier.blobs)) == {"A": value}


def test_a_request_has_one_stream() -> None:
    """No operation takes two, and both would have to be sent at once."""
    with pytest.raises(TypeError, match="one stream"):
        marked({"A": Pieces(None, None), "B": Pieces(None, None)}, 1)


def test_what_has_no_marker_is_named() -> None:
    """By its kind."""
    with pytest.raises(TypeError, match="set cannot stand"):
        marked({"A": {1}}, 1)
    with pytest.raises(TypeError, match="FilePart cannot stand in a batch"):
        batch_entry(1, "m", {"A": FilePart(None, None)}, {})


@UNHURRIED
@given(BYTES_TOO)
def test_a_batch_s_entry_comes_through(value: Any) -> None:
    """Nothing can be declared in a batch, so bytes stand in the line."""
    entry = json.loads(batch_entry(3, "s3.m", {"A": value}, {"priority": 1}))
    assert (entry["id"], entry["method"], entry["priority"]) == (3, "s3.m", 1)
    assert unpack(entry["params"], Declared()) == {"A": value}
