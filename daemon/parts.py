"""Bodies that are sent in parts, by several requests at once: files, and what comes once."""

from collections.abc import Callable, Iterator

from botod.daemon.files import FILE_BLOCK_BYTES, OpenFile
from botod.daemon.held import Held
from botod.daemon.moved import Counted, Moved
from botod.daemon.services.operation import Source
from botod.daemon.sources import BodyChanged, BodyTooShort, BytesSource, FileSource, too_much

FILE_PARTS_AT_ONCE = 8
"""Parts of a file under way together. S3 gives one connection some 50 to 100 MB/s; eight fill what
a host usually has, hold 16 MiB, and are an eighth of the slots to a host: no job has them all."""

GATHERED_PARTS_AT_ONCE = 2
"""The same of a pipe or a stream, whose parts lie in memory whole: one is sent and one waits its
turn, while the next is gathered."""


class FileParts:
    """A file, or a part of one; it must not be written meanwhile.

    Where memory is short, fewer parts are under way at once.
    """

    def __init__(self, file: OpenFile, source: FileSource, *, held: Held, moved: Moved) -> None:
        self.length_bytes: int | None = source.length_bytes
        self._file = file
        self._source = source
        self._moved = moved
        self._at = 0
        block_bytes = min(FILE_BLOCK_BYTES, source.length_bytes)
        self.at_once = held.take_some(block_bytes, FILE_PARTS_AT_ONCE)

    def whole(self, most: int) -> Source | None:
        if self._source.length_bytes > most:
            return None
        return Counted(_Unchanged(self._source, self.check), self._moved)

    def next_part(self, size: int, _wait_for_room: Callable[[], bool]) -> Source | None:
        size = min(size, self._source.length_bytes - self._at)
        if not size:
            return None
        part = self._source.part(self._at, size)
        self._at += size
        return Counted(part, self._moved)

    def sent(self, part: Source) -> None:
        """Nothing: its memory is the next one's."""

    def check(self) -> None:
        if self._file.has_changed():
            raise BodyChanged("the file was written while it was sent; nothing was stored")


class _Unchanged:
    """A source whose last block is given only if the whole has not changed by then."""

    can_repeat = True

    def __init__(self, source: Source, check: Callable[[], None]) -> None:
        self.length_bytes = source.length_bytes
        self._source = source
        self._check = check

    def blocks(self) -> Iterator[bytes]:
        """Raises BodyChanged."""
        held = b""
        for block in self._source.blocks():
            if held:
                yield held
            held = block
        self._check()
        if held:
            yield held

    def look_through(self, take: Callable[[bytes], object]) -> None:
        self._source.look_through(take)


class GatheredParts:
    """What comes once, by a pipe or a stream, gathered part by part.

    read: gives some of it, b"" at its end; parks. length_bytes: what was said; None: nothing was.
    """

    at_once = GATHERED_PARTS_AT_ONCE

    def __init__(
        self, read: Callable[[], bytes], length_bytes: int | None, *, held: Held, moved: Moved
    ) -> None:
        self.length_bytes = length_bytes
        self._read = read
        self._held = held
        self._moved = moved
        self._gathered = bytearray()
        self._come_bytes = 0
        self._has_ended = False

    def whole(self, most: int) -> bytes | None:
        if self.length_bytes is not None and self.length_bytes > most:
            return None
        self._gather(most + 1, lambda: False)
        if len(self._gathered) > most:
            return None
        self._moved.sent_bytes = len(self._gathered)
        return self._cut(most)

    def next_part(self, size: int, wait_for_room: Callable[[], bool]) -> Source | None:
        """Raises BodyTooShort, InvalidParam for too much, RpcError where there is no memory."""
        self._gather(size, wait_for_room)
        data = self._cut(size)
        return Counted(BytesSource(data), self._moved) if data else None

    def sent(self, part: Source) -> None:
        self._held.give_back(part.length_bytes)

    def check(self) -> None:
        """Nothing: what came once cannot change."""

    def _gather(self, size: int, wait_for_room: Callable[[], bool]) -> None:
        """Have `size` bytes here, or all that is left."""
        while len(self._gathered) < size and not self._has_ended:
            block = self._read()
            self._come_bytes += len(block)
            self._check_length(is_end=not block)
            while not self._held.try_take(len(block)):
                if not wait_for_room():
                    self._held.take(len(block))
                    break
            self._gathered += block
            self._has_ended = not block

    def _check_length(self, *, is_end: bool) -> None:
        length = self.length_bytes
        if length is None:
            return
        if self._come_bytes > length:
            raise too_much(length)
        if is_end and self._come_bytes < length:
            raise BodyTooShort(f"Body has {self._come_bytes} bytes; {length} were to come")

    def _cut(self, size: int) -> bytes:
        with memoryview(self._gathered) as view:
            data = bytes(view[:size])
        del self._gathered[:size]
        return data
