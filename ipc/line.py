"""One blocking connection to the daemon: one request at a time, and the body that it answers."""

from __future__ import annotations

import _socket as socket  # what `socket` adds is not used, and takes a while to import
import array
import os
import time

from botod.ipc.conversation import Conversation
from botod.ipc.errors import DaemonBusy, DaemonUnavailable, ProtocolError, SocketForbidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from botod.ipc.writing import Written

READ_BYTES = 64 * 1024
"""At once; each connection has a buffer of this size."""

JOIN_BYTES = 64 * 1024
"""Up to here it is cheaper to copy the pieces of a message together than to write each."""

PIECES_MAX = 512
"""Of one write; Linux takes 1,024."""


def read_buffer() -> memoryview:
    """What a connection reads into, each time.

    New bytes for each read, where there are many, are mapped and unmapped by the kernel: with 256
    KiB that was a third of what an answer costs.
    """
    return memoryview(bytearray(READ_BYTES))


class Line:
    """A connection of this process. A child that inherits it may only close its copy."""

    def __init__(self, path: str, *, timeout_s: float) -> None:
        self.path = path
        self.conversation = Conversation(path)
        self._pid = os.getpid()
        self._buffer = read_buffer()
        self._socket: socket.socket | None = connected(path, timeout_s)

    @property
    def is_usable(self) -> bool:
        """Whether another request may go over it, if it is ours."""
        talk = self.conversation
        return self._socket is not None and talk.is_open and not talk.is_busy

    @property
    def is_ours(self) -> bool:
        """Whether this process made it."""
        return self._pid == os.getpid()

    def send(self, written: Written, deadline: float) -> None:
        """Write a message whole. Where it cannot be, what waits for answers is settled with why.

        The daemon may have said why before it hung up, so that is read first.
        """
        try:
            self._write(written, deadline)
        except (BrokenPipeError, ConnectionResetError):
            while self._socket is not None:
                self.pump(deadline)
        except OSError as error:
            self._end(error, str(error))
        except BaseException:
            self.close()
            raise
        else:
            self.conversation.wrote(written.replies)

    def pump(self, deadline: float) -> None:
        """Take what comes next. At the end of the connection all that waits is settled."""
        try:
            size = self._ready(deadline).recv_into(self._buffer)
            if size:
                self.conversation.receive(self._buffer[:size])
            else:
                self._end(None)
        except ProtocolError:
            self.close()
            raise
        except ConnectionError as error:
            self._end(error)
        except OSError as error:
            self._end(error, str(error))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up: the daemon ends what is still under way here."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if self.is_ours:
            _shut_down(sock)
        sock.close()

    def _end(self, error: OSError | None, words: str = "the daemon hung up") -> None:
        self.close()
        self.conversation.ended(error, words)

    def _write(self, written: Written, deadline: float) -> None:
        rights = _rights(written.fds) if written.fds else ()
        rest: Sequence[Any] = written.pieces
        rest_bytes = sum(map(len, rest))
        if len(rest) > 1 and rest_bytes <= JOIN_BYTES:
            rest = [b"".join(rest)]
        while rest_bytes:
            sent = self._ready(deadline).sendmsg(rest[:PIECES_MAX], rights)
            rights = ()
            rest_bytes -= sent
            if rest_bytes:
                rest = without(rest, sent)

    def _ready(self, deadline: float) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError("the connection is closed")
        if self._pid != os.getpid():
            raise RuntimeError(
                "this body belongs to the process that asked for it; ask for your own"
            )
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left_s)
        return self._socket


def connected(path: str, timeout_s: float) -> socket.socket:
    """A connected socket. Raises DaemonUnavailable.

    It blocks, with the kernel's own timeout: a non-blocking one is refused when many connect.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(True)
        bound = array.array("l", (int(timeout_s), int(timeout_s % 1 * 1_000_000) + 1))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise no_daemon(path, error) from None
    return sock


def no_daemon(path: str, error: OSError) -> DaemonUnavailable:
    """What to raise when a connection cannot be made."""
    if isinstance(error, PermissionError):
        return SocketForbidden(f"{path}: this user may not use the socket; ask the administrator")
    if isinstance(error, BlockingIOError):
        return DaemonBusy(
            f"{path}: the daemon took no connection in time; ask again later, or see what it does "
            "with `botod status`"
        )
    return DaemonUnavailable(
        f"no daemon answers at {path}: {error.strerror or error}; "
        "start one with `botod run`, or name its socket in $BOTOD_SOCKET"
    )


def _shut_down(sock: socket.socket) -> None:
    """End the connection also for the copies that children of this process have."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the daemon was faster


def _rights(fds: Sequence[int]) -> list[tuple[int, int, array.array[int]]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]


def without(pieces: Sequence[Any], sent: int) -> list[memoryview]:
    """What is left of the pieces when so many bytes of them were written."""
    rest = [memoryview(piece) for piece in pieces]
    while rest and sent >= len(rest[0]):
        sent -= len(rest.pop(0))
    if rest and sent:
        rest[0] = rest[0][sent:]
    return rest
