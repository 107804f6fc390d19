"""Bytes of any number beside one message: streams, which move only as far as the reader said.

A stream is known by a number that its sender gave it. The reader grants credit, in bytes; the
sender sends `stream.data` of at most 64 KiB each as long as it has some, and `stream.end`, with an
error if it had to break off. The reader may send `stream.cancel`. No I/O here: what is to be sent
goes through `tell`.
"""

import asyncio
from collections.abc import Callable
from enum import Enum

from botod.ipc.controls import CHUNK_BYTES, encode_stream_data, encode_stream_end
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.protocol import encode_notification

WINDOW_BYTES = 256 * 1024
"""Credit that the daemon grants for a stream: what it may have to hold of one. A local round trip
takes some 100 µs, so this lets a stream move 2 GB/s."""


class StreamState(Enum):
    """How far a stream has come. It only moves down this list."""

    OPEN = "open"
    ENDED = "ended"  # all of it was sent; some may still have to be read
    BROKEN = "broken"


class IncomingStream:
    """A stream that the peer sends.

    tell: sends a message to the peer. The first credit is granted by the first `read`: what nobody
    reads is never sent. hold: takes room for a window's bytes then; raises RpcError if there
    is none. let_go: called when that room is free again.
    """

    def __init__(
        self,
        number: int,
        *,
        tell: Callable[[list[bytes]], None],
        hold: Callable[[int], None],
        let_go: Callable[[int], None],
    ) -> None:
        self.number = number
        self.state = StreamState.OPEN
        self.received_bytes = 0
        self._tell = tell
        self._hold = hold
        self._let_go = let_go
        self._held_bytes = 0
        self._unread = bytearray()  # one, however small the pieces: a list would hold 30 times more
        self._credit = 0
        self._error: RpcError | None = None
        self._reader: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<IncomingStream {self.number} {self.state.value}, {self._credit} credit>"

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self.state is StreamState.ENDED

    async def read(self) -> bytes:
        """All bytes that are here, at least one; b"" at the end. Raises RpcError if it broke."""
        while not self._unread:
            if self._error is not None:
                raise self._error
            if self.state is StreamState.ENDED:
                return b""
            self._grant()
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = bytes(self._unread)
        self._unread.clear()
        return data

    def feed(self, data: bytes) -> None:
        """Take what came. Raises ProtocolError if the peer had no credit for it."""
        if self.state is StreamState.BROKEN:  # it was on its way when this broke
            return
        if len(data) > self._credit or self.state is StreamState.ENDED:
            raise ProtocolError(
                Code.INVALID_REQUEST,
                f"stream {self.number}: {len(data)} bytes came, {self._credit} bytes of credit "
                f"are left, and the stream is {self.state.value}",
            )
        if not data:  # to whom reads, nothing is the end
            return
        self._credit -= len(data)
        self.received_bytes += len(data)
        self._unread += data
        self._wake()

    def end(self) -> None:
        """No more comes."""
        if self.state is StreamState.OPEN:
            self.state = StreamState.ENDED
            self._wake()

    def break_off(self, error: RpcError) -> None:
        """Fail who reads, and forget what is unread."""
        if self.state is not StreamState.BROKEN:
            self.state = StreamState.BROKEN
            self._error = error
            self._unread.clear()
            self._wake()

    def close(self) -> None:
        """Nobody reads it any more: what still comes is dropped."""
        self.break_off(RpcError(Code.STREAM_BROKEN, "the request is over"))
        self._let_go(self._held_bytes)
        self._held_bytes = 0

    def _grant(self) -> None:
        """Have the peer send as much as may lie here, which is nothing now, once half has come."""
        if not self._held_bytes:
            self._hold(WINDOW_BYTES)
            self._held_bytes = WINDOW_BYTES
        missing = WINDOW_BYTES - self._credit
        if missing >= WINDOW_BYTES // 2:
            self._credit += missing
            params = {"stream": self.number, "bytes": missing}
            self._tell(encode_notification("stream.credit", params))

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)


class OutgoingStream:
    """A stream that we send.

    credit_bytes: what the peer granted for each stream beforehand. on_ready: called when there is a
    message of it to take. on_break: called once if it breaks, so that nobody fetches what will not
    be sent.
    """

    def __init__(
        self, number: int, *, credit_bytes: int, on_ready: Callable[["OutgoingStream"], None]
    ) -> None:
        self.number = number
        self.state = StreamState.OPEN
        self.sent_bytes = 0
        self.credit_bytes = credit_bytes
        self.on_break: Callable[[], object] | None = None
        self._on_ready = on_ready
        self._data = memoryview(b"")
        self._error: RpcError | None = None
        self._owes_end = False
        self._can_get_credit = True
        self._writer: asyncio.Future[None] | None = None
        self._on_over: Callable[[OutgoingStream], None] | None = None

    def __repr__(self) -> str:
        return f"<OutgoingStream {self.number} {self.state.value}, {self.credit_bytes} credit>"

    @property
    def has_message(self) -> bool:
        """Whether `next_message` would give one."""
        return (bool(self._data) and self.credit_bytes > 0) or (self._owes_end and not self._data)

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it will be sent."""
        return self.state is not StreamState.OPEN and not self._data and not self._owes_end

    @property
    def is_waiting(self) -> bool:
        """Whether it has, or would have, something to send and the peer does not let it."""
        return (bool(self._data) or self._writer is not None) and not self.credit_bytes

    async def send(self, data: bytes) -> None:
        """Send all of `data`; returns when the last of it was taken to be written.

        Raises RpcError if the peer does not want it any more. One sends at a time.
        """
        assert self.state is not StreamState.ENDED, "a stream that was ended is sent on"
        assert not self._data, "two send on one stream"
        self._raise_broken()
        if not data:
            return
        self._data = memoryview(data)
        writer = self._writer = asyncio.get_running_loop().create_future()
        self._offer()  # which may take all of it, and forget the writer
        await writer
        self._raise_broken()

    async def room(self) -> None:
        """Return once the peer lets more come: for who would have to fetch it first.

        Raises RpcError if the peer does not want it any more.
        """
        assert not self._data, "room is asked for while something is sent"
        self._raise_broken()
        if self.credit_bytes:
            return
        writer = self._writer = asyncio.get_running_loop().create_future()
        self._offer()
        await writer
        self._raise_broken()

    def end(self) -> None:
        """Say that this was all."""
        if self.state is StreamState.OPEN:
            self.state = StreamState.ENDED
            self._owes_end = True
            self._offer()

    def abort(self, error: RpcError) -> None:
        """Send nothing more, and tell the peer why."""
        if self.state is StreamState.OPEN or self._data:
            self._owes_end = True
            self._break(error)
            self._offer()

    def break_off(self, error: RpcError) -> None:
        """Send nothing more, not even an end: the peer is gone."""
        self._owes_end = False
        if self.state is StreamState.OPEN or self._data:
            self._break(error)
        self._tell_over()

    def credit(self, size: int) -> None:
        """The peer lets so many more bytes come."""
        self.credit_bytes += size
        if not self._data:
            self._wake()
        self._offer()

    def no_more_credit(self) -> None:
        """The peer can grant nothing more: what it has granted has to do."""
        self._can_get_credit = False
        self._offer()

    def when_over(self, tell: Callable[["OutgoingStream"], None]) -> None:
        """Have `tell` called once nothing more of it will be sent."""
        self._on_over = tell
        if self.is_over:
            self._tell_over()

    def next_message(self) -> list[bytes]:
        """The next message to write; `has_message` says that there is one."""
        if not self._data:
            self._owes_end = False
            message = encode_stream_end(self.number, self._error)
            self._tell_over()
            return message
        size = min(len(self._data), self.credit_bytes, CHUNK_BYTES)
        piece, self._data = bytes(self._data[:size]), self._data[size:]
        self.credit_bytes -= size
        self.sent_bytes += size
        if not self._data:
            self._wake()
        else:
            self._give_up_if_stuck()  # not offered: who takes this piece asks for the next
        return encode_stream_data(self.number, piece)

    def _offer(self) -> None:
        self._give_up_if_stuck()
        if self.has_message:
            self._on_ready(self)

    def _give_up_if_stuck(self) -> None:
        if self.is_waiting and not self._can_get_credit:
            ended = "the input ended before it granted enough credit"
            self._owes_end = True
            self._break(RpcError(Code.STREAM_BROKEN, ended))

    def _break(self, error: RpcError) -> None:
        self.state = StreamState.BROKEN
        self._error = error
        self._data = memoryview(b"")
        self._wake()
        if self.on_break is not None:
            self.on_break()

    def _raise_broken(self) -> None:
        if self.state is StreamState.BROKEN:
            assert self._error is not None, "a broken stream says why"
            raise self._error

    def _tell_over(self) -> None:
        tell, self._on_over = self._on_over, None
        if tell is not None:
            tell(self)

    def _wake(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.set_result(None)
