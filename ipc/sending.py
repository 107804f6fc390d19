"""How a request's `Body` travels: beside the line, as a descriptor, or as a stream.

Both clients decide by it. Only an open file that is known to give exactly what is on disk goes by
descriptor: `gzip.open(…)` has a `fileno()` too, of bytes that are not what it reads.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import AsyncIterable, Callable, Iterable, Iterator

from botod.ipc.framing import MAX_INLINE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SMALL_BYTES = 64 * 1024
"""What is known to be no larger is read at once: beside the line it takes a single message."""


class FilePart:
    """An open file, sent as a descriptor.

    offset, length: bytes; None: from where it stands, to its end.
    """

    __slots__ = ("file", "length", "offset")

    def __init__(self, file: Any, offset: int | None, length: int | None = None) -> None:
        self.file = file
        self.offset = offset
        self.length = length

    def marker(self, index: int) -> dict[str, int]:
        """What stands for it in params; it is the descriptor number `index` of its message."""
        marker = {"$fd": index, "offset": self.offset, "length": self.length}
        return {key: value for key, value in marker.items() if value is not None}


class Pieces:
    """What is sent as a stream.

    source: has read(size), or gives bytes when iterated. length: in bytes; None: it is not known.
    """

    __slots__ = ("length", "source")

    def __init__(self, source: Any, length: int | None) -> None:
        self.source = source
        self.length = length


def to_send(body: Any, declared: int | None) -> Any:
    """What to send for a `Body`: as it is (text, bytes), a FilePart or Pieces.

    declared: ContentLength, if it was given. Raises TypeError for text files.
    """
    if isinstance(body, (bytes, bytearray, memoryview)):
        size = memoryview(body).nbytes
        is_inline = size <= MAX_INLINE_BYTES
        return body if is_inline else Pieces(io.BytesIO(body), size)
    if isinstance(body, io.TextIOBase):
        raise TypeError("a Body is bytes: open the file with mode 'rb'")
    if plain_file(body) is not None and body.readable():
        if body.writable():
            body.flush()
        return FilePart(body, body.tell(), declared)
    if hasattr(body, "read"):
        return _from_reader(body, declared)
    if isinstance(body, (str, list, tuple, dict)) or not isinstance(
        body, (Iterable, AsyncIterable)
    ):
        return body
    return Pieces(body, declared)


def to_fill(file: Any) -> FilePart | None:
    """An open file that the daemon can write to where it stands; None: it cannot."""
    if plain_file(file) is None or not file.writable():
        return None
    file.flush()
    return FilePart(file, None if is_append(file) else file.tell())


def plain_file(file: Any) -> io.FileIO | None:
    """The regular file behind a file object that adds nothing to it."""
    raw = file.raw if type(file) in _BUFFERS else file
    if type(raw) is not io.FileIO or raw.closed:
        return None
    return raw if stat.S_ISREG(os.fstat(raw.fileno()).st_mode) else None


def is_append(file: Any) -> bool:
    """Whether what is written to an open file goes to its end, wherever it stands."""
    import fcntl  # noqa: PLC0415 - rarely needed

    return bool(fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND)


_BUFFERS = (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)


def _from_reader(body: Any, declared: int | None) -> Any:
    length = _length_of(body)
    if length is not None and length <= SMALL_BYTES and declared in (None, length):
        return body.read()
    return Pieces(body, length if declared is None else declared)


def _length_of(body: Any) -> int | None:
    """How much is left to be read; None: it cannot be told."""
    try:
        if not body.seekable():
            return None
        at = body.tell()
        length: int = body.seek(0, os.SEEK_END) - at
        body.seek(at)
    except (AttributeError, OSError, ValueError):
        return None
    return length


def piece_reader(pieces: Pieces) -> Callable[[int], bytes]:
    """What gives the next bytes of a body, at most so many; b"" at its end."""
    if hasattr(pieces.source, "read"):
        return lambda size: checked(pieces.source.read(size))
    return _Cutter(iter(pieces.source)).read


class _Cutter:
    """Pieces of any size as pieces of the sizes that are asked for."""

    def __init__(self, source: Iterator[Any]) -> None:
        self._source = source
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        while not self._rest:
            piece = next(self._source, None)
            if piece is None:
                return b""
            self._rest = memoryview(checked(piece))
        cut, self._rest = self._rest[:size], self._rest[size:]
        return bytes(cut)


def checked(piece: Any) -> bytes:
    """What a source of a body gave. Raises TypeError if it is not bytes."""
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise TypeError(f"a Body gives bytes, not {type(piece).__name__}")
    return bytes(piece)
