"""A listening socket that somebody else made, or we before a restart, and the one that we make."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.daemon.handed import Listener, hand_on, listening
from botod.daemon.listener import SocketInUse
from support.daemons import short_folder

HAND = """
import os, sys
os.dup2(int(sys.argv[1]), int(sys.argv[2]))
for name, value in (word.split("=") for word in sys.argv[3:]):
    os.environ[name] = value.replace("OWN", str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-c", '''
import os
from botod.daemon.handed import listening
from botod.daemon.listener import SocketInUse
try:
    one = listening("made.sock", 0o600)
except SocketInUse as error:
    print("refused:", error)
else:
    passes = one.sock.getsockopt(1, 16)
    left = [name for name in os.environ if name.startswith("LISTEN")]
    inherits = os.get_inheritable(one.sock.fileno())
    print(one.path, one.is_own, passes, left, inherits, os.readlink("/proc/self/fd/0"))
''' ])
"""
"""Has a process find a socket at a descriptor, and tells what it makes of it."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """For sockets."""
    with short_folder() as one:
        yield one


def listener_at(path: Path, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket that listens, if it is of a kind that can."""
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind(str(path))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def found(folder: Path, sock: socket.socket, at: int, *environ: str) -> str:
    """What a process says that has `sock` at a descriptor."""
    done = subprocess.run(
        [sys.executable, "-c", HAND, str(sock.fileno()), str(at), *environ],
        cwd=folder,
        pass_fds=[sock.fileno()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def test_one_is_made_where_none_was_handed_over(folder: Path) -> None:
    """Its file goes with it, once: what another daemon made there later stays."""
    path = str(folder / "botod.sock")
    one = listening(path, 0o600, {})
    assert (one.path, one.is_own) == (path, True)
    one.close()
    assert not Path(path).exists()
    with listener_at(Path(path)):
        one.close()
        assert Path(path).exists()


def test_systemd_s(folder: Path) -> None:
    """Its file is systemd's; senders are named; nothing that we start finds it."""
    with listener_at(folder / "s") as sock:
        told = found(folder, sock, 3, "LISTEN_PID=OWN", "LISTEN_FDS=1")
    assert told == f"{folder / 's'} False 1 [] False /dev/null"


def test_supervisor_s(folder: Path) -> None:
    """Standard input; afterwards that is nothing."""
    with listener_at(folder / "s") as sock:
        told = found(folder, sock, 0)
    assert told == f"{folder / 's'} False 1 [] False /dev/null"


def test_ours_from_before_a_restart(folder: Path) -> None:
    """We made it, so we still remove it."""
    with listener_at(folder / "s") as sock:
        told = found(folder, sock, 3, "LISTEN_PID=OWN", "LISTEN_FDS=1", "LISTEN_FDNAMES=botod-own")
    assert told.startswith(f"{folder / 's'} True 1")


def test_another_process_s_is_left_alone(folder: Path) -> None:
    """LISTEN_PID says whose it is: the variables may have been inherited."""
    with listener_at(folder / "s") as sock:
        told = found(folder, sock, 3, "LISTEN_PID=1", "LISTEN_FDS=1")
    assert told.startswith("made.sock True")


@pytest.mark.parametrize(
    ("kind", "number", "words"),
    [
        (socket.SOCK_STREAM, "2", "refused: LISTEN_FDS is 2: botod serves one socket"),
        (socket.SOCK_DGRAM, "1", "refused: descriptor 3 was handed over and is no listening"),
    ],
)
def test_what_cannot_be_served(folder: Path, kind: int, number: str, words: str) -> None:
    """It says what it was given."""
    with listener_at(folder / "s", kind) as sock:
        told = found(folder, sock, 3, "LISTEN_PID=OWN", f"LISTEN_FDS={number}")
    assert told.startswith(words)


def test_a_socket_of_the_network_is_refused(folder: Path) -> None:
    """The kernel would not say who sends."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        told = found(folder, sock, 3, "LISTEN_PID=OWN", "LISTEN_FDS=1")
    assert "is no Unix stream socket; write ListenStream=" in told


def test_a_socket_without_a_path_is_refused(folder: Path) -> None:
    """Everybody could connect to an abstract name, and no client looks for one."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0botod-test-{os.getpid()}")
        sock.listen()
        told = found(folder, sock, 3, "LISTEN_PID=OWN", "LISTEN_FDS=1")
    assert "has no path; clients look for one" in told


def test_a_connected_standard_input_is_no_listener(folder: Path) -> None:
    """As inetd has it, or a shell that reads from a socket."""
    one, other = socket.socketpair()
    with one, other:
        assert found(folder, one, 0).startswith("made.sock True")


@pytest.mark.parametrize("is_own", [True, False])
def test_it_is_handed_on_as_systemd_does(folder: Path, is_own: bool) -> None:
    """What is executed next finds it, whoever made it."""
    environ: dict[str, str] = {}
    child = os.fork()
    if not child:  # descriptor 3 is somebody's in this process
        try:
            sock = listener_at(folder / "s")
            hand_on(Listener(sock, str(folder / "s"), is_own=is_own), environ)
            same = os.fstat(3).st_ino == os.fstat(sock.fileno()).st_ino
            found = listening("made.sock", 0o600, environ)
            good = same and found.is_own == is_own and found.path == str(folder / "s")
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_a_socket_in_use_is_said(folder: Path) -> None:
    """As ever."""
    with listener_at(folder / "s"), pytest.raises(SocketInUse, match="answers there already"):
        listening(str(folder / "s"), 0o600, {})
