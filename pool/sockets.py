"""The sockets that curl opened: how many there are, and whether a server has left one.

Sockets are curl's. Those opened are told by SOCKOPTFUNCTION; those closed cannot be told by
CLOSESOCKETFUNCTION, which pycurl does not deliver when the handle that opened the connection is
idle. So each socket's inode is remembered, and the kernel is asked whether it still is there. Why
it is not is told by what was known of it last.

The kernel also knows that a server has closed its side. curl looks only at connections that were
idle for a second or longer; on others it would send, and nobody could say what became of it.
"""

import os
import select
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from socket import socket  # the class itself, whatever a test puts in its place later
from typing import NamedTuple

from botod.pool.origin import Origin


class Route(NamedTuple):
    """A connection by its two ends, as curl tells them before it sends."""

    server_address: str
    local_address: str
    server_port: int
    local_port: int


class Reason(Enum):
    """Why a socket was closed."""

    FAILED = "failed"  # its transfer did, or it never was connected
    ABORTED = "aborted"  # its transfer was, halfway
    SERVER = "server"  # it was idle, and the server closed it
    RETIRED = "retired"  # by curl: too old, idle for too long, or after an answer's "close"


@dataclass(frozen=True)
class SocketStats:
    """The sockets of one origin.

    `open_num` leaves out those that the server has left. `reused_total` counts transfers that
    opened none, `closed_total` by reason those that are known to be closed: it is noticed when
    somebody asks, or another one gets the same descriptor.
    """

    open_num: int
    opened_total: int
    reused_total: int
    closed_total: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Socket:
    inode: int
    origin: Origin
    used_at: float
    reason: Reason = Reason.RETIRED  # should it be found closed
    poll: select.poll = field(default_factory=select.poll)  # for its end at the other side alone
    route: Route | None = None

    def server_left(self) -> bool:
        if not self.poll.poll(0):
            return False
        self.reason = Reason.SERVER
        return True


class Sockets:
    """All sockets that curl opened for one client and has not closed, by descriptor.

    clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sockets: dict[int, _Socket] = {}
        self._by_route: dict[tuple[str, str, int, int] | None, _Socket] = {}
        self._opened: Counter[Origin] = Counter()
        self._reused: Counter[Origin] = Counter()
        self._closed: defaultdict[Origin, Counter[str]] = defaultdict(Counter)

    def opened(self, fd: int, origin: Origin) -> None:
        self._forget(fd)  # the descriptor of a socket that was closed
        self._sockets[fd] = _Socket(os.fstat(fd).st_ino, origin, self._clock())
        self._opened[origin] += 1

    def connected(self, route: Route, fds: Iterable[int]) -> None:
        """Learn which of the sockets just opened (one a family that was tried) `route` is."""
        server_address, local_address = map(sys.intern, route[:2])  # few, in thousands of routes
        route = route._replace(server_address=server_address, local_address=local_address)
        for fd in fds:
            known = self._sockets.get(fd)
            if known is None:
                continue
            known.reason = Reason.FAILED
            if _local_port(fd) == route.local_port:
                known.reason = Reason.RETIRED
                known.route = route
                known.poll.register(fd, select.POLLRDHUP)
                self._by_route[route] = known

    def given_up(
        self, opened: Iterable[int], route: tuple[str, str, int, int] | None, reason: Reason
    ) -> None:
        """Learn why curl is about to close what a transfer was on.

        opened: for it. route: that it was sent on; None: it was not sent.
        """
        for known in (*map(self._sockets.get, opened), self._by_route.get(route)):
            if known is not None:
                known.reason = reason

    def reused(self, origin: Origin) -> None:
        self._reused[origin] += 1

    def server_left(self, route: tuple[str, str, int, int]) -> bool:
        """Whether the server has closed its side of a connection that is about to be used.

        route: a Route, or a plain tuple equal to it.
        """
        known = self._by_route.get(route)
        if known is None:
            return False
        known.used_at = self._clock()
        return known.server_left()

    def warm_num(self, origin: Origin, *, within_s: float) -> int:
        """Open sockets to `origin` that were used so lately that curl takes them again."""
        since = self._clock() - within_s
        return sum(known.used_at > since for known in self._open() if known.origin == origin)

    def stats(self, origin: Origin) -> SocketStats:
        return self.stats_by_origin().get(origin, SocketStats(0, 0, 0))

    def stats_by_origin(self) -> dict[Origin, SocketStats]:
        """All at once, since each socket is asked about."""
        open_num = Counter(known.origin for known in self._open())
        return {
            origin: SocketStats(
                open_num[origin],
                self._opened[origin],
                self._reused[origin],
                dict(self._closed.get(origin, {})),
            )
            for origin in self._opened
        }

    def forget_origin(self, origin: Origin) -> None:
        """Count from nought for an origin that nobody asks about any more."""
        self._opened.pop(origin, None)
        self._reused.pop(origin, None)
        self._closed.pop(origin, None)

    def _open(self) -> Iterator[_Socket]:
        """Those that are open at both ends."""
        for fd, known in list(self._sockets.items()):
            if _inode(fd) != known.inode:
                self._forget(fd)
            elif not known.server_left():
                yield known

    def _forget(self, fd: int) -> None:
        known = self._sockets.pop(fd, None)
        if known is None:
            return
        self._closed[known.origin][known.reason.value] += 1
        if self._by_route.get(known.route) is known:
            del self._by_route[known.route]


def _inode(fd: int) -> int | None:
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return None


def _local_port(fd: int) -> int | None:
    """The port at our end; None if `fd` is not connected any more."""
    try:
        with socket(fileno=os.dup(fd)) as same:
            port: int = same.getsockname()[1]
    except OSError:
        return None
    return port
