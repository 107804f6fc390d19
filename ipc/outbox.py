"""What waits to be written to one peer: answers first, as they came; streams take turns.

A message that was begun is written to its end before the next one, so a small answer waits for at
most one piece of a stream, however much of it is still to come.
"""

from collections import deque
from collections.abc import Callable, Iterable

from botod.ipc.streams import OutgoingStream

WRITE_BYTES = 256 * 1024
"""Given to the kernel at a time, unless one piece is longer: about what a Unix socket holds."""

WRITE_PIECES = 64
"""Buffers of one write; the kernel takes up to 1,024."""


class Outbox:
    """The pieces of messages that wait, and the streams that have more.

    waiting_bytes: of those pieces. unread_bytes: of those that the kernel did not take, as the peer
    does not read; most answers it takes at once. account: told by how many that grew or shrank.
    """

    def __init__(self, account: Callable[[int], None]) -> None:
        self.waiting_bytes = 0
        self.unread_bytes = 0
        self._account = account
        self._is_closed = False
        self._pieces: deque[memoryview | bytes] = deque()
        self._streams: deque[OutgoingStream] = deque()

    def __bool__(self) -> bool:
        return bool(self._pieces) or bool(self._streams)

    def put(self, pieces: Iterable[bytes]) -> None:
        """Add a message behind those that wait; to a peer that is gone, nothing."""
        if self._is_closed:
            return
        for piece in pieces:
            if piece:
                self._pieces.append(piece)
                self.waiting_bytes += len(piece)
        if self.unread_bytes:  # the peer is behind, so this is read later still
            self._count_unread()

    def ready(self, stream: OutgoingStream) -> None:
        """A stream has something to send: it gets its turn."""
        if stream not in self._streams and not self._is_closed:
            self._streams.append(stream)

    def next_buffers(self) -> list[memoryview | bytes]:
        """What to write next; empty: nothing."""
        if not self._pieces and self._streams:
            self._take_from_a_stream()
        if self.waiting_bytes <= WRITE_BYTES and len(self._pieces) <= WRITE_PIECES:
            return list(self._pieces)
        return self._first_buffers()

    def _first_buffers(self) -> list[memoryview | bytes]:
        buffers: list[memoryview | bytes] = []
        size = 0
        for piece in self._pieces:
            buffers.append(piece)
            size += len(piece)
            if size >= WRITE_BYTES or len(buffers) == WRITE_PIECES:
                break
        return buffers

    def written(self, size: int) -> None:
        """So many bytes went out, maybe none; what is left is unread from now on."""
        if size == self.waiting_bytes:
            self._pieces.clear()
        else:
            self._drop(size)
        self.waiting_bytes -= size
        if self.waiting_bytes != self.unread_bytes:
            self._count_unread()

    def close(self) -> None:
        """Forget it all, and what comes yet: nobody will read it."""
        self._is_closed = True
        self._pieces.clear()
        self._streams.clear()
        self.waiting_bytes = 0
        self._count_unread()

    def _drop(self, size: int) -> None:
        while size:
            piece = self._pieces[0]
            if len(piece) > size:
                self._pieces[0] = memoryview(piece)[size:]
                return
            size -= len(piece)
            self._pieces.popleft()

    def _count_unread(self) -> None:
        self._account(self.waiting_bytes - self.unread_bytes)
        self.unread_bytes = self.waiting_bytes

    def _take_from_a_stream(self) -> None:
        while self._streams:
            stream = self._streams.popleft()
            if stream.has_message:
                self.put(stream.next_message())
                if stream.has_message:
                    self._streams.append(stream)
                return
