"""What stands in a request for what JSON does not have."""

import json
from typing import Any

import pytest
from hypothesis import given

from botod.ipc.markers import Declared, pack, unpack
from botod.ipc.sending import FilePart, Pieces
from botod.ipc.writing import RequestCarrier, batch_entry
from support.wire import BYTES_TOO, UNHURRIED


def test_each_kind_has_its_marker() -> None:
    """Bytes and descriptors are counted; the stream has the number that comes next."""
    carrier = RequestCarrier(9)
    file, pieces = FilePart("file", 5), Pieces(None, None)
    params = {"A": b"a", "B": [b"b", file], "C": pieces, "D": FilePart("other", None)}
    assert pack(params, carrier) == {
        "A": {"$bytes": 0},
        "B": [{"$bytes": 1}, {"$fd": 0, "offset": 5}],
        "C": {"$stream": 9},
        "D": {"$fd": 1},
    }
    assert carrier.blobs == [b"a", b"b"]
    assert [part.file for part in carrier.files] == ["file", "other"]
    assert carrier.source is pieces


def test_a_request_has_one_stream() -> None:
    """No operation takes two, and both would have to be sent at once."""
    with pytest.raises(TypeError, match="one stream"):
        pack({"A": Pieces(None, None), "B": Pieces(None, None)}, RequestCarrier(1))


def test_what_has_no_marker_is_named() -> None:
    """By its kind."""
    with pytest.raises(TypeError, match="set cannot stand"):
        pack({"A": {1}}, RequestCarrier(1))
    with pytest.raises(TypeError, match="FilePart cannot stand in a batch"):
        batch_entry(1, "m", {"A": FilePart(None, None)}, {})


@UNHURRIED
@given(BYTES_TOO)
def test_a_batch_s_entry_comes_through(value: Any) -> None:
    """Nothing can be declared in a batch, so bytes stand in the line."""
    entry = json.loads(batch_entry(3, "s3.m", {"A": value}, {"priority": 1}))
    assert (entry["id"], entry["method"], entry["priority"]) == (3, "s3.m", 1)
    assert unpack(entry["params"], Declared()) == {"A": value}
