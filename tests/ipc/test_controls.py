"""What the messages about requests and streams mean, and what makes no sense."""

from collections.abc import Mapping
from typing import Any

import pytest

from botod.ipc import controls
from botod.ipc.controls import (
    CHUNK_BYTES,
    Cancel,
    Control,
    StreamCancel,
    StreamCredit,
    StreamData,
    StreamEnd,
    encode_stream_data,
    encode_stream_end,
    read_control,
)
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.framing import Message
from botod.ipc.protocol import encode_notification
from support.wire import ABSENT, came_through


def control(
    method: str, params: Any, *some: bytes, blobs: tuple[bytes, ...] = (), **changes: Any
) -> Message:
    """A message about a request or a stream."""
    envelope = {"jsonrpc": "2.0", "method": method, "params": params} | changes
    return Message(
        {key: value for key, value in envelope.items() if value is not ABSENT}, some + blobs
    )


@pytest.mark.parametrize(
    ("came", "meant"),
    [
        (control("$/cancelRequest", {"id": 7}), Cancel(7)),
        (control("$/cancelRequest", {"id": "a"}), Cancel("a")),
        (control("$/cancelRequest", {"id": None}), Cancel(None)),
        (control("stream.data", {"stream": 7}, b"abc"), StreamData(7, b"abc")),
        (control("stream.data", {"stream": 0}, b""), StreamData(0, b"")),
        (control("stream.end", {"stream": 7}), StreamEnd(7, None)),
        (control("stream.end", {"stream": 7, "error": None}), StreamEnd(7, None)),
        (control("stream.credit", {"stream": 7, "bytes": 0}), StreamCredit(7, 0)),
        (control("stream.credit", {"stream": 7, "bytes": 10**4000}), StreamCredit(7, 10**4000)),
        (control("stream.cancel", {"stream": 7}), StreamCancel(7)),
    ],
)
def test_what_controls_mean(came: Message, meant: Control) -> None:
    """Each is known by its method and has exactly its params."""
    assert read_control(came) == meant


def test_a_stream_may_end_with_an_error() -> None:
    """What came before is not whole, and whoever reads is told the sender's reason."""
    error = {"code": -32000, "message": "disk full"}
    end = read_control(control("stream.end", {"stream": 7, "error": error}))
    assert isinstance(end, StreamEnd)
    assert end.error is not None
    assert end.error.code == Code.STREAM_BROKEN
    assert end.error.message == "the sender broke off: disk full"


@pytest.mark.parametrize("error", [{}, {"message": 7}, {"message": [[]]}, "disk full", []])
def test_an_error_that_ends_a_stream_has_a_message(error: Any) -> None:
    """A text, as every error's; nobody could be told of anything else."""
    with pytest.raises(ProtocolError):
        read_control(control("stream.end", {"stream": 7, "error": error}))


def test_a_control_has_nothing_beside_it() -> None:
    """What it does not know is refused, as in a request."""
    came = control("stream.cancel", {"stream": 7})
    with pytest.raises(ProtocolError):
        read_control(came._replace(envelope=came.envelope | {"streams": [8]}))


@pytest.mark.parametrize(
    "method",
    ["s3.get_object", "stream", "stream.datas", "$/progress", "", 7, None, ["stream.data"]],
)
def test_all_else_is_a_request(method: Any) -> None:
    """What is no control is read as a request, whatever is wrong with it."""
    assert read_control(control(method, {}, id=1)) is None
    assert read_control(Message({"jsonrpc": "2.0", "id": 1})) is None


GOOD_PARAMS: Mapping[str, dict[str, Any]] = {
    "$/cancelRequest": {"id": 1},
    "stream.cancel": {"stream": 1},
    "stream.credit": {"stream": 1, "bytes": 1},
    "stream.data": {"stream": 1},
    "stream.end": {"stream": 1},
}


def test_each_control_is_tested() -> None:
    """The table here is the protocol's."""
    assert GOOD_PARAMS.keys() == controls._CONTROLS.keys()


@pytest.mark.parametrize("method", GOOD_PARAMS)
@pytest.mark.parametrize(
    "changes",
    [
        {"id": 1},
        {"id": None},
        {"jsonrpc": "1.0"},
        {"jsonrpc": ABSENT},
        {"params": ABSENT},
        {"params": None},
        {"params": []},
        {"params": {}},
        {"params": {"more": 1}},
    ],
)
def test_a_control_with_a_mistake_is_a_fault(method: str, changes: dict[str, Any]) -> None:
    """Nobody could be told, so the connection ends; a cancel with an id is answered."""
    if changes.get("params") == {"more": 1}:
        changes = {"params": GOOD_PARAMS[method] | {"more": 1}}
    blobs = (b"x",) if method == "stream.data" else ()
    with pytest.raises(RpcError, match="is a notification: ") as fault:
        read_control(control(method, **{"params": GOOD_PARAMS[method]} | changes, blobs=blobs))
    assert fault.value.code == Code.INVALID_REQUEST
    assert str(fault.value).startswith(method)
    is_answered = method == "$/cancelRequest" and "id" in changes
    assert isinstance(fault.value, ProtocolError) is not is_answered


@pytest.mark.parametrize("method", GOOD_PARAMS)
@pytest.mark.parametrize("stream", [-1, True, 1.0, "1", None, [1]])
def test_what_is_no_streams_number_is_a_fault(method: str, stream: Any) -> None:
    """So is a request's id that is none, and credit that is no number of bytes."""
    changed = {"id": {}} if method == "$/cancelRequest" else {"stream": stream}
    blobs = (b"x",) if method == "stream.data" else ()
    with pytest.raises(ProtocolError):
        read_control(control(method, GOOD_PARAMS[method] | changed, *blobs))
    with pytest.raises(ProtocolError):
        read_control(control("stream.credit", {"stream": 1, "bytes": stream}))


@pytest.mark.parametrize("method", GOOD_PARAMS)
def test_only_data_has_bytes_and_nothing_has_descriptors(method: str) -> None:
    """One piece comes with stream.data, none with the others, and never a descriptor."""
    good = (b"x",) if method == "stream.data" else ()
    wrong = [(), (b"x", b"y")] if good else [(b"x",)]
    assert read_control(control(method, GOOD_PARAMS[method], *good)) is not None
    for blobs in wrong:
        with pytest.raises(ProtocolError):
            read_control(control(method, GOOD_PARAMS[method], *blobs))
    with pytest.raises(ProtocolError):
        read_control(control(method, GOOD_PARAMS[method], *good)._replace(fds=(0,)))


def test_a_piece_of_a_stream_has_an_end() -> None:
    """As large as may be is fine, and a byte more is a fault, whatever credit there is."""
    piece = control("stream.data", {"stream": 1}, bytes(CHUNK_BYTES))
    assert isinstance(read_control(piece), StreamData)
    with pytest.raises(ProtocolError) as fault:
        read_control(control("stream.data", {"stream": 1}, bytes(CHUNK_BYTES + 1)))
    assert fault.value.code == Code.INVALID_REQUEST


@pytest.mark.parametrize("error", [[], "no", 7, True])
def test_an_end_whose_error_is_none_is_a_fault(error: Any) -> None:
    """An error is an object or is left out: an end that cannot be told from a break is refused."""
    with pytest.raises(ProtocolError):
        read_control(control("stream.end", {"stream": 1, "error": error}))


def test_what_we_write_about_a_stream_is_read_as_it_was_meant() -> None:
    """Both ends share the words: data, a good end, and an end with its reason."""
    assert read_control(came_through(encode_stream_data(3, b"a\nb"))) == StreamData(3, b"a\nb")
    assert read_control(came_through(encode_stream_end(3, None))) == StreamEnd(3, None)
    broken = RpcError(Code.CANCELLED, "no more")
    end = read_control(came_through(encode_stream_end(3, broken)))
    assert isinstance(end, StreamEnd)
    assert "no more" in str(end.error)
    credit = encode_notification("stream.credit", {"stream": 3, "bytes": 9})
    assert read_control(came_through(credit)) == StreamCredit(3, 9)
