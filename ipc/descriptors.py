"""Descriptors that a peer passes beside its bytes: who has them, and that each is closed once.

A passed descriptor shares its flags and its position with the peer, so O_NONBLOCK is never set on
it. Reading and writing go on in threads: one may be at work when the request is over, and a number
that is closed under it could be another file's by then. `use` holds it open meanwhile.
"""

import os
import stat
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from botod.ipc.errors import Code, ProtocolError

SURPLUS_FDS = 16
"""Descriptors that may lie here before the line that declares them is read to its end."""

MAX_FDS = 4
"""Descriptors of one request: no operation takes more than one yet."""


class Descriptor:
    """A peer's open file, for the length of one request.

    offset: where to begin, in bytes; None: where the file stands. length: bytes; None: to the end.
    """

    def __init__(self, fd: int, *, offset: int | None = None, length: int | None = None) -> None:
        self.fd = fd
        self.offset = offset
        self.length = length
        self._lock = threading.Lock()
        self._users = 0
        self._closing = False

    def __repr__(self) -> str:
        return f"<Descriptor {self.fd}{' closed' if self._closing else ''}>"

    def part(self, offset: int | None, length: int | None) -> None:
        """Take it for a part of the file only."""
        self.offset, self.length = offset, length

    @contextmanager
    def use(self) -> Iterator[int]:
        """Its number, which stays open inside the block. Raises ValueError once it is closed."""
        with self._lock:
            if self._closing:
                raise ValueError("the descriptor is closed")
            self._users += 1
        try:
            yield self.fd
        finally:
            self._let_go()

    def close(self) -> None:
        """Close it, once nobody uses it; closing again is nothing."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            is_unused = not self._users
        if is_unused:
            close_quietly(self.fd)

    def _let_go(self) -> None:
        with self._lock:
            self._users -= 1
            is_last = self._closing and not self._users
        if is_last:
            close_quietly(self.fd)


class DescriptorQueue:
    """The descriptors that came on one connection and belong to no line yet, in order."""

    def __init__(self) -> None:
        self._fds: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._fds)

    def add(self, fds: Iterable[int]) -> None:
        """Keep what came. Raises ProtocolError if more lie here than a peer may leave.

        And for a socket: no operation takes one, and a peer's own end of this connection would keep
        it alive when the peer is gone.
        """
        self._fds.extend(fds)
        if any(stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in fds):
            raise ProtocolError(
                Code.DESCRIPTOR_FAILED, "a socket was passed; pass a regular file or a pipe"
            )
        if len(self._fds) > SURPLUS_FDS + MAX_FDS:
            raise ProtocolError(
                Code.INVALID_REQUEST, f"more than {SURPLUS_FDS} descriptors that no line declares"
            )

    def take(self, number: int) -> tuple[int, ...]:
        """The first `number` of them; fewer, if no more came."""
        return tuple(self._fds.popleft() for _ in range(min(number, len(self._fds))))

    def close(self) -> None:
        """Close all that nobody took."""
        while self._fds:
            close_quietly(self._fds.popleft())


def close_quietly(fd: int) -> None:
    """Close it; what a network's file system has to say then is for the log: the number is free."""
    try:
        os.close(fd)
    except OSError as error:
        import logging  # noqa: PLC0415 - programs import this with the client, and it is slow

        logging.getLogger(__name__).warning("a peer's descriptor was closed with %s", error)
