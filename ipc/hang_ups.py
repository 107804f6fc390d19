"""Tells hang-up from end of input.

A peer that has sent its last request (half-close) still waits for answers. Its input reads as ended
for ever, so its socket cannot stay with the loop's readers; epoll without any event asked for still
reports EPOLLHUP, which means that the peer is gone for good. One epoll serves all sockets, and is
itself readable when one of them hangs up.
"""

import asyncio
import select
import socket
from collections.abc import Callable


class HangUps:
    """Watches sockets, each for its end."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._tell)

    def watch(self, sock: socket.socket, callback: Callable[[], None]) -> None:
        self._callbacks[sock.fileno()] = callback
        self._epoll.register(sock.fileno(), 0)  # EPOLLHUP and EPOLLERR come unasked

    def forget(self, sock: socket.socket) -> None:
        if self._callbacks.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        if not self._epoll.closed:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _tell(self) -> None:
        for fd, _events in self._epoll.poll(0):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback()
