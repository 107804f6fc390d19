"""A body that is read as boto3's: what came already, and what still comes."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

CHUNK_BYTES = 1024
"""Of iteration, as boto3 has it."""


class StreamingBody(io.RawIOBase):
    """A body to be read once, from its beginning to its end.

    data: what is here. pull: gives the next bytes, b"" at the end, and raises if what came is not
    whole. hang_up: called when nobody reads on, at the latest when this is thrown away.
    """

    def __init__(
        self,
        data: bytes = b"",
        *,
        pull: Callable[[], bytes] = bytes,
        hang_up: Callable[[], object] = bool,
    ) -> None:
        self._rest = memoryview(data)
        self._pull = pull
        self._hang_up = hang_up
        self._at = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def read(self, amt: int | None = None) -> bytes:
        """At most `amt` bytes, fewer only at the end; all that is left without it."""
        self._check_open()
        if amt is None or amt < 0:
            return self._cut_all()
        if amt <= len(self._rest):
            return self._cut(amt)
        pieces = []
        while amt and self._fill():
            pieces.append(self._cut(amt))
            amt -= len(pieces[-1])
        return b"".join(pieces)

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        self._check_open()
        with memoryview(buffer) as view:
            if not self._fill():
                return 0
            piece = self._cut(view.nbytes)
            view.cast("B")[: len(piece)] = piece
            return len(piece)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next KiB: boto3's bodies give chunks, not lines, when they are iterated."""
        chunk = self.read(CHUNK_BYTES)
        if not chunk:
            raise StopIteration
        return chunk

    def iter_chunks(self, chunk_size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The rest, in pieces of `chunk_size` bytes; the last may have fewer."""
        while chunk := self.read(chunk_size):
            yield chunk

    def iter_lines(
        self, chunk_size: int = CHUNK_BYTES, *, keepends: bool = False
    ) -> Iterator[bytes]:
        """The rest, line by line; the last may lack its end."""
        pending = b""
        for chunk in self.iter_chunks(chunk_size):
            *lines, pending = (pending + chunk).splitlines(keepends=True)
            if pending.endswith(b"\n"):
                lines, pending = [*lines, pending], b""
            yield from (line if keepends else line.splitlines()[0] for line in lines)
        if pending:
            yield pending if keepends else pending.splitlines()[0]

    def close(self) -> None:
        """Read no more; closing again is nothing."""
        if not self.closed:
            self._hang_up()
        super().close()

    def _fill(self) -> bool:
        """Have at least one byte to cut, unless it is the end."""
        if not self._rest:
            self._rest = memoryview(self._pull())
        return bool(self._rest)

    def _cut(self, size: int) -> bytes:
        cut, self._rest = bytes(self._rest[:size]), self._rest[size:]
        self._at += len(cut)
        return cut

    def _cut_all(self) -> bytes:
        pieces = []
        while self._fill():
            pieces.append(self._cut(len(self._rest)))
        return b"".join(pieces)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the body is closed")
