"""The daemon's listening socket: made where it belongs, never taken from a living daemon."""

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path


class SocketInUse(Exception):
    """The path cannot be listened on."""


def open_listener(path: str, mode: int) -> socket.socket:
    """Listen on a Unix stream socket at `path` with rights `mode`; its folder is made if missing.

    A socket file that nobody listens on is replaced. One that a daemon answers on is left alone,
    and so is anything that is not a socket: both raise SocketInUse.
    """
    _make_folder(Path(path).parent)
    with _only_starter(path):
        _clear(path)
        sock = _new_socket(path)
        try:
            sock.bind(path)
            Path(path).chmod(mode)
            # Before the first connection can be made: set later, its first bytes have no sender.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            sock.listen()
        except OSError as error:
            sock.close()
            raise SocketInUse(f"{path}: cannot listen there: {error.strerror or error}") from None
        return sock


def remove_socket(path: str) -> None:
    """Remove the socket file at the end of its daemon's life."""
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - the path is a str everywhere here


def _new_socket(path: str) -> socket.socket:
    """One for `path`, to listen there or to try it. Raises SocketInUse."""
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:  # no descriptor is left
        raise SocketInUse(f"{path}: {error.strerror}") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise SocketInUse(f"{folder}: cannot make it: {error.strerror}") from None


@contextlib.contextmanager
def _only_starter(path: str) -> Iterator[None]:
    """Be the only one who makes room at `path`.

    Of two who find a dead socket, the slower would remove the one that the faster has just bound.
    The lock goes with its file; who opened that before, and locks it after, finds it without name.
    """
    name = f"{path}.lock"
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SocketInUse(f"{name}: {error.strerror}") from None
    with os.fdopen(lock):
        if not _is_locked(lock):
            raise SocketInUse(f"{path}: another daemon is starting there")
        try:
            yield
        finally:
            remove_socket(name)


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(lock).st_nlink > 0


def _clear(path: str) -> None:
    """Make room at `path`, or say why there is none."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketInUse(f"{path}: {error.strerror}") from None
    if not stat.S_ISSOCK(kind):
        raise SocketInUse(f"{path}: there is something that is not a socket; remove it yourself")
    if _is_alive(path):
        raise SocketInUse(f"{path}: a daemon answers there already")
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError as error:
        raise SocketInUse(f"{path}: cannot remove the dead socket: {error.strerror}") from None


def _is_alive(path: str) -> bool:
    with _new_socket(path) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # full backlog, no rights: somebody's
        return True
