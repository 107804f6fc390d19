"""Takes off the chunked framing that a caller has written around a body.

http.client leaves the framing of a chunked upload to its caller, and boto writes it. curl writes
its own; with both, the server would get a body with chunk sizes in it.
"""

from collections.abc import Iterator
from enum import Enum

MAX_LINE_BYTES = 1024
"""A chunk's size with its extensions, or a trailer: what boto writes has under twenty."""


class _State(Enum):
    SIZE = "the size of a chunk"
    DATA = "a chunk"
    DATA_END = "the end of a chunk"
    TRAILER = "a trailer, or the end"
    ENDED = "nothing more"


class Unframer:
    """Framed bytes in, body out. `ended` says that the last chunk and what follows it came."""

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._line = b""
        self._left = 0

    @property
    def ended(self) -> bool:
        return self._state is _State.ENDED

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of the body, as they lie in `data`. Raises ValueError where it is not framing."""
        view = memoryview(data)
        while view:
            if self._state is _State.ENDED:
                raise ValueError("the chunked body had ended: nothing may follow its last chunk")
            if self._state is _State.DATA:
                piece, view = view[: self._left], view[self._left :]
                self._left -= len(piece)
                if not self._left:
                    self._state = _State.DATA_END
                yield bytes(piece)
            else:
                view = self._take_line(view)

    def _take_line(self, view: memoryview) -> memoryview:
        """Gather a line, which may come in pieces; at its end, go on by what it says."""
        head, newline, _rest = bytes(view[: MAX_LINE_BYTES + 2]).partition(b"\n")
        self._line += head + newline
        if len(self._line) > MAX_LINE_BYTES:
            raise ValueError(f"{self._state.value} expected, not a line of over {MAX_LINE_BYTES}")
        if newline:
            line, self._line = self._line.rstrip(b"\r\n"), b""
            self._state = self._after(line)
        return view[len(head) + len(newline) :]

    def _after(self, line: bytes) -> _State:
        if self._state is _State.SIZE:
            self._left = _size(line)
            return _State.DATA if self._left else _State.TRAILER
        if self._state is _State.TRAILER:
            if line:
                raise ValueError("a trailer after the last chunk is not carried")
            return _State.ENDED
        if line:
            raise ValueError(f"{self._state.value} expected, not more of it")
        return _State.SIZE


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        size = -1
    if size < 0 or digits[:1] in b"+-" or b"_" in digits:
        raise ValueError(f"{line[:20]!r} is not the size of a chunk")
    return size
