"""Fresh connections go to the worker that has the fewest, whoever accepted them.

The kernel gives a shared listening socket's connections to whoever is awake first: of 20 that come
at once one worker may get all. What is accepted and unread is passed on as a descriptor, in one
datagram: it has arrived, or it has not and stays here.
"""

import array
import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from botod.daemon.balance import BEAT_S, Balance
from botod.daemon.listener import SocketInUse
from botod.daemon.share import WORKERS_MAX, Share

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

TAKEN_AT_ONCE = 64
"""Connections taken over in one turn of the loop, as many as are accepted in one."""

UNCOUNTED = 0xFF
"""What a worker that leaves signs with: it has no row any more in which the taker's count has its
other side."""

_ANCILLARY_BYTES = socket.CMSG_SPACE(array.array("i").itemsize)


class Handover:
    """One worker's end. adopt: serves a connection that another one accepted.

    folder: where all workers' ends are.
    """

    def __init__(self, folder: str, share: Share) -> None:
        """Open it. Raises SocketInUse."""
        self.adopt: Callable[[socket.socket], None] = socket.socket.close
        self._folder = folder
        self._signature = share.number
        self._timer: asyncio.TimerHandle | None = None
        self._path = self._path_of(share.number)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # noqa: PTH108
            self._sock.bind(self._path)
            Path(self._path).chmod(0o600)
            self._inode = os.lstat(self._path).st_ino
            self._balance = Balance(str(Path(folder) / "loads"), share)
        except OSError as error:
            self._sock.close()
            raise SocketInUse(f"{self._path}: {error.strerror or error}") from None

    def start(self) -> None:
        """Be given connections from now on."""
        self._balance.come()
        asyncio.get_running_loop().add_reader(self._sock, self._receive)
        self._beat()

    def take(self, sock: socket.socket) -> bool:
        """Pass a fresh connection on, if somebody has fewer; see `ipc.server.Colleagues`."""
        other = self._balance.least()
        if other is None:
            return False
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))]
        self._balance.gave(other)  # first: the other one may be quick
        try:
            self._sock.sendmsg([bytes([self._signature])], rights, 0, self._path_of(other))
        except OSError as error:
            self._balance.gave_not(other)
            if not isinstance(error, BlockingIOError):  # it is gone; a full queue is only slow
                self._balance.is_gone(other)
            return False
        sock.close()
        return True

    def count(self, number: int) -> None:
        self._balance.count(number)

    def leave(self) -> None:
        """Be given none any more; the name is for the next one.

        What is on its way is passed on, or adopted if there is nobody else.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._signature = UNCOUNTED
        has_name = self._has_name()
        self._balance.leave(is_succeeded=not has_name)
        if has_name:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # noqa: PTH108

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock)
        self._receive()
        self._sock.close()
        self._balance.close()

    def _has_name(self) -> bool:
        """Whether it is not the next one's already."""
        try:
            return os.lstat(self._path).st_ino == self._inode
        except OSError:
            return False

    def _beat(self) -> None:
        self._balance.beat()
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _path_of(self, number: int) -> str:
        return str(Path(self._folder) / f"worker-{number}.handover")

    def _receive(self) -> None:
        for _ in range(TAKEN_AT_ONCE):
            try:
                # Not recv_fds: on Python 3.11 that forgets its flags, and children would inherit.
                data, ancillary, flags, _address = self._sock.recvmsg(
                    1, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            if flags & socket.MSG_CTRUNC:
                logger.warning("no descriptor is left to take over a connection: it is closed")
            if data and data[0] < WORKERS_MAX:
                self._balance.took(data[0])
            fds = array.array("i")
            for _level, _kind, payload in ancillary:
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
            for fd in fds:
                self._serve(socket.socket(fileno=fd))

    def _serve(self, sock: socket.socket) -> None:
        if not (self._balance.has_left and self.take(sock)):
            self.adopt(sock)
