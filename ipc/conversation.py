"""The client's side of one connection, without I/O: which answer is whose, and what streams may do.

A shell (blocking, or asyncio) writes what `begin` and the streams give, hands in what it reads, and
says when the connection ended. A request of which nothing can have been acted on ends with
`NothingDone`, and may be sent again on another connection; these are

- one that was not written to its last byte: the daemon acts on whole messages only;
- one that was the last thing written when the kernel says that unread bytes were thrown away
  (ECONNRESET): its last byte was among them;
- one that came after the daemon had closed an idle connection, or to one that is stopping.
"""

import base64
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from botod.ipc.errors import (
    Code,
    DaemonLost,
    DaemonUnavailable,
    ProtocolError,
    RpcError,
    StreamBroken,
    error_from,
)
from botod.ipc.framing import (
    MAX_BATCH,
    MAX_LINE_BYTES,
    Decoder,
    Message,
    MessageLimits,
    Refused,
)
from botod.ipc.markers import Declared, pack, unpack
from botod.ipc.protocol import (
    CHUNK_BYTES,
    Carrier,
    Control,
    StreamCancel,
    StreamCredit,
    StreamData,
    StreamEnd,
    declared_streams,
    encode,
    encode_array,
    encode_entry,
    encode_notification,
    encode_stream_data,
    read_control,
)
from botod.ipc.sending import FilePart, Pieces

CREDIT_BYTES = 512 * 1024
"""What may come of a stream that nobody reads: so much of it is held, and no more."""

HELLO_ID = 0

DEFAULT_TIMEOUT_S = 60.0
"""The deadline of a request that says nothing."""

BODY_TIMEOUT_S = 900.0
"""The same, if it has a stream or a descriptor: what the daemon gives it then."""

GRACE_S = 5.0
"""Beyond a request's own deadline: the daemon answers at it, and the answer has to travel."""

_ANSWER_LIMITS = MessageLimits(line_bytes=64 * 1024 * 1024, inline_bytes=1024 * 1024 * 1024)
"""The daemon is trusted more than its peers are: lists of results are long lines."""


class NothingDone(Exception):
    """Nothing can have been acted on. `error` is what to raise if it is not sent again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Written(NamedTuple):
    """One message, to be written in order; the descriptors go with its first byte."""

    pieces: list[bytes]
    fds: tuple[int, ...] = ()


class Inflow:
    """A stream that the daemon sends. on_change: called when `take` may give something else."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_over = False
        self.on_change: Callable[[], object] = _nothing
        self._pieces: deque[bytes] = deque()
        self._error: Exception | None = None
        self._taken_bytes = 0

    def take(self) -> bytes | None:
        """The next that came; b"" at the end; None: nothing is here yet. Raises if it broke."""
        if self._pieces:
            piece = self._pieces.popleft()
            self._taken_bytes += len(piece)
            return piece
        if self._error is not None:
            raise self._error
        return b"" if self.is_over else None

    @classmethod
    def whole(cls, data: bytes) -> "Inflow":
        """One that is here already."""
        inflow = cls(0)
        inflow.feed(data)
        inflow.end(None)
        return inflow

    @property
    def has_news(self) -> bool:
        """Whether `take` gives something, or raises."""
        return bool(self._pieces) or self.is_over

    def credit(self) -> Written | None:
        """What lets more come, once half of what may lie here has been taken."""
        if self.is_over or self._taken_bytes < CREDIT_BYTES // 2:
            return None
        params = {"stream": self.number, "bytes": self._taken_bytes}
        self._taken_bytes = 0
        return Written(encode_notification("stream.credit", params))

    def cancel(self) -> Written | None:
        """Forget what came; what tells the daemon that the rest is not wanted."""
        self._pieces.clear()
        if self.is_over:
            return None
        return Written(encode_notification("stream.cancel", {"stream": self.number}))

    def feed(self, data: bytes) -> None:
        """Keep what came, unless nobody wants it any more."""
        if data and not self.is_over:
            self._pieces.append(data)
            self.on_change()

    def end(self, error: Exception | None) -> None:
        if not self.is_over:
            self.is_over = True
            self._error = error
            self.on_change()


class Outflow:
    """A stream that we send. on_change: called when `credit_bytes` or `is_wanted` did."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.credit_bytes = 0
        self.sent_bytes = 0
        self.is_wanted = True
        self.on_change: Callable[[], object] = _nothing

    @property
    def room_bytes(self) -> int:
        """How much the next piece may have; 0: the daemon lets nothing come now."""
        return min(self.credit_bytes, CHUNK_BYTES) if self.is_wanted else 0

    def data(self, piece: bytes) -> Written:
        assert len(piece) <= self.room_bytes, "a piece is larger than it may be"
        self.credit_bytes -= len(piece)
        self.sent_bytes += len(piece)
        return Written(encode_stream_data(self.number, piece))

    def end(self) -> Written:
        """That this was all."""
        return Written(encode_notification("stream.end", {"stream": self.number}))


class Reply:
    """The answer to one request, when it is there. on_change: called then."""

    def __init__(self, number: Any, on_progress: Callable[[Any], object] | None = None) -> None:
        self.number = number
        self.is_done = False
        self.is_written = False
        self.on_change: Callable[[], object] = _nothing
        self.on_progress = on_progress
        self.outflow: Outflow | None = None
        self.source: Pieces | None = None
        self.value: Any = None
        self.error: Exception | None = None

    @property
    def can_repeat(self) -> bool:
        """Whether what it sends is still there to be sent again."""
        return self.outflow is None or self.outflow.sent_bytes == 0

    def result(self) -> Any:
        """What came. Raises what went wrong."""
        assert self.is_done, "asked before the answer is there"
        if self.error is not None:
            raise self.outcome()
        return self.value

    def outcome(self) -> Any:
        """What came, or what went wrong."""
        if isinstance(self.error, NothingDone):
            return self.error.error
        return self.value if self.error is None else self.error

    def settle(self, value: Any = None, error: Exception | None = None) -> None:
        if self.is_done:
            return
        self.is_done = True
        self.value, self.error = value, error
        if self.outflow is not None:
            self.outflow.is_wanted = False
            self.outflow.on_change()
        self.on_change()


class Conversation:
    """What goes on on one connection. path: the daemon's, for messages."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._decoder = Decoder(_ANSWER_LIMITS)
        self._replies: dict[Any, Reply] = {}
        self._inflows: dict[int, Inflow] = {}
        self._outflows: dict[int, Outflow] = {}
        self._last_id = HELLO_ID
        self._last_stream = 0
        self._has_greeted = False
        self._last_written: Sequence[Reply] = ()
        self._farewell: RpcError | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, and another request may follow."""
        return not (self._replies or self._inflows or self._farewell)

    @property
    def is_open(self) -> bool:
        """Whether the daemon has not said that it is about to hang up."""
        return self._farewell is None

    def hello(self) -> list[bytes]:
        """What has to be said, once, before a request whose answer may be a stream.

        It goes with that request, in the same write, and nobody waits for its answer.
        """
        if self._has_greeted:
            return []
        self._has_greeted = True
        params = {"stream_credit_bytes": CREDIT_BYTES}
        return encode({
            "jsonrpc": "2.0", "id": HELLO_ID, "method": "botod.hello", "params": params
        })  # fmt: skip

    def begin(
        self,
        method: str,
        params: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        on_progress: Callable[[Any], object] | None = None,
    ) -> tuple[list[Reply], Written]:
        """A request. params may hold bytes, FileParts and Pieces.

        Raises TypeError and ValueError for what cannot stand in a message: nothing is kept then.
        """
        carrier = _RequestCarrier(self._last_stream + 1)
        number = self._last_id + 1
        envelope = {"jsonrpc": "2.0", "id": number, "method": method}
        envelope |= {"params": pack(dict(params), carrier)} | dict(options)
        if on_progress is not None:
            envelope["progress"] = True
        fds = tuple(part.file.fileno() for part in carrier.files)
        if fds:
            envelope["fds"] = len(fds)
        if carrier.source is not None:
            envelope["streams"] = [self._last_stream + 1]
        written = Written(encode(envelope, carrier.blobs), fds)
        return [self._kept(Reply(number, on_progress), carrier.source)], written

    def begin_batch(
        self, calls: Sequence[tuple[str, Mapping[str, Any]]], options: Mapping[str, Any]
    ) -> tuple[list[Reply], Written]:
        """As many of these requests as one line holds, at least one; each has its own reply."""
        entries: list[bytes] = []
        room = MAX_LINE_BYTES
        for method, params in calls[:MAX_BATCH]:
            entry = _batch_entry(self._last_id + len(entries) + 1, method, params, options)
            room -= len(entry) + 1
            if entries and room < 1:
                break
            entries.append(entry)
        replies = [self._kept(Reply(self._last_id + 1), None) for _entry in entries]
        return replies, Written(encode_array(entries))

    def cancel(self, reply: Reply) -> Written | None:
        """What tells the daemon that nobody waits for an answer any more."""
        if self._replies.get(reply.number) is not reply:
            return None
        return Written(encode_notification("$/cancelRequest", {"id": reply.number}))

    def wrote(self, replies: Sequence[Reply]) -> None:
        """The last byte of these requests, or of another message, was written."""
        self._last_written = replies
        for reply in replies:
            reply.is_written = True

    def receive(self, data: bytes | memoryview) -> None:
        """Take what came. Raises ProtocolError, after which the connection is of no use."""
        self._decoder.feed(data)
        while (event := self._decoder.next()) is not None:
            if isinstance(event, Message):
                self._take(event)
            elif isinstance(event, Refused):
                raise ProtocolError(event.error.code, event.error.message)
            else:
                for entry in event.items:
                    self._take(Message(entry))

    def ended(self, error: OSError | None, words: str = "the daemon hung up") -> None:
        """The connection is over: all that waits ends. error: the kernel's word."""
        was_unread = isinstance(error, ConnectionResetError)
        unread = self._last_written if was_unread else ()
        for reply in list(self._replies.values()):
            self._settle(reply, error=self._why_lost(reply, is_unread=reply in unread, words=words))
        for inflow in self._inflows.values():
            inflow.end(DaemonUnavailable(f"{self._path}: {words}; the body that came is not whole"))
        self._inflows.clear()

    def broke(self, error: ProtocolError) -> None:
        """What came makes no sense: so ends all that waits."""
        self._farewell = error
        self.ended(None)

    def _why_lost(self, reply: Reply, *, is_unread: bool, words: str) -> Exception:
        if self._farewell is not None:
            return self._last_word(self._farewell)
        if reply.is_written and not is_unread:
            return DaemonLost(f"{self._path}: {words}; whether the request was done is not known")
        return NothingDone(DaemonUnavailable(f"{self._path}: {words}"))

    def _last_word(self, error: RpcError) -> Exception:
        return NothingDone(error) if error.code in _NOTHING_DONE else error

    def _kept(self, reply: Reply, source: Pieces | None) -> Reply:
        self._last_id = reply.number
        self._replies[reply.number] = reply
        if source is not None:
            self._last_stream += 1
            reply.source = source
            reply.outflow = self._outflows[self._last_stream] = Outflow(self._last_stream)
        return reply

    def _take(self, message: Message) -> None:
        envelope = message.envelope
        if not isinstance(envelope, dict):
            raise ProtocolError(Code.BAD_ANSWER, "what came is no answer of JSON-RPC's")
        if "method" not in envelope:
            self._take_answer(message)
            return
        control = read_control(message)
        if control is not None:
            self._obey(control, envelope)
        elif envelope["method"] == "$/progress":
            self._take_progress(envelope.get("params"))

    def _take_answer(self, message: Message) -> None:
        number = message.envelope.get("id")
        error = read_error(message.envelope.get("error"))
        if number is None and error is not None:
            self._say_farewell(error)
            return
        if number == HELLO_ID:
            self._has_greeted = error is None
            return
        reply = self._replies.get(number) if isinstance(number, (int, str)) else None
        if reply is None:
            return
        if error is not None:
            self._settle(reply, error=self._last_word(error))
            return
        try:
            result = self._result(message)
        except RpcError as wrong:
            self._settle(reply, error=wrong)
        else:
            self._settle(reply, result)

    def _result(self, message: Message) -> Any:
        streams = {number: Inflow(number) for number in declared_streams(message.envelope)}
        self._inflows.update(streams)
        return unpack(message.envelope.get("result"), Declared(message.blobs, streams=streams))

    def _say_farewell(self, error: RpcError) -> None:
        """It concerns what cannot be told by an id; what else is in flight is still answered."""
        self._farewell = error
        if len(self._replies) == 1:
            (reply,) = self._replies.values()
            self._settle(reply, error=self._last_word(error))

    def _settle(self, reply: Reply, result: Any = None, error: Exception | None = None) -> None:
        del self._replies[reply.number]
        if reply.outflow is not None:
            del self._outflows[reply.outflow.number]
        reply.settle(result, error)

    def _take_progress(self, params: Any) -> None:
        match params:
            case {"id": int(number), "value": dict(value)} if number in self._replies:
                on_progress = self._replies[number].on_progress
                if on_progress is not None:
                    on_progress(value)

    def _obey(self, control: Control, envelope: dict[str, Any]) -> None:
        match control:
            case StreamData(number, data) if number in self._inflows:
                self._inflows[number].feed(data)
            case StreamEnd(number) if number in self._inflows:
                error = read_error(envelope["params"].get("error"))
                self._inflows.pop(number).end(error and _broken(error))
            case StreamCredit(number, size) if number in self._outflows:
                self._outflows[number].credit_bytes += size
                self._outflows[number].on_change()
            case StreamCancel(number) if number in self._outflows:
                self._outflows[number].is_wanted = False
                self._outflows[number].on_change()


class _RequestCarrier(Carrier):
    """Gives markers for what a request's params may hold beside bytes."""

    def __init__(self, stream: int) -> None:
        super().__init__([])
        self.files: list[FilePart] = []
        self.source: Pieces | None = None
        self._stream = stream

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Pieces):
            if self.source is not None:
                raise TypeError("one stream in a request, no more")
            self.source = value
            return {"$stream": self._stream}
        if isinstance(value, FilePart):
            self.files.append(value)
            return value.marker(len(self.files) - 1)
        return super().__call__(value)


Begin = Callable[[Conversation], tuple[list[Reply], Written]]
"""What puts requests into a conversation, as one message."""


def nothing_done(replies: Sequence[Reply]) -> NothingDone | None:
    """Why one message may be sent again, if nothing at all of it can have been acted on."""
    errors = [reply.error for reply in replies if reply.can_repeat]
    nothing = [error for error in errors if isinstance(error, NothingDone)]
    return nothing[0] if len(nothing) == len(replies) else None


def read_error(said: Any) -> RpcError | None:
    """The error that a message says; one of ours, if what it says is none."""
    match said:
        case None:
            return None
        case {"code": int(code), "message": str(words), **rest}:
            data = rest.get("data") or {}
            if isinstance(data, dict):
                return error_from(code, words, data)
    return ProtocolError(Code.BAD_ANSWER, "what came as an error is none of JSON-RPC's")


def _batch_entry(
    number: int, method: str, params: Mapping[str, Any], options: Mapping[str, Any]
) -> bytes:
    """One request of a batch; bytes stand in the line. Raises TypeError and ValueError."""

    def carry(value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$base64": base64.b64encode(value).decode()}
        raise TypeError(f"{type(value).__name__} cannot stand in a batch")

    envelope = {
        "jsonrpc": "2.0",
        "id": number,
        "method": method,
        "params": pack(dict(params), carry),
    }
    return encode_entry(envelope | dict(options))


_NOTHING_DONE = (Code.IDLE, Code.SHUTTING_DOWN)


def _broken(error: RpcError) -> RpcError:
    return StreamBroken(error.code, f"what came is not whole: {error.message}", error.data)


def _nothing() -> None:
    """Nobody waits."""
