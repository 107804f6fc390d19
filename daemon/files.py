"""Files that peers pass as descriptors: what may be passed, and reading and writing regular ones.

A descriptor shares its flags and its position with the peer: O_NONBLOCK is never set, and its
position is read but never moved, except by writing at the end of an O_APPEND file.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from botod.daemon.file_threads import UserThreads
from botod.daemon.services.shapes import InvalidParam
from botod.ipc.descriptors import Descriptor
from botod.pool.pieces import Piece, Pieces

T = TypeVar("T")

FILE_BLOCK_BYTES = 1024 * 1024
"""Read or written at once: a change to a thread and back, some 100 µs, is then 3 % of it."""

PIECES_MAX = 1024
"""Of one write: the kernel's IOV_MAX."""

MAX_OFFSET = 2**63 - 1
"""The kernel's `loff_t`."""

ACCESS_MODES = os.O_RDONLY | os.O_WRONLY | os.O_RDWR

KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class DescriptorFailed(Exception):
    """A descriptor is of no use, or reading or writing by it failed.

    errno_name: the kernel's word, such as "ENOSPC"; "" where the kernel was not asked.
    """

    def __init__(self, message: str, errno_name: str = "") -> None:
        super().__init__(message)
        self.errno_name = errno_name


def failed(doing: str, error: OSError) -> DescriptorFailed:
    """What to raise for an error of the kernel; boto would take an OSError for its server's."""
    number = error.errno or 0
    name = errno.errorcode.get(number, str(number))
    return DescriptorFailed(f"{doing} the descriptor failed: {error.strerror} ({name})", name)


@dataclass(frozen=True)
class OpenFile:
    """A peer's file or pipe that may be used.

    appends: it is written at its end, wherever one wants to. size_bytes, position, changed_ns: of a
    file; the last is when it was written last.
    """

    descriptor: Descriptor
    threads: UserThreads
    is_pipe: bool
    appends: bool
    size_bytes: int = 0
    position: int = 0
    changed_ns: int = 0

    @property
    def begin(self) -> int:
        """Where to begin: where the marker says, else where the file stands."""
        offset = self.descriptor.offset
        return self.position if offset is None else offset

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. Parks. Raises DescriptorFailed."""

        def read() -> bytes:
            with self.descriptor.use() as fd:
                return os.pread(fd, size, offset)

        return _in_thread(self.threads, "reading", read)

    def look_at(self, offset: int, size: int, take: Callable[[bytes], object]) -> int:
        """`take`, in a thread, what `read_at` would give; how much that was."""

        def look() -> int:
            with self.descriptor.use() as fd:
                data = os.pread(fd, size, offset)
            take(data)
            return len(data)

        return _in_thread(self.threads, "reading", look)

    def has_changed(self) -> bool:
        """Whether it was written since it was opened here, by its size and its time. Parks."""

        def stamp() -> tuple[int, int]:
            with self.descriptor.use() as fd:
                found = os.fstat(fd)
            return found.st_size, found.st_mtime_ns

        now = _in_thread(self.threads, "looking at", stamp)
        return now != (self.size_bytes, self.changed_ns)

    def write_at(self, offset: int, pieces: Sequence[Piece]) -> None:
        """Write all of them; parks. Raises DescriptorFailed, perhaps with some of it written."""

        def write() -> None:
            left, at = Pieces(pieces), offset
            with self.descriptor.use() as fd:
                while left.size_bytes:
                    some = left.first(PIECES_MAX)
                    size = os.writev(fd, some) if self.appends else os.pwritev(fd, some, at)
                    left.take(size)
                    at += size

        _in_thread(self.threads, "writing to", write)


def open_to_read(descriptor: Descriptor, threads: UserThreads) -> OpenFile:
    """Look at what came, before anything is sent. Parks. Raises DescriptorFailed, InvalidParam."""
    return _opened(descriptor, threads, os.O_RDONLY, "reading")


def open_to_write(descriptor: Descriptor, threads: UserThreads) -> OpenFile:
    """As `open_to_read`."""
    file = _opened(descriptor, threads, os.O_WRONLY, "writing")
    if file.appends and not file.is_pipe and descriptor.offset is not None:
        raise InvalidParam("offset is for files that are not opened with O_APPEND")
    return file


def _opened(descriptor: Descriptor, threads: UserThreads, access: int, words: str) -> OpenFile:
    if (descriptor.offset or 0) + (descriptor.length or 0) > MAX_OFFSET:
        raise InvalidParam(f"offset and length beside $fd are together at most {MAX_OFFSET}")
    # A file system of the peer's own may take its time over fstat too.
    file = _in_thread(threads, "looking at", lambda: _looked_at(descriptor, threads, access, words))
    if file.is_pipe and descriptor.offset is not None:
        raise InvalidParam("offset is for files, not for pipes")
    return file


def _looked_at(descriptor: Descriptor, threads: UserThreads, access: int, words: str) -> OpenFile:
    with descriptor.use() as fd:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        found = os.fstat(fd)
        is_pipe = stat.S_ISFIFO(found.st_mode)
        kind = _refused_kind(flags, found.st_mode)
        if kind:
            raise DescriptorFailed(f"the descriptor is {kind}; a file or a pipe is wanted")
        if flags & ACCESS_MODES not in (access, os.O_RDWR):
            raise DescriptorFailed(f"the descriptor is not open for {words}")
        appends = bool(flags & os.O_APPEND)
        if is_pipe:
            return OpenFile(descriptor, threads, is_pipe, appends)
        position = os.lseek(fd, 0, os.SEEK_CUR)
    size, changed_ns = found.st_size, found.st_mtime_ns
    return OpenFile(descriptor, threads, is_pipe, appends, size, position, changed_ns)


def _refused_kind(flags: int, mode: int) -> str:
    """What a descriptor is that cannot be used; "" for a file or a pipe."""
    if flags & os.O_PATH:
        return "opened with O_PATH, which neither reads nor writes"
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        return ""
    words = (word for is_kind, word in KINDS if is_kind(mode))
    return next(words, "neither a file nor a pipe")


def _in_thread(threads: UserThreads, doing: str, call: Callable[[], T]) -> T:
    try:
        return threads.run(call)
    except OSError as error:
        raise failed(doing, error) from None
