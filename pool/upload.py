"""A request's body on its way into curl, in bounded memory.

`Upload.full` asks the producer to wait when `HIGH_BYTES` lie unsent.
"""

from botod.pool.pieces import Pieces

HIGH_BYTES = 1024 * 1024
"""curl pauses, and a producer waits, at this much: some round trips' worth of a fast line."""

LOW_BYTES = HIGH_BYTES // 2
"""A paused side goes on below this: half, so that it is not woken for every chunk."""

WHOLE_BYTES = 16 * 1024
"""A body that is at hand and no larger goes to curl with the request: 5 us less than by callbacks.
Of a handle that is idle curl keeps it until its next request."""


class Upload:
    """A request's body on its way into curl.

    length_bytes: what Content-Length says; feeding more or less is the caller's mistake. None: not
    known, so that curl sends it in chunks until `finish`.
    whole: all of it, if it is so small that curl gets it with the request and asks for nothing;
    until the end of the transfer.
    """

    __slots__ = (
        "_unsent", "fed_bytes", "finished", "given_up", "length_bytes", "paused", "whole",
    )  # fmt: skip

    def __init__(self, length_bytes: int | None, whole: bytes | None = None) -> None:
        assert whole is None or len(whole) == length_bytes, "a body that is not whole"
        self.length_bytes = length_bytes
        self.whole = whole
        self.fed_bytes = 0 if whole is None else len(whole)
        self.paused = False
        self.finished = False
        self.given_up = False
        self._unsent = Pieces()

    @property
    def complete(self) -> bool:
        """Whether all of it was fed."""
        return self.finished or self.fed_bytes == self.length_bytes

    @property
    def unsent_bytes(self) -> int:
        """Fed, and not yet with curl."""
        return self._unsent.size_bytes

    @property
    def full(self) -> bool:
        return self.unsent_bytes >= HIGH_BYTES

    def feed(self, data: bytes) -> None:
        assert not self.finished, "a body that was finished grows"
        if self.length_bytes is not None and self.fed_bytes + len(data) > self.length_bytes:
            raise ValueError(
                f"the body is longer than its Content-Length of {self.length_bytes} bytes"
            )
        self.fed_bytes += len(data)
        if not self.given_up:
            self._unsent.add(data)

    def give_up(self) -> None:
        """Hold nothing any more, and nothing of what is still fed: nobody will send it."""
        self.given_up = True
        self.whole = None
        if self._unsent.size_bytes:
            self._unsent.clear()

    def pull(self, size: int) -> bytes | None:
        """Up to `size` bytes for curl; None: nothing yet, so pause."""
        piece = bytes(self._unsent.take_one(size))
        if not piece:
            self.paused = not self.complete
        return piece or (None if self.paused else b"")
