"""The messages about a request or a stream, which are no requests of their own. No I/O.

Shared by both ends. Standard library only: programs import it with the client.
"""

from __future__ import annotations

from botod.ipc.envelope import is_id, is_number
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.protocol import encode_notification, error_body
from botod.ipc.tuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from botod.ipc.framing import Message

CHUNK_BYTES = 64 * 1024
"""Of one `stream.data`, at most: so long a small answer waits behind a stream, some 30 µs."""

CANCEL = "$/cancelRequest"
"""The message that ends a request."""

STREAM_DATA = "stream.data"
"""The message that carries a piece of a stream."""


class Cancel(NamedTuple):
    """The peer does not want the answer any more."""

    request_id: str | int | None


class StreamData(NamedTuple):
    """A piece of a stream."""

    stream: int
    data: bytes


class StreamEnd(NamedTuple):
    """The end of a stream; with an error, the sender had to break off."""

    stream: int
    error: RpcError | None


class StreamCredit(NamedTuple):
    """The reader of a stream lets so many bytes more come."""

    stream: int
    size: int


class StreamCancel(NamedTuple):
    """The reader of a stream does not want the rest."""

    stream: int


Control = Cancel | StreamData | StreamEnd | StreamCredit | StreamCancel
"""What is not a request of its own but about one."""

CONTROL_KEYS = frozenset({"jsonrpc", "method", "params", "bytes", "fds"})
"""Beside these there is nothing in a message about a request or a stream, not even an id."""


def is_control(method: Any) -> bool:
    """Whether a message with this method is about a request or a stream."""
    return isinstance(method, str) and method in _CONTROLS


def read_control(message: Message) -> Control | None:
    """What a message says about a request or a stream; None: it is a request.

    Raises ProtocolError if it makes no sense: without an id nobody could be told. Raises RpcError
    for a cancel that wants an answer.
    """
    envelope = message.envelope
    method = envelope.get("method")
    if not isinstance(method, str) or method not in _CONTROLS:
        return None
    if method == CANCEL and "id" in envelope:
        raise RpcError(Code.INVALID_REQUEST, f"{CANCEL} is a notification: it has no id")
    read = _CONTROLS[method]
    params = envelope.get("params")
    is_known = envelope.keys() <= CONTROL_KEYS and envelope.get("jsonrpc") == "2.0"
    if not is_known or not isinstance(params, dict):
        _raise_bad_control(method)
    if message.fds or len(message.blobs) != (read is _read_data):
        _raise_bad_control(method)
    return read(params, message.blobs)


def encode_stream_data(stream: int, data: bytes) -> list[bytes]:
    """A piece of a stream."""
    return encode_notification(STREAM_DATA, {"stream": stream}, [data])


def encode_stream_end(stream: int, error: RpcError | None) -> list[bytes]:
    """The end of a stream."""
    params: dict[str, Any] = {"stream": stream}
    if error is not None:
        params["error"] = error_body(error)
    return encode_notification("stream.end", params)


def _read_cancel(params: dict[str, Any], _blobs: Sequence[bytes]) -> Cancel:
    if params.keys() != {"id"} or not is_id(params["id"]):
        _raise_bad_control(CANCEL)
    return Cancel(params["id"])


def _read_data(params: dict[str, Any], blobs: Sequence[bytes]) -> StreamData:
    if len(blobs[0]) > CHUNK_BYTES:
        _raise_bad_control(STREAM_DATA)
    return StreamData(_number_of(params, STREAM_DATA, {"stream"}), blobs[0])


def _read_end(params: dict[str, Any], _blobs: Sequence[bytes]) -> StreamEnd:
    number = _number_of(params, "stream.end", {"stream", "error"} & params.keys())
    error = params.get("error")
    if error is None:
        return StreamEnd(number, None)
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        _raise_bad_control("stream.end")
    return StreamEnd(
        number, RpcError(Code.STREAM_BROKEN, f"the sender broke off: {error['message']}")
    )


def _read_credit(params: dict[str, Any], _blobs: Sequence[bytes]) -> StreamCredit:
    number = _number_of(params, "stream.credit", {"stream", "bytes"})
    if not is_number(params["bytes"]):
        _raise_bad_control("stream.credit")
    return StreamCredit(number, params["bytes"])


def _read_stream_cancel(params: dict[str, Any], _blobs: Sequence[bytes]) -> StreamCancel:
    return StreamCancel(_number_of(params, "stream.cancel", {"stream"}))


def _number_of(params: dict[str, Any], method: str, keys: set[str]) -> int:
    number: object = params.get("stream", -1)
    if params.keys() != keys or not is_number(number):
        _raise_bad_control(method)
    return number


def _raise_bad_control(method: str) -> NoReturn:
    raise ProtocolError(
        Code.INVALID_REQUEST,
        f"{method} is a notification: no id, and exactly the params and bytes that it has to have",
    )


_CONTROLS: Mapping[str, Callable[[dict[str, Any], Sequence[bytes]], Control]] = {
    CANCEL: _read_cancel,
    "stream.cancel": _read_stream_cancel,
    "stream.credit": _read_credit,
    STREAM_DATA: _read_data,
    "stream.end": _read_end,
}
