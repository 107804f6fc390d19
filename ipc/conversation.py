"""The client's side of one connection, without I/O: which answer is whose, and what streams may do.

A shell (blocking, or asyncio) writes what `begin` and the streams give, hands in what it reads, and
says when the connection ended. A request of which nothing can have been acted on ends with
`NothingDone`, and may be sent again on another connection; these are

- one that was not written to its last byte: the daemon acts on whole messages only;
- one that was the last thing written when the kernel says that unread bytes were thrown away
  (ECONNRESET): its last byte was among them;
- one that came after the daemon had closed an idle connection, or to one that is stopping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from botod.ipc.controls import (
    Control,
    StreamCancel,
    StreamCredit,
    StreamData,
    StreamEnd,
    read_control,
)
from botod.ipc.envelope import declared_streams
from botod.ipc.errors import (
    Code,
    DaemonLost,
    DaemonUnavailable,
    OtherProtocol,
    ProtocolError,
    RpcError,
    StreamBroken,
    read_error,
)
from botod.ipc.flows import CREDIT_BYTES, Inflow, Outflow
from botod.ipc.framing import MAX_BATCH, MAX_LINE_BYTES, Decoder, Message, MessageLimits, Refused
from botod.ipc.json_text import dumps
from botod.ipc.markers import Declared, unpack
from botod.ipc.protocol import VERSION, encode, encode_array, encode_notification
from botod.ipc.reply import NothingDone, Reply
from botod.ipc.requests import BODY_TIMEOUT_S, timed
from botod.ipc.writing import Written, batch_entry, marked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

HELLO_ID = 0

GREETING = b"".join(
    encode({
        "jsonrpc": "2.0",
        "id": HELLO_ID,
        "method": "botod.hello",
        "params": {"stream_credit_bytes": CREDIT_BYTES},
    })
)
"""What has to be said, once, before a request whose answer may be a stream."""

_ANSWER_LIMITS = MessageLimits(line_bytes=64 * 1024 * 1024, inline_bytes=1024 * 1024 * 1024)
"""The daemon is trusted more than its peers are: lists of results are long lines."""


class Conversation:
    """What goes on on one connection. path: the daemon's, for messages.

    is_open: whether the daemon has not said that it is about to hang up, or stops.
    """

    def __init__(self, path: str) -> None:
        self.is_open = True
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
    def is_busy(self) -> bool:
        """Whether an answer, or a part of one, is still to come."""
        return bool(self._replies or self._inflows)

    def begin(
        self,
        method: str,
        params: dict[str, Any],
        options: Mapping[str, Any],
        *,
        reads_streams: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Written:
        """A request. params may hold bytes, FileParts and Pieces.

        reads_streams: whether its answer may be a stream. The first such request is preceded by a
        greeting, in the same write, and nobody waits for its answer. Raises TypeError and
        ValueError for what cannot stand in a message: nothing is kept then.
        """
        text, carrier = marked(params, self._last_stream + 1)
        options, timeout_s = timed(options, has_body=bool(carrier.files or carrier.source))
        number = self._last_id + 1
        envelope = {"jsonrpc": "2.0", "id": number, "method": method, **options}
        if on_progress is not None:
            envelope["progress"] = True
        if carrier.blobs:
            envelope["bytes"] = [len(blob) for blob in carrier.blobs]
        if carrier.source is not None:
            envelope["streams"] = [self._last_stream + 1]
        fds = ()
        if carrier.files:
            fds = tuple(part.file.fileno() for part in carrier.files)
            envelope["fds"] = len(fds)
        line = f'{dumps(envelope)[:-1]},"params":{text}}}\n'.encode()
        if reads_streams and not self._has_greeted:
            self._has_greeted = True
            line = GREETING + line
        reply = self._kept(Reply(number, source=carrier.source, on_progress=on_progress))
        return Written([line, *carrier.blobs], fds, replies=(reply,), timeout_s=timeout_s)

    def begin_batch(
        self, calls: Sequence[tuple[str, Mapping[str, Any]]], options: Mapping[str, Any]
    ) -> Written:
        """As many of these requests as one line holds, at least one; each has its own reply."""
        entries: list[bytes] = []
        room = MAX_LINE_BYTES
        for method, params in calls[:MAX_BATCH]:
            entry = batch_entry(self._last_id + len(entries) + 1, method, params, options)
            room -= len(entry) + 1
            if entries and room < 1:
                break
            entries.append(entry)
        replies = [self._kept(Reply(self._last_id + 1)) for _entry in entries]
        timeout_s = float(options.get("timeout_s", BODY_TIMEOUT_S))
        return Written(encode_array(entries), replies=replies, timeout_s=timeout_s)

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
                    if not isinstance(entry, dict):
                        raise ProtocolError(Code.BAD_ANSWER, "what came is no answer of JSON-RPC's")
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
        self.is_open = False
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

    def _kept(self, reply: Reply) -> Reply:
        self._last_id = reply.number
        self._replies[reply.number] = reply
        if reply.source is not None:
            self._last_stream += 1
            reply.outflow = self._outflows[self._last_stream] = Outflow(self._last_stream)
        return reply

    def _take(self, message: Message) -> None:
        envelope = message.envelope
        number = envelope.get("id")
        reply = self._replies.get(number) if type(number) is int else None
        if "method" in envelope:
            self._take_notice(message)
        elif reply is None:
            self._take_other(envelope)
        elif (said := envelope.get("error")) is not None:
            self._take_error(reply, said)
        else:
            self._take_result(reply, message)

    def _take_notice(self, message: Message) -> None:
        envelope = message.envelope
        control = read_control(message)
        if control is not None:
            self._obey(control, envelope)
        elif envelope["method"] == "$/progress":
            self._take_progress(envelope.get("params"))

    def _take_other(self, envelope: dict[str, Any]) -> None:
        """What answers no request that waits: of the connection itself, or of no interest."""
        number = envelope.get("id")
        error = read_error(envelope.get("error"))
        if number is None and error is not None:
            self._say_farewell(error)
        elif number == HELLO_ID:
            self._take_greeting(envelope.get("result"), error)

    def _take_error(self, reply: Reply, said: Any) -> None:
        error = read_error(said)
        assert error is not None, "called for what is an error"
        if error.code in _NOTHING_DONE:
            self.is_open = False
        self._settle(reply, error=self._last_word(error))

    def _take_result(self, reply: Reply, message: Message) -> None:
        envelope, streams = message.envelope, {}
        result = envelope.get("result")
        try:
            if "streams" in envelope:
                streams = {number: Inflow(number) for number in declared_streams(envelope)}
                self._inflows.update(streams)
                reply.has_streams = True
            if not message.is_plain:
                result = unpack(result, Declared(message.blobs, streams=streams))
        except RpcError as wrong:
            self._settle(reply, error=wrong)
        else:
            self._settle(reply, result)

    def _take_greeting(self, result: Any, error: RpcError | None) -> None:
        """The daemon says what it speaks. Raises OtherProtocol.

        One that refuses to, because it is full or the user may do nothing, is greeted again.
        """
        self._has_greeted = error is None
        if error is not None and error.code == Code.METHOD_NOT_FOUND:
            self._raise_other("another protocol, and does not know botod.hello")
        version = result.get("protocol") if isinstance(result, dict) else None
        if error is None and version != VERSION:
            self._raise_other(f"version {version} of the protocol")

    def _raise_other(self, what: str) -> NoReturn:
        raise OtherProtocol(
            Code.BAD_ANSWER,
            f"{self._path}: the daemon speaks {what}, this client version {VERSION}: update the "
            "older of the two; whether the request was done is not known",
            {"outcome_unknown": True},
        )

    def _say_farewell(self, error: RpcError) -> None:
        """It concerns what cannot be told by an id; what else is in flight is still answered."""
        self.is_open = False
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


Begin = Callable[[Conversation], Written]
"""What puts requests into a conversation, as one message."""

_NOTHING_DONE = (Code.IDLE, Code.SHUTTING_DOWN)


def _broken(error: RpcError) -> RpcError:
    return StreamBroken(error.code, f"what came is not whole: {error.message}", error.data)
