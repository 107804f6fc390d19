"""Which of curl's sockets are ready, asked of an epoll of their own, which the loop watches as one.

curl takes its interest in a socket back after each request and declares it again with the next.
Told to the loop each time, that is two system calls and a good deal of Python a request. Here a
socket stays registered: what it reports while nobody is interested is the moment to take it out.
The kernel takes out sockets that curl closes; that is why they are not in the loop's own table,
which would go on believing in the number of the descriptor.
"""

import asyncio
import contextlib
import select
from collections.abc import Callable
from typing import Any

import pycurl

_INTEREST = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


_EITHER = pycurl.CSELECT_IN | pycurl.CSELECT_OUT
"""For errors and hang-ups, which are found by either."""

_ACTIONS = {select.EPOLLIN: pycurl.CSELECT_IN, select.EPOLLOUT: pycurl.CSELECT_OUT}


class ReadySockets:
    """Tells curl which sockets are ready.

    loop: need not run yet. act: called with those that are: descriptors, and curl's CSELECT flags.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, act: Callable[[list[tuple[int, int]]], None]
    ) -> None:
        self._act = act
        self._wanted: dict[int, int] = {}
        self._loop = loop
        self._open()

    def opened(self, fd: int) -> None:
        """Forget what was known of this number: it is another socket now."""
        self._registered.pop(fd, None)

    def want(self, event: int, fd: int, _multi: Any, _data: Any) -> None:
        """Take curl's word for what it waits for on a socket: one of its POLL constants.

        This is the multi handle's SOCKETFUNCTION.
        """
        mask = _INTEREST.get(event)
        if mask is None:
            self._wanted.pop(fd, None)
            return
        self._wanted[fd] = mask
        if self._registered.get(fd) != mask:
            self._register(fd, mask)

    def close(self) -> None:
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _register(self, fd: int, mask: int) -> None:
        try:
            if fd in self._registered:
                self._epoll.modify(fd, mask)
            else:
                self._epoll.register(fd, mask)
        except FileNotFoundError:  # closed meanwhile, and another one has its number
            self._epoll.register(fd, mask)
        except FileExistsError:
            self._epoll.modify(fd, mask)
        self._registered[fd] = mask

    def _let_go(self, fd: int) -> None:
        """Take out a socket that nobody is interested in, or that is closed.

        A closed one that is still told of is open in another process, which was forked; its entry
        can be had out only with all others.
        """
        self._registered.pop(fd, None)
        try:
            self._epoll.unregister(fd)
        except OSError:
            self.close()
            self._open()
            for wanted, mask in self._wanted.items():
                with contextlib.suppress(OSError):
                    self._register(wanted, mask)

    def _open(self) -> None:
        self._epoll = select.epoll()
        self._registered: dict[int, int] = {}
        self._loop.add_reader(self._epoll.fileno(), self._tell)

    def _tell(self) -> None:
        ready = []
        for fd, events in self._epoll.poll(0):
            if fd in self._wanted:
                ready.append((fd, _ACTIONS.get(events, _EITHER)))
            else:
                self._let_go(fd)
        if ready:
            self._act(ready)
