"""The streams of a client's requests and answers, without I/O: what may be sent, what came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from botod.ipc.controls import CHUNK_BYTES, encode_stream_data
from botod.ipc.protocol import encode_notification
from botod.ipc.writing import Written

TYPE_CHECKING = False

CREDIT_BYTES = 512 * 1024
"""What may come of a stream that nobody reads: so much of it is held, and no more."""

Listener = Callable[[], object]


def nobody_waits() -> None:
    """What `on_change` is until somebody waits."""


class Inflow:
    """A stream that the daemon sends. on_change: called when `take` may give something else."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_over = False
        self.on_change: Listener = nobody_waits
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
    def whole(cls, data: bytes) -> Inflow:
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
        self.on_change: Listener = nobody_waits

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
