"""The wire without I/O: bytes in, messages out; messages in, bytes out. Shared by both ends.

A message is one line of JSON and, right behind it, the raw bytes that its envelope declares:

    {"jsonrpc": "2.0", "id": 1, "method": "…", "params": {"Body": {"$bytes": 0}}, "bytes": [5]}
    hello

`Decoder` cuts the stream into messages. What it cannot cut it raises as `ProtocolError`, after
which nothing more can be read. What it can cut but refuses comes out as `Refused`, and the
declared bytes are dropped. Standard library only: programs import it with the client.
"""

import json
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple, NoReturn, cast

from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.markers import pack, unpack

MAX_LINE_BYTES = 1024 * 1024
"""A line: SQS's and SimpleDB's largest requests are 1 MiB; larger bodies are declared bytes."""

MAX_INLINE_BYTES = 16 * 1024 * 1024
"""All bytes declared by one message: they are held in memory until the job is done."""

MAX_BLOBS = 64
"""Pieces that one message may declare: a batch of ten messages with some binary attributes each."""

MAX_DRAIN_BYTES = 1024 * 1024 * 1024
"""Declared bytes of a refused message that are still read and dropped; beyond, we hang up."""


class Message(NamedTuple):
    """One message that was read whole."""

    envelope: dict[str, Any]
    blobs: tuple[bytes, ...]


class Refused(NamedTuple):
    """A message that framed and is refused; `request_id` is what its answer is to."""

    request_id: str | int | None
    error: RpcError


class Request(NamedTuple):
    """A request that makes sense as JSON-RPC. `request_id` is absent in a notification.

    params: with markers replaced by the bytes they stand for. options: beside params on the wire.
    """

    request_id: str | int | None
    is_notification: bool
    method: str
    params: dict[str, Any]
    options: dict[str, Any]


class Limits(NamedTuple):
    """How much one message may be."""

    line_bytes: int = MAX_LINE_BYTES
    inline_bytes: int = MAX_INLINE_BYTES


class State(Enum):
    """What the decoder reads next."""

    LINE = "line"
    BODY = "body"
    DRAIN = "drain"
    ENDED = "ended"


class Decoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - a frozen value
        self.state = State.LINE
        self._limits = limits
        self._buffer = bytearray()
        self._searched = 0
        self._eof = False
        self._envelope: dict[str, Any] = {}
        self._sizes: list[int] = []
        self._wanted = 0

    def __repr__(self) -> str:
        return f"<Decoder reads {self.state.value}, {len(self._buffer)} bytes buffered>"

    def feed(self, data: bytes) -> None:
        assert not self._eof, "bytes after the end"
        self._buffer += data

    def feed_eof(self) -> None:
        """No more bytes come. A last line without its line end still counts."""
        self._eof = True

    def next(self) -> Message | Refused | None:
        """The next message; None: more bytes are needed. Raises ProtocolError, once."""
        while True:
            before = self.state
            try:
                event = _STEPS[before](self)
            except ProtocolError:
                self.state = State.ENDED
                raise
            if event is not None or self.state is before:
                return event

    def _read_line(self) -> Message | Refused | None:
        line = self._cut_line()
        while line is not None and not line.strip():
            line = self._cut_line()
        return None if line is None else self._begin(_parse_line(line))

    def _cut_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > self._limits.line_bytes:
                self._raise_line_too_long()
            return self._cut_last_line() if self._eof else None
        if end > self._limits.line_bytes:
            self._raise_line_too_long()
        self._searched = 0
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _cut_last_line(self) -> bytes | None:
        self._searched = 0
        line = bytes(self._buffer)
        self._buffer.clear()
        if not line:
            self.state = State.ENDED
            return None
        return line

    def _raise_line_too_long(self) -> NoReturn:
        raise ProtocolError(
            Code.LINE_TOO_LONG,
            f"a line is longer than {self._limits.line_bytes} bytes; declare large values in bytes",
        )

    def _begin(self, value: Any) -> Message | Refused | None:
        """Decide by the envelope alone what follows the line."""
        if not isinstance(value, dict):
            what = "batches are not supported" if isinstance(value, list) else "not an object"
            return Refused(None, RpcError(Code.INVALID_REQUEST, f"not a request: {what}"))
        self._envelope = value
        self._sizes = _declared(value)
        self._wanted = sum(self._sizes)
        error = self._refusal(value)
        if error is not None:
            self.state = State.DRAIN
            return Refused(request_id(value), error)
        if self._sizes:
            self.state = State.BODY
            return None
        return Message(value, ())

    def _refusal(self, envelope: dict[str, Any]) -> RpcError | None:
        limit = self._limits.inline_bytes
        if self._wanted > MAX_DRAIN_BYTES:
            # Unnamed: a sum of JSON's numbers may have more digits than Python writes.
            raise ProtocolError(
                Code.BODY_TOO_LARGE, f"far too many bytes declared, at most {limit} may be"
            )
        if self._wanted > limit:
            return RpcError(
                Code.BODY_TOO_LARGE, f"{self._wanted} bytes declared, at most {limit} may be"
            )
        if envelope.get("fds"):
            return RpcError(Code.UNSUPPORTED, "descriptors are not supported")
        return None

    def _read_body(self) -> Message | Refused | None:
        if len(self._buffer) < self._wanted:
            return self._cut_short() if self._eof else None
        self.state = State.LINE
        blobs = []
        start = 0
        for size in self._sizes:
            blobs.append(bytes(self._buffer[start : start + size]))
            start += size
        del self._buffer[:start]
        return Message(self._envelope, tuple(blobs))

    def _cut_short(self) -> Refused:
        got = len(self._buffer)
        self._buffer.clear()
        self.state = State.ENDED
        error = RpcError(
            Code.BODY_CUT_SHORT, f"{self._wanted} bytes were declared, {got} came; nothing was done"
        )
        return Refused(request_id(self._envelope), error)

    def _drain(self) -> None:
        dropped = min(self._wanted, len(self._buffer))
        del self._buffer[:dropped]
        self._wanted -= dropped
        if not self._wanted:
            self.state = State.LINE
        elif self._eof:
            self.state = State.ENDED

    def _rest(self) -> None:
        """At the end there is nothing to read."""


_STEPS: dict[State, Callable[[Decoder], Message | Refused | None]] = {
    State.LINE: Decoder._read_line,  # noqa: SLF001 - the decoder's own table
    State.BODY: Decoder._read_body,  # noqa: SLF001
    State.DRAIN: Decoder._drain,  # noqa: SLF001
    State.ENDED: Decoder._rest,  # noqa: SLF001
}

ENVELOPE_KEYS = frozenset({"jsonrpc", "id", "method", "params", "bytes", "fds"})
OPTION_KEYS = frozenset({"profile", "timeout_s"})


def read_request(message: Message) -> Request:
    """What a message asks for. Raises RpcError, to be answered under the message's id."""
    envelope = message.envelope
    method = envelope.get("method")
    if envelope.get("jsonrpc") != "2.0":
        raise RpcError(Code.INVALID_REQUEST, 'a request has "jsonrpc": "2.0"')
    if not isinstance(method, str):
        raise RpcError(Code.INVALID_REQUEST, "a request has a method, a string")
    if "id" in envelope and not _is_id(envelope["id"]):
        raise RpcError(Code.INVALID_REQUEST, "an id is a string, a whole number or null")
    params = envelope.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(Code.INVALID_PARAMS, "params are an object, by name")
    options = {key: envelope[key] for key in envelope.keys() - ENVELOPE_KEYS}
    if "$options" in params:
        options |= _options_inside(params)
        params = {key: value for key, value in params.items() if key != "$options"}
    unknown = sorted(options.keys() - OPTION_KEYS)
    if unknown:
        known = ", ".join(sorted(OPTION_KEYS))
        raise RpcError(Code.INVALID_REQUEST, f"unknown option {unknown[0]!r}; there are: {known}")
    return Request(
        request_id=request_id(envelope),
        is_notification="id" not in envelope,
        method=method,
        params=cast("dict[str, Any]", unpack(params, message.blobs, base64_too=True)),
        options=options,
    )


def encode(envelope: dict[str, Any], blobs: Iterable[bytes] = ()) -> list[bytes]:
    """The pieces of one message, to be written in order."""
    blobs = list(blobs)
    if blobs:
        envelope = {**envelope, "bytes": [len(blob) for blob in blobs]}
    line = json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    return [line, *blobs]


def encode_request(
    call_id: int, method: str, params: dict[str, Any], options: dict[str, Any]
) -> list[bytes]:
    """A request whose params may hold bytes, at any depth."""
    blobs: list[bytes] = []
    envelope = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": pack(params, blobs)}
    return encode(envelope | options, blobs)


def encode_result(answer_to: str | int | None, result: Any) -> list[bytes]:
    """The answer to a request that succeeded; the result may hold bytes, at any depth."""
    blobs: list[bytes] = []
    packed = pack(result, blobs)
    return encode({"jsonrpc": "2.0", "id": answer_to, "result": packed}, blobs)


def encode_error(answer_to: str | int | None, error: RpcError) -> list[bytes]:
    """The answer to a request that failed."""
    body: dict[str, Any] = {"code": int(error.code), "message": error.message}
    if error.data:
        body["data"] = error.data
    return encode({"jsonrpc": "2.0", "id": answer_to, "error": body})


def request_id(envelope: dict[str, Any]) -> str | int | None:
    """The id to answer under; None for a notification and for an id that is none."""
    value = envelope.get("id")
    return cast("str | int | None", value) if _is_id(value) else None


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, (str, int)) and not isinstance(value, bool))


def _options_inside(params: dict[str, Any]) -> dict[str, Any]:
    options = params["$options"]
    if not isinstance(options, dict):
        raise RpcError(Code.INVALID_PARAMS, "$options are an object")
    return options


def _parse_line(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ProtocolError(Code.PARSE_ERROR, "not JSON that we read: nested too deep") from None
    except ValueError as error:
        raise ProtocolError(Code.PARSE_ERROR, f"not a line of JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _declared(envelope: dict[str, Any]) -> list[int]:
    """The sizes in `bytes`. If they cannot be told, nobody knows where the next line begins."""
    sizes = envelope.get("bytes", [])
    good = isinstance(sizes, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in sizes
    )
    if not good or len(sizes) > MAX_BLOBS:
        raise ProtocolError(
            Code.INVALID_REQUEST, f"bytes is a list of at most {MAX_BLOBS} whole numbers"
        )
    return cast("list[int]", sizes)
