"""Requests and answers, without I/O: what came as what it means, and what goes out as bytes.

Shared by both ends. Standard library only: programs import it with the client.
"""

from __future__ import annotations

from botod.ipc.envelope import MAX_ID, is_id
from botod.ipc.errors import Code, RpcError
from botod.ipc.json_text import dumps, dumps_with
from botod.ipc.markers import Declared, pack, unpack
from botod.ipc.tuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from botod.ipc.framing import Message

VERSION = 1
"""Of the protocol; `botod.hello` tells it."""

MAX_MESSAGE = 2000
"""Characters of an error's words: what they quote of a request could be as long as that."""


class Request(NamedTuple):
    """A request that makes sense as JSON-RPC. `request_id` is absent in a notification.

    params: with markers replaced by what they stand for. options: beside params on the wire.
    """

    request_id: str | int | None
    is_notification: bool
    method: str
    params: dict[str, Any]
    options: dict[str, Any]


ENVELOPE_KEYS = frozenset({"jsonrpc", "id", "method", "params", "bytes", "fds", "streams"})

OPTION_KEYS = frozenset({
    "batch",
    "idempotency_key",
    "on_hangup",
    "priority",
    "profile",
    "progress",
    "timeout_s",
    "traceparent",
})  # fmt: skip


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
    answer_to = envelope.get("id")
    if not is_id(answer_to):
        raise RpcError(
            Code.INVALID_REQUEST,
            f"an id is a text of at most {MAX_ID} characters, a whole number of 64 bits or null",
        )
    params = envelope.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(Code.INVALID_PARAMS, "params are an object, by name")
    options = {}
    if not envelope.keys() <= ENVELOPE_KEYS:
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
    return Request(answer_to, "id" not in envelope, method, params, options)


def encode(envelope: dict[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """The pieces of one message, to be written in order."""
    if blobs:
        envelope = {**envelope, "bytes": [len(blob) for blob in blobs]}
    return [dumps(envelope).encode() + b"\n", *blobs]


def encode_request(
    call_id: int, method: str, params: dict[str, Any], options: dict[str, Any]
) -> list[bytes]:
    """A request whose params may hold bytes, at any depth."""
    blobs: list[bytes] = []
    envelope = {"jsonrpc": "2.0", "id": call_id, "method": method}
    return encode(envelope | {"params": pack(params, Carrier(blobs))} | options, blobs)


def encode_result(
    answer_to: str | int | None, result: Any, streams: Mapping[Any, int] = {}
) -> list[bytes]:
    """The answer to a request that succeeded; the result may hold bytes, at any depth.

    streams: the numbers of the streams that the result may hold.
    """
    text, carrier = with_markers(result, lambda: Carrier([], streams))
    number = answer_to if type(answer_to) is int else dumps(answer_to)
    line = f'{{"jsonrpc":"2.0","id":{number},"result":{text}'
    if carrier.numbers:
        line += f',"streams":{dumps(carrier.numbers)}'
    if carrier.blobs:
        line += f',"bytes":[{",".join(map(str, map(len, carrier.blobs)))}]'
    return [f"{line}}}\n".encode(), *carrier.blobs]


def with_markers(value: Any, new_carrier: Callable[[], Any]) -> tuple[str, Any]:
    """A value as JSON, and a carrier of what the markers in it stand for.

    What could be taken for a marker and is none is rare, and begins with "$ like the markers: where
    there is more of that, the value is looked through, which takes longer than to write it.
    """
    carrier = new_carrier()
    text = dumps_with(carrier, value)
    if text.count('"$') != carrier.markers_num:
        carrier = new_carrier()
        text = dumps(pack(value, carrier))
    return text, carrier


def encode_error(answer_to: str | int | None, error: RpcError) -> list[bytes]:
    """The answer to a request that failed."""
    return encode(error_envelope(answer_to, error))


def error_envelope(answer_to: str | int | None, error: RpcError) -> dict[str, Any]:
    """The envelope of an answer to a request that failed."""
    return {"jsonrpc": "2.0", "id": answer_to, "error": error_body(error)}


def error_body(error: RpcError) -> dict[str, Any]:
    """What stands in a message for an error."""
    body: dict[str, Any] = {"code": int(error.code), "message": error.message[:MAX_MESSAGE]}
    if error.data:
        body["data"] = error.data
    return body


def encode_entry(envelope: dict[str, Any]) -> bytes:
    """One answer in the answer to a batch."""
    return dumps(envelope).encode()


def encode_array(entries: Sequence[bytes]) -> list[bytes]:
    """The answer to a batch."""
    return [b"[", b",".join(entries), b"]\n"]


def encode_notification(
    method: str, params: dict[str, Any], blobs: Sequence[bytes] = ()
) -> list[bytes]:
    """A message that is not answered."""
    return encode({"jsonrpc": "2.0", "method": method, "params": params}, blobs)


class Carrier:
    """Gives markers for what JSON does not have, and keeps what they stand for.

    blobs: the bytes, added to. streams: the numbers of streams. numbers: of those that were used.
    """

    def __init__(self, blobs: list[bytes], streams: Mapping[Any, int] = {}) -> None:
        self.blobs = blobs
        self.numbers: list[int] = []
        self._streams = streams

    @property
    def markers_num(self) -> int:
        """How many it gave."""
        return len(self.blobs) + len(self.numbers)

    def __call__(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            self.blobs.append(bytes(value))
            return {"$bytes": len(self.blobs) - 1}
        if self._streams and value in self._streams:
            self.numbers.append(self._streams[value])
            return {"$stream": self._streams[value]}
        raise TypeError(f"{type(value).__name__} cannot stand in a message")


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
