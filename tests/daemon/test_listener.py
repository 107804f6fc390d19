"""The listening socket: made where it belongs, never taken from a living daemon."""

import os
import resource
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.daemon import listener
from botod.daemon.listener import SocketInUse, open_listener, remove_socket

TIMEOUT_S = 30.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="botod-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> str:
    """Where the socket is to be."""
    return str(folder / "botod.sock")


def dead_socket(path: str) -> None:
    """What a daemon that was killed leaves behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)


def can_connect(path: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
        return True


@pytest.mark.parametrize("mode", [0o666, 0o600, 0o660])
def test_listens_with_the_rights_asked_for(path: str, mode: int) -> None:
    """Whatever the process's mask says."""
    before = os.umask(0o077)
    try:
        with open_listener(path, mode):
            assert can_connect(path)
            assert stat.S_IMODE(Path(path).stat().st_mode) == mode
    finally:
        os.umask(before)


def test_nothing_but_the_socket_is_left(path: str, folder: Path) -> None:
    """The lock of the start is gone, after success as after failure."""
    with open_listener(path, 0o666):
        with pytest.raises(SocketInUse):
            open_listener(path, 0o666)
        assert [file.name for file in folder.iterdir()] == ["botod.sock"]
    remove_socket(path)
    assert list(folder.iterdir()) == []


def test_a_missing_folder_is_made(folder: Path) -> None:
    """One level, as /run/botod is after a boot."""
    path = folder / "run" / "botod.sock"
    with open_listener(str(path), 0o666):
        assert can_connect(str(path))


@pytest.mark.parametrize("where", ["no/such/botod.sock", "file/botod.sock", "/proc/botod/x.sock"])
def test_a_folder_that_cannot_be_made_is_named(folder: Path, where: str) -> None:
    """More levels, a file in the way, a file system that does not allow it."""
    (folder / "file").write_text("")
    with pytest.raises(SocketInUse) as caught:
        open_listener(str(folder / where), 0o666)
    assert str((folder / where).parent) in str(caught.value)


def test_a_dead_socket_is_replaced(path: str) -> None:
    """One that nobody listens on."""
    dead_socket(path)
    with open_listener(path, 0o666):
        assert can_connect(path)


def test_a_living_daemon_keeps_its_socket(path: str) -> None:
    """The second is told, the first goes on."""
    with open_listener(path, 0o666):
        with pytest.raises(SocketInUse, match="a daemon answers there already"):
            open_listener(path, 0o666)
        assert can_connect(path)


def test_a_daemon_too_busy_to_accept_keeps_its_socket(path: str) -> None:
    """A full backlog is no sign of death."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(path)
        busy.listen(0)
        waiting = []
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            waiting.append(sock)
            sock.setblocking(False)
            try:
                sock.connect(path)
            except BlockingIOError:
                break
        with pytest.raises(SocketInUse, match="answers there already"):
            open_listener(path, 0o666)
        for sock in waiting:
            sock.close()
    assert Path(path).exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "pipe"])
def test_what_is_not_a_socket_is_left_alone(path: str, folder: Path, kind: str) -> None:
    """Even a link to a dead socket: who made it meant something by it."""
    if kind == "file":
        Path(path).write_text("precious")
    elif kind == "folder":
        Path(path).mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        target = folder / "target"
        if kind == "link":
            dead_socket(str(target))
        Path(path).symlink_to(target)
    before = os.lstat(path)
    with pytest.raises(SocketInUse, match="something that is not a socket"):
        open_listener(path, 0o666)
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_a_path_that_is_too_long_is_a_clear_error(folder: Path) -> None:
    """Linux takes 107 bytes; the message says what is wrong with which path."""
    path = str(folder / ("x" * 120))
    with pytest.raises(SocketInUse) as caught:
        open_listener(path, 0o666)
    assert str(caught.value) == f"{path}: cannot listen there: AF_UNIX path too long"


@pytest.mark.parametrize("is_there", [False, True])
def test_no_descriptor_for_it_is_a_clear_error(path: str, is_there: bool) -> None:
    """As what tries again after a while wants it; the lock has the last one."""
    if is_there:
        dead_socket(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, hard))
        with pytest.raises(SocketInUse, match="Too many open files"):
            open_listener(path, 0o600)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    open_listener(path, 0o600).close()


def test_a_dead_socket_that_cannot_be_removed(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's, in a folder where only owners may remove."""
    dead_socket(path)

    def refuse(_path: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(listener.os, "unlink", refuse)
    with pytest.raises(SocketInUse, match="cannot remove the dead socket: Operation not permitted"):
        open_listener(path, 0o666)


def test_one_who_starts_in_between_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one daemon makes room, another that would find the same dead socket is told so."""
    dead_socket(path)
    is_alive = listener._is_alive
    in_between: list[str] = []

    def other_starts(path: str) -> bool:
        alive = is_alive(path)
        monkeypatch.setattr(listener, "_is_alive", is_alive)
        with pytest.raises(SocketInUse) as caught:
            open_listener(path, 0o666)
        in_between.append(str(caught.value))
        return alive

    monkeypatch.setattr(listener, "_is_alive", other_starts)
    with open_listener(path, 0o666):
        assert in_between == [f"{path}: another daemon is starting there"]
        assert can_connect(path)


def test_one_who_waited_with_an_old_lock_is_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock file opened before the other was done and locked after it is nobody's any more."""
    real = listener.fcntl.flock
    winners: list[socket.socket] = []

    def other_is_done(lock: int, operation: int) -> None:
        monkeypatch.setattr(listener.fcntl, "flock", real)
        winners.append(open_listener(path, 0o666))
        real(lock, operation)

    monkeypatch.setattr(listener.fcntl, "flock", other_is_done)
    with pytest.raises(SocketInUse, match="another daemon is starting there"):
        open_listener(path, 0o666)
    assert can_connect(path)
    winners[0].close()


STARTER = """
import sys
from botod.daemon.listener import SocketInUse, open_listener
sys.stdin.read(1)
try:
    listener = open_listener(sys.argv[1], 0o666)
except SocketInUse:
    print("refused", flush=True)
else:
    print("listening", flush=True)
    sys.stdin.read()
"""


def test_of_many_who_start_at_once_one_listens(path: str) -> None:
    """Over a dead socket; the one that says it listens is the one that is there."""
    dead_socket(path)
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for starter in starters:
            assert starter.stdin is not None
            starter.stdin.write("g")
            starter.stdin.flush()
        said = []
        for starter in starters:
            assert starter.stdout is not None
            said.append(starter.stdout.readline().strip())
        assert sorted(said) == ["listening", "refused", "refused", "refused"]
        assert can_connect(path)
    finally:
        for starter in starters:
            starter.communicate(timeout=TIMEOUT_S)


def test_removing_is_for_the_end(path: str) -> None:
    """A socket that is gone already is no error."""
    with open_listener(path, 0o666):
        remove_socket(path)
        assert not Path(path).exists()
        remove_socket(path)
