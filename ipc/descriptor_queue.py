"""The descriptors that came beside a peer's bytes, until a line declares them."""

from __future__ import annotations

import os
import stat
from collections import deque

from botod.ipc.errors import Code, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SURPLUS_FDS = 16
"""Descriptors that may lie here before the line that declares them is read to its end."""

MAX_FDS = 4
"""Descriptors of one request: no operation takes more than one yet."""


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
