"""A listening socket that is there already: systemd's, supervisor's, or ours from before a restart.

All three take one way: who hands a socket over says so as systemd does (LISTEN_FDS), and so do we
to ourselves; supervisor's fcgi-program has it as standard input.
"""

import os
import socket
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass

from botod.daemon.listener import SocketInUse, open_listener, remove_socket

FIRST_FD = 3
"""systemd's descriptors begin here."""

OWN_NAME = "botod-own"
"""What we call a socket in LISTEN_FDNAMES that we made: its file is ours to remove."""

FD_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(frozen=True)
class Listener:
    """A listening socket. is_own: we made it, and remove its file at the end of our life."""

    sock: socket.socket
    path: str
    is_own: bool

    def close(self) -> None:
        """Listen no more. Nobody else's socket is removed: connections wait there for the next.

        Idempotent.
        """
        if self.is_own and self.sock.fileno() >= 0:
            # While it is ours: once it is closed another daemon may have made its own there.
            remove_socket(self.path)
        self.sock.close()


def listening(path: str, mode: int, environ: MutableMapping[str, str] = os.environ) -> Listener:
    """The socket that was handed to this process, else one made at `path` with rights `mode`.

    Raises SocketInUse.
    """
    handed = _from_systemd(environ) or _from_supervisor()
    return handed or Listener(open_listener(path, mode), path, is_own=True)


def hand_on(listener: Listener, environ: MutableMapping[str, str] = os.environ) -> None:
    """Have whatever this process executes next find the listener."""
    os.dup2(listener.sock.fileno(), FIRST_FD, inheritable=True)
    if listener.sock.fileno() == FIRST_FD:  # dup2 leaves one that is there already as it was
        os.set_inheritable(FIRST_FD, True)
    name = OWN_NAME if listener.is_own else "botod"
    environ.update(zip(FD_VARIABLES, (str(os.getpid()), "1", name), strict=True))


def _from_systemd(environ: MutableMapping[str, str]) -> Listener | None:
    pid, number, name = (environ.pop(variable, "") for variable in FD_VARIABLES)
    if pid != str(os.getpid()):
        return None
    if number != "1":
        raise SocketInUse(f"LISTEN_FDS is {number}: botod serves one socket; name one in its unit")
    return _taken(FIRST_FD, is_own=name == OWN_NAME)


def _from_supervisor() -> Listener | None:
    """Standard input, if it is a socket that listens; then it is none any more."""
    if not _listens(0):
        return None
    listener = _taken(os.dup(0), is_own=False)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)
    return listener


def _listens(fd: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
    except OSError:
        return False
    with socket.socket(fileno=os.dup(fd)) as sock:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _taken(fd: int, *, is_own: bool) -> Listener:
    """Raises SocketInUse for what cannot be served."""
    if not _listens(fd):
        raise SocketInUse(f"descriptor {fd} was handed over and is no listening socket")
    sock = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    if (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
        sock.close()
        raise SocketInUse(
            f"descriptor {fd} was handed over and is no Unix stream socket; "
            "write ListenStream=/run/botod/botod.sock, or socket = unix:///… for supervisor"
        )
    path = sock.getsockname()
    if not isinstance(path, str):  # an abstract name, which is no path and has no rights
        sock.close()
        raise SocketInUse(f"descriptor {fd} was handed over and has no path; clients look for one")
    # Before anything is read: set on a connection later, its first bytes have no sender.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return Listener(sock, path, is_own=is_own)
