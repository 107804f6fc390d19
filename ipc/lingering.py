"""How a connection that was refused ends: what its peer still writes is taken, and dropped."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from botod.ipc.receiving import READ_BYTES

LINGER_S = 1.0
"""How long a connection that was refused takes what still comes: a peer that is in the middle of a
write reads the error only after it."""


def linger(sock: socket.socket, hang_up: Callable[[], None]) -> None:
    """Let the peer finish writing, or it would find the socket closed before it reads why.

    hang_up: called when it has, or after LINGER_S. Nothing else may read the socket.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    loop.add_reader(sock, _drop, sock, hang_up)
    loop.call_later(LINGER_S, hang_up)


def _drop(sock: socket.socket, hang_up: Callable[[], None]) -> None:
    try:
        while sock.recv(READ_BYTES):
            pass
    except (BlockingIOError, InterruptedError):
        return
    except OSError:
        pass
    hang_up()
