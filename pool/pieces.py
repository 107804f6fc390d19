"""Bytes on their way through memory, in the pieces in which they came.

To put them together copies each; of a GiB that is a fifth of the processor time that it takes from
the socket to a file. So only small ones are, as each by itself costs more than to copy it.
"""

from collections.abc import Iterable

SMALL_BYTES = 16 * 1024
"""Pieces smaller than this are put together. curl hands over 16 KiB: a record of TLS."""

Piece = bytes | bytearray | memoryview


def size_of(pieces: Iterable[Piece]) -> int:
    """Their bytes."""
    return sum(map(len, pieces))


class Pieces:
    """Bytes that are taken in the order in which they were added."""

    # Thousands may be there at once, most of them empty or with one piece: no deque, no dictionary.
    __slots__ = ("_pieces", "size_bytes")

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self._pieces = list(pieces)
        self.size_bytes = size_of(self._pieces) if pieces else 0

    def add(self, data: bytes) -> None:
        if not data:
            return
        self.size_bytes += len(data)
        last = self._pieces[-1] if self._pieces else None
        if last is None or len(last) >= SMALL_BYTES or len(data) >= SMALL_BYTES:
            self._pieces.append(data)
        elif isinstance(last, bytearray):
            last += data
        else:
            self._pieces[-1] = bytearray(last) + data

    def take(self, size: int | None = None) -> list[Piece]:
        """Up to `size` bytes of those that are here; None: all of them."""
        if size is None or size >= self.size_bytes:
            taken, self._pieces = self._pieces, []
            self.size_bytes = 0
            return taken
        taken, missing = [], size
        while missing:
            piece = self._first(missing)
            taken.append(piece)
            missing -= len(piece)
        return taken

    def take_one(self, size: int) -> Piece:
        """The first piece, or its first `size` bytes; none if nothing is here."""
        return self._first(size) if self._pieces else b""

    def first(self, number: int) -> list[Piece]:
        """The first so many pieces, which stay."""
        return self._pieces[:number]

    def clear(self) -> None:
        self._pieces = []
        self.size_bytes = 0

    def _first(self, size: int) -> Piece:
        piece = self._pieces[0]
        if len(piece) <= size:
            del self._pieces[0]
        else:
            view = memoryview(piece)  # what is left of a large one is not copied for each part
            piece, self._pieces[0] = view[:size], view[size:]
        self.size_bytes -= len(piece)
        return piece
