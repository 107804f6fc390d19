"""Descriptors that a request brought, and that each is closed once, when nobody uses it.

A passed descriptor shares its flags and its position with the peer, so O_NONBLOCK is never set on
it. Reading and writing go on in threads: one may be at work when the request is over, and a number
that is closed under it could be another file's by then. `use` holds it open meanwhile.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from botod.ipc.descriptor_queue import close_quietly


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
