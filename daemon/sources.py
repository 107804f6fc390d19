"""Bodies that are read while they are sent: from a file, or as they come by a pipe or a stream."""

from collections.abc import Callable, Iterator

from botod.daemon.files import FILE_BLOCK_BYTES, OpenFile
from botod.daemon.pipes import PeerPipe
from botod.daemon.services.shapes import InvalidParam
from botod.pool.bodies import off_the_loop


class BodyTooShort(Exception):
    """A body ended before its length. The service was told the length, so it keeps nothing."""


class BodyChanged(Exception):
    """A file was written while it was sent. Nothing of it is kept as an object."""


class CannotRepeat(Exception):
    """The service wants the body sent again, elsewhere, and it cannot be read again."""


class FileSource:
    """A part of a regular file."""

    can_repeat = True

    def __init__(self, file: OpenFile, offset: int, length_bytes: int) -> None:
        self.length_bytes = length_bytes
        self._file = file
        self._offset = offset

    def blocks(self) -> Iterator[bytes]:
        """Raises DescriptorFailed, and BodyTooShort if the file has shrunk meanwhile."""
        at, end = self._offset, self._offset + self.length_bytes
        while at < end:
            block = self._file.read_at(at, min(FILE_BLOCK_BYTES, end - at))
            if not block:
                raise BodyTooShort(f"the file ends at byte {at}; {end - at} bytes are missing")
            at += len(block)
            yield block

    def look_through(self, take: Callable[[bytes], object]) -> None:
        """Raises DescriptorFailed; BodyTooShort comes when it is sent."""
        at, end = self._offset, self._offset + self.length_bytes
        while at < end and (size := self._file.look_at(at, min(FILE_BLOCK_BYTES, end - at), take)):
            at += size

    def part(self, at: int, size: int) -> "FileSource":
        """A part of this part."""
        return FileSource(self._file, self._offset + at, size)


class BytesSource:
    """Bytes that are here."""

    can_repeat = True

    def __init__(self, data: bytes) -> None:
        self.length_bytes = len(data)
        self._data = data

    def blocks(self) -> Iterator[bytes]:
        for at in range(0, self.length_bytes, FILE_BLOCK_BYTES):
            yield self._data[at : at + FILE_BLOCK_BYTES]

    def look_through(self, take: Callable[[bytes], object]) -> None:
        off_the_loop(self.length_bytes, lambda: take(self._data))


class PassingSource:
    """A body that comes once.

    read: gives some of it, b"" at its end. length_bytes: what was said; it has to be so many. Made,
    it waits for the first of it: the request that sends it holds a slot, and one who sends nothing
    should hold none. Parks.
    """

    def __init__(self, read: Callable[[], bytes], length_bytes: int) -> None:
        self.length_bytes = length_bytes
        self._read = read
        self._first = read()
        self._has_begun = False

    @property
    def can_repeat(self) -> bool:
        return not self._has_begun

    def blocks(self) -> Iterator[bytes]:
        """Raises BodyTooShort, InvalidParam for too much, CannotRepeat.

        The last block is held back until it is known to be the last: an object with what was said
        to be its length would look whole.
        """
        if self._has_begun:
            raise CannotRepeat(
                "the service redirects; Body came by a pipe or a stream and cannot be sent again"
            )
        self._has_begun = True
        held, size = b"", 0
        block, self._first = self._first, b""
        while block:
            size += len(block)
            if size > self.length_bytes:
                raise too_much(self.length_bytes)
            if held:
                yield held
            held = block
            block = self._read()
        if size < self.length_bytes:
            raise BodyTooShort(f"Body has {size} bytes; {self.length_bytes} were to come")
        if held:
            yield held

    def look_through(self, _take: Callable[[bytes], object]) -> None:
        """Raises InvalidParam."""
        raise InvalidParam(
            "Body comes by a pipe or a stream, and cannot be read before it is sent: leave out "
            "ChecksumAlgorithm, give the checksum itself, or use s3.upload_file"
        )


def file_source(file: OpenFile) -> FileSource:
    """The part of a file that its marker names. Parks. Raises BodyTooShort, InvalidParam."""
    begin, length = file.begin, file.descriptor.length
    there = max(0, file.size_bytes - begin)
    has_size = bool(there) or not file.read_at(begin, 1)  # files in /proc have none
    if length is None and not has_size:
        raise InvalidParam("the kernel does not tell this file's size; give length beside $fd")
    if length is not None and has_size and length > there:
        raise BodyTooShort(f"the file has {there} bytes from byte {begin}; length says {length}")
    if begin > file.size_bytes and has_size:
        raise BodyTooShort(f"the file has {file.size_bytes} bytes; Body begins at byte {begin}")
    return FileSource(file, begin, there if length is None else length)


def pipe_reader(pipe: PeerPipe, length: int | None) -> Callable[[], bytes]:
    """Reads a pipe to its end, or the first `length` bytes and not one more."""
    if length is None:
        return pipe.read
    left = length

    def read() -> bytes:
        nonlocal left
        block = pipe.read(left) if left else b""
        left -= len(block)
        return block

    return read


def gathered(
    read: Callable[[], bytes], *, most: int, exactly: int | None, reserve: Callable[[int], None]
) -> bytes:
    """All of a body that comes once and is short.

    most: bytes that may be held. exactly: what it has to be; None: not known. reserve: called with
    the number of bytes that came; raises if they may not be held. Raises BodyTooShort and, for too
    much, InvalidParam.
    """
    body = bytearray()
    while block := read():
        if exactly is not None and len(body) + len(block) > exactly:
            raise too_much(exactly)
        if len(body) + len(block) > most:
            raise InvalidParam(
                f"Body has more than {most} bytes and no length, which S3 needs: give ContentLength"
            )
        reserve(len(block))
        body += block
    if exactly is not None and len(body) < exactly:
        raise BodyTooShort(f"Body has {len(body)} bytes; {exactly} were to come")
    return bytes(body)


def too_much(length: int) -> InvalidParam:
    """What to raise for a body that is longer than what was said."""
    words = f"Body has more than the {length} bytes that ContentLength says; nothing was stored"
    return InvalidParam(words)
