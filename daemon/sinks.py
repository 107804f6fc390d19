"""Where an answer's body is written: a file or a pipe that the peer passed."""

from collections.abc import Callable, Sequence
from typing import Protocol

from botod.daemon.files import FILE_BLOCK_BYTES, OpenFile
from botod.daemon.pipes import PeerPipe
from botod.daemon.services.answers import ANSWER_BLOCK_BYTES
from botod.pool.pieces import Piece, size_of


class DoesNotFit(Exception):
    """The body is longer than the length that the peer gave."""


class Sink(Protocol):
    """Takes a body in blocks.

    block_bytes: how much to give at once. adds: what is written comes behind what was there, so
    that writing again would write it twice.
    """

    block_bytes: int
    adds: bool

    def write(self, pieces: Sequence[Piece]) -> None:
        """Write all of them; parks. Raises DescriptorFailed."""


class FileSink:
    """A regular file, from its offset on; one opened with O_APPEND, at its end."""

    block_bytes = FILE_BLOCK_BYTES

    def __init__(self, file: OpenFile) -> None:
        self.adds = file.appends
        self._file = file
        self._at = file.begin

    def write(self, pieces: Sequence[Piece]) -> None:
        self._file.write_at(self._at, pieces)
        self._at += size_of(pieces)


class FilePlace:
    """A regular file in which pieces are written in any order, from its offset on.

    length: what the body may have at most; None: anything. count: is told of bytes written.
    """

    block_bytes = FILE_BLOCK_BYTES

    def __init__(self, file: OpenFile, length: int | None, count: Callable[[int], None]) -> None:
        self._file = file
        self._length = length
        self._count = count

    def fit(self, size: int) -> None:
        check_fits(size, self._length)

    def write_at(self, at: int, pieces: Sequence[Piece]) -> None:
        self._file.write_at(self._file.begin + at, pieces)
        self._count(size_of(pieces))


class PipeSink:
    """A pipe."""

    block_bytes = ANSWER_BLOCK_BYTES
    adds = True

    def __init__(self, pipe: PeerPipe) -> None:
        self._pipe = pipe

    def write(self, pieces: Sequence[Piece]) -> None:
        self._pipe.write(b"".join(pieces))


def check_fits(size: int | None, length: int | None) -> None:
    """Raise DoesNotFit if `size` bytes are more than what the peer allows; None: not known."""
    if length is not None and size is not None and size > length:
        raise DoesNotFit(f"the object has {size} bytes or more; length beside $fd allows {length}")
