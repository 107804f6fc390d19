"""The streams of one connection, both ways: which there are, and what messages about them do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from botod.ipc.controls import (
    CHUNK_BYTES,
    Control,
    StreamCancel,
    StreamCredit,
    StreamData,
    StreamEnd,
)
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.limits import Budget, Refusals
from botod.ipc.streams import IncomingStream, OutgoingStream


class StreamTable:
    """The streams of one connection.

    most: how many there may be at once. tell: sends a message. on_ready: called when a stream has a
    message to take. outgoing: the streams of ours, by number. initial_credit: what the peer granted
    for each of them beforehand; None: it reads no streams.
    """

    def __init__(
        self,
        *,
        most: int,
        budget: Budget,
        refusals: Refusals,
        tell: Callable[[list[bytes]], None],
        on_ready: Callable[[OutgoingStream], None],
    ) -> None:
        self.initial_credit: int | None = None
        self.outgoing: dict[int, OutgoingStream] = {}
        self._most = most
        self._budget = budget
        self._refusals = refusals
        self._tell = tell
        self._on_ready = on_ready
        self._incoming: dict[int, IncomingStream] = {}
        self._last_incoming = -1
        self._last_outgoing = 0
        self._stalled_at: dict[OutgoingStream, int] = {}
        self._gone: RpcError | None = None

    def __len__(self) -> int:
        return len(self._incoming) + len(self.outgoing)

    def open_incoming(self, numbers: Sequence[int]) -> Sequence[IncomingStream]:
        """The streams that a request declares. Raises RpcError."""
        if numbers and min(numbers) <= self._last_incoming:
            raise RpcError(
                Code.INVALID_REQUEST,
                f"a stream's number is larger than those before, {self._last_incoming}",
            )
        self._check_number(len(numbers))
        self._last_incoming = max(numbers, default=self._last_incoming)
        hold, let_go = self._hold, self._budget.release
        streams = [
            IncomingStream(number, tell=self._tell, hold=hold, let_go=let_go) for number in numbers
        ]
        self._incoming.update((stream.number, stream) for stream in streams)
        return streams

    def open_outgoing(self) -> OutgoingStream:
        """A stream of ours. Raises RpcError."""
        assert self.initial_credit is not None, "the peer reads no streams"
        self._check_number(1)
        self._last_outgoing += 1
        stream = OutgoingStream(
            self._last_outgoing, credit_bytes=self.initial_credit, on_ready=self._on_ready
        )
        self.outgoing[stream.number] = stream
        if self._gone is not None:
            stream.break_off(self._gone)
        return stream

    def close_incoming(self, streams: Sequence[IncomingStream]) -> None:
        """Their request is over."""
        for stream in streams:
            stream.close()
            del self._incoming[stream.number]

    def forget_ended(self) -> None:
        """Let go of the streams of ours that have ended."""
        for number in [number for number, stream in self.outgoing.items() if stream.is_over]:
            del self.outgoing[number]

    def obey(self, control: Control) -> None:
        """Do what a message about a stream says. Raises ProtocolError."""
        _DEEDS[type(control)](self, control)

    def abort_stalled(self, error: RpcError) -> None:
        """Send no more of the streams that wait for credit as they did when this was called last.

        Each holds an answer of the service, and a slot, until its last byte is sent. Less than a
        piece in all that time is as good as nothing: a byte now and then would hold it for ever.
        """
        for stream in list(self.outgoing.values()):
            before = self._stalled_at.get(stream)
            is_slow = before is not None and stream.sent_bytes - before < CHUNK_BYTES
            if stream.is_waiting and is_slow:
                stream.abort(error)
        self._stalled_at = {
            stream: stream.sent_bytes for stream in self.outgoing.values() if stream.is_waiting
        }

    def no_more_comes(self) -> None:
        """The peer sends nothing more: neither the rest of its streams, nor credit for ours."""
        broken = RpcError(Code.STREAM_BROKEN, "the input ended before the stream did")
        for incoming in self._incoming.values():
            if not incoming.is_whole:
                incoming.break_off(broken)
        for outgoing in list(self.outgoing.values()):
            outgoing.no_more_credit()

    def stop_sending(self, gone: RpcError) -> None:
        """The peer reads no more."""
        self._gone = gone
        for outgoing in list(self.outgoing.values()):
            outgoing.break_off(gone)

    def hang_up(self, gone: RpcError) -> None:
        """The peer is gone."""
        self.stop_sending(gone)
        for incoming in self._incoming.values():
            if not incoming.is_whole:  # who goes on without the peer may have it to read yet
                incoming.break_off(gone)

    def _hold(self, size: int) -> None:
        if not self._budget.reserve(size):
            raise self._refusals.error(self._budget.limit_of(size), "no room for another stream")

    def _check_number(self, more: int) -> None:
        if len(self) + more > self._most:
            raise self._refusals.error(
                "streams_per_peer", f"{self._most} streams of this connection are open"
            )

    def _data(self, control: StreamData) -> None:
        if control.stream > self._last_incoming:
            _raise_no_stream(control.stream)
        stream = self._incoming.get(control.stream)
        if stream is not None:
            stream.feed(control.data)

    def _end(self, control: StreamEnd) -> None:
        stream = self._incoming.get(control.stream)  # none, if its request was refused
        if stream is not None and control.error is not None:
            stream.break_off(control.error)
        elif stream is not None:
            stream.end()

    def _credit(self, control: StreamCredit) -> None:
        stream = self._known_outgoing(control.stream)
        if stream is not None:
            stream.credit(control.size)

    def _cancel(self, control: StreamCancel) -> None:
        stream = self._known_outgoing(control.stream)
        if stream is not None:
            stream.abort(RpcError(Code.CANCELLED, "the peer cancelled the stream"))

    def _known_outgoing(self, number: int) -> OutgoingStream | None:
        """The stream; None if it is over. Raises ProtocolError if it never was."""
        if not 0 < number <= self._last_outgoing:
            _raise_no_stream(number)
        return self.outgoing.get(number)


_DEEDS: Mapping[type, Callable[[StreamTable, Any], None]] = {
    StreamCancel: StreamTable._cancel,  # noqa: SLF001 - the table's own
    StreamCredit: StreamTable._credit,  # noqa: SLF001
    StreamData: StreamTable._data,  # noqa: SLF001
    StreamEnd: StreamTable._end,  # noqa: SLF001
}


def _raise_no_stream(number: int) -> NoReturn:
    raise ProtocolError(Code.INVALID_REQUEST, f"there never was a stream {number}")
