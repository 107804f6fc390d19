"""The messages of the wire, without I/O: what came as what it means, and answers as bytes.

Shared by both ends. Standard library only: programs import it with the client.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, cast

from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.framing import MAX_ID, MAX_STREAMS, Message, is_id, is_number, request_id
from botod.ipc.markers import Declared, pack, unpack

VERSION = 1
"""Of the protocol; `botod.hello` tells it."""

CHUNK_BYTES = 64 * 1024
"""Of one `stream.data`, at most: so long a small answer waits behind a stream, some 30 µs."""

MAX_MESSAGE = 2000
"""Characters of an error's words: what they quote of a request could be as long as that."""

CANCEL = "$/cancelRequest"
"""The message that ends a request."""

STREAM_DATA = "stream.data"
"""The message that carries a piece of a stream."""


class Request(NamedTuple):
    """A request that makes sense as JSON-RPC. `request_id` is absent in a notification.

    params: with markers replaced by what they stand for. options: beside params on the wire.
    """

    request_id: str | int | None
    is_notification: bool
    method: str
    params: dict[str, Any]
    options: dict[str, Any]


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

ENVELOPE_KEYS = frozenset({"jsonrpc", "id", "method", "params", "bytes", "fds", "streams"})

CONTROL_KEYS = frozenset({"jsonrpc", "method", "params", "bytes", "fds"})
"""Beside these there is nothing in a message about a request or a stream, not even an id."""

OPTION_KEYS = frozenset({
    "idempotency_key",
    "on_hangup",
    "priority",
    "profile",
    "progress",
    "timeout_s",
    "traceparent",
})  # fmt: skip


def is_control(method: Any) -> bool:
    """Whether a message with this method is about a request or a stream."""
    return isinstance(method, str) and method in _CONTROLS


def read_control(message: Message) -> Control | None:
    """What a message says about a request or a stream; None: it is a request.

    Raises ProtocolError if it makes no sense: without an id nobody could be told. Raises RpcError
    for a cancel that wants an answer.
    """
    envelope = message.envelope
    if not is_control(envelope.get("method")):
        return None
    method = cast("str", envelope["method"])
    if method == CANCEL and "id" in envelope:
        raise RpcError(Code.INVALID_REQUEST, f"{CANCEL} is a notification: it has no id")
    read = _CONTROLS[method]
    params = envelope.get("params")
    is_known = envelope.keys() <= CONTROL_KEYS and envelope.get("jsonrpc") == "2.0"
    if not is_known or not isinstance(params, dict):
        _raise_bad_control(method)
    if message.fds or len(message.blobs) != (read is _read_data):
        _raise_bad_control(method)
    return cast("Control", read(params, message.blobs))


def declared_streams(envelope: dict[str, Any]) -> Sequence[int]:
    """The numbers in `streams`. Raises RpcError."""
    numbers = envelope.get("streams", [])
    is_list = isinstance(numbers, list) and len(numbers) <= MAX_STREAMS
    if not is_list or not all(map(is_number, numbers)) or len(set(numbers)) < len(numbers):
        raise RpcError(
            Code.INVALID_REQUEST,
            f"streams is a list of at most {MAX_STREAMS} different whole numbers",
        )
    return cast("list[int]", numbers)


def read_request(message: Message, declared: Declared) -> Request:
    """What a message asks for. Raises RpcError, to be answered under the message's id.

    declared: what markers may refer to.
    """
    envelope = message.envelope
    method = envelope.get("method")
    if envelope.get("jsonrpc") != "2.0":
        raise RpcError(Code.INVALID_REQUEST, 'a request has "jsonrpc": "2.0"')
    if not isinstance(method, str):
        raise RpcError(Code.INVALID_REQUEST, "a request has a method, a string")
    if "id" in envelope and not is_id(envelope["id"]):
        raise RpcError(
            Code.INVALID_REQUEST,
            f"an id is a text of at most {MAX_ID} characters, a whole number of 64 bits or null",
        )
    params = envelope.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(Code.INVALID_PARAMS, "params are an object, by name")
    options = {key: envelope[key] for key in envelope.keys() - ENVELOPE_KEYS}
    if "$options" in params:
        options |= _options_inside(params)
        params = {key: value for key, value in params.items() if key != "$options"}
    if options:
        _check_options(options)
    if not message.is_plain:
        params = unpack(params, declared)
        if not isinstance(params, dict):
            raise RpcError(Code.INVALID_PARAMS, "params are an object, not a marker")
    return Request(request_id(envelope), "id" not in envelope, method, params, options)


def encode(envelope: dict[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """The pieces of one message, to be written in order."""
    if blobs:
        envelope = {**envelope, "bytes": [len(blob) for blob in blobs]}
    return [_ENCODER.encode(envelope).encode() + b"\n", *blobs]


def encode_request(
    call_id: int, method: str, params: dict[str, Any], options: dict[str, Any]
) -> list[bytes]:
    """A request whose params may hold bytes, at any depth."""
    blobs: list[bytes] = []
    envelope = {"jsonrpc": "2.0", "id": call_id, "method": method}
    return encode(envelope | {"params": pack(params, Carrier(blobs))} | options, blobs)


def encode_result(
    answer_to: str | int | None, result: Any, streams: Mapping[Any, int] | None = None
) -> list[bytes]:
    """The answer to a request that succeeded; the result may hold bytes, at any depth.

    streams: the numbers of the streams that the result may hold.
    """
    text = None if streams else _as_it_is(result)
    if text is not None:
        number = _ENCODER.encode(answer_to)
        return [f'{{"jsonrpc":"2.0","id":{number},"result":{text}}}\n'.encode()]
    blobs: list[bytes] = []
    carrier = Carrier(blobs, streams or {})
    envelope = {"jsonrpc": "2.0", "id": answer_to, "result": pack(result, carrier)}
    if carrier.numbers:
        envelope["streams"] = carrier.numbers
    return encode(envelope, blobs)


def encode_error(answer_to: str | int | None, error: RpcError) -> list[bytes]:
    """The answer to a request that failed."""
    return encode(error_envelope(answer_to, error))


def error_envelope(answer_to: str | int | None, error: RpcError) -> dict[str, Any]:
    """The envelope of an answer to a request that failed."""
    return {"jsonrpc": "2.0", "id": answer_to, "error": _error_body(error)}


def encode_entry(envelope: dict[str, Any]) -> bytes:
    """One answer in the answer to a batch."""
    return _ENCODER.encode(envelope).encode()


def encode_array(entries: Sequence[bytes]) -> list[bytes]:
    """The answer to a batch."""
    return [b"[", b",".join(entries), b"]\n"]


def encode_notification(
    method: str, params: dict[str, Any], blobs: Sequence[bytes] = ()
) -> list[bytes]:
    """A message that is not answered."""
    return encode({"jsonrpc": "2.0", "method": method, "params": params}, blobs)


def encode_stream_data(stream: int, data: bytes) -> list[bytes]:
    """A piece of a stream."""
    return encode_notification(STREAM_DATA, {"stream": stream}, [data])


def encode_stream_end(stream: int, error: RpcError | None) -> list[bytes]:
    """The end of a stream."""
    params: dict[str, Any] = {"stream": stream}
    if error is not None:
        params["error"] = _error_body(error)
    return encode_notification("stream.end", params)


class Carrier:
    """Gives markers for what JSON does not have, and keeps what they stand for.

    blobs: the bytes, added to. streams: the numbers of streams. numbers: of those that were used.
    """

    def __init__(self, blobs: list[bytes], streams: Mapping[Any, int] = {}) -> None:
        self.blobs = blobs
        self.numbers: list[int] = []
        self._streams = streams

    def __call__(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            self.blobs.append(bytes(value))
            return {"$bytes": len(self.blobs) - 1}
        if value in self._streams:
            self.numbers.append(self._streams[value])
            return {"$stream": self._streams[value]}
        raise TypeError(f"{type(value).__name__} cannot stand in a message")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _as_it_is(result: Any) -> str | None:
    """The result as JSON; None: something in it needs a marker, or could be taken for one.

    Most results need none; to look for what does takes longer than to write them.
    """
    try:
        text = _ENCODER.encode(result)
    except TypeError:
        return None
    return None if '"$' in text else text


def _error_body(error: RpcError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": int(error.code), "message": error.message[:MAX_MESSAGE]}
    if error.data:
        body["data"] = error.data
    return body


def _check_options(options: dict[str, Any]) -> None:
    unknown = sorted(options.keys() - OPTION_KEYS)
    if unknown:
        known = ", ".join(sorted(OPTION_KEYS))
        raise RpcError(Code.INVALID_REQUEST, f"unknown option {unknown[0]!r}; there are: {known}")


def _options_inside(params: dict[str, Any]) -> dict[str, Any]:
    options = params["$options"]
    if not isinstance(options, dict):
        raise RpcError(Code.INVALID_PARAMS, "$options are an object")
    return options


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
    if params.keys() != keys or not is_number(params.get("stream")):
        _raise_bad_control(method)
    return cast("int", params["stream"])


def _raise_bad_control(method: str) -> NoReturn:
    raise ProtocolError(
        Code.INVALID_REQUEST,
        f"{method} is a notification: no id, and exactly the params and bytes that it has to have",
    )


_CONTROLS = {
    CANCEL: _read_cancel,
    "stream.cancel": _read_stream_cancel,
    "stream.credit": _read_credit,
    STREAM_DATA: _read_data,
    "stream.end": _read_end,
}
