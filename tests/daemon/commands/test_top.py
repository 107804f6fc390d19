"""`botod top` in a terminal, and where there is none."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from botod.daemon.commands.top import main
from botod.daemon.screen import LEAVE, SHOW
from support.daemons import BOUND_S, Daemon

IN_ITS_TERMINAL = """
import fcntl, sys, termios
from botod.daemon.cli import main
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.exit(main(["top", "--interval", "0.1", "--socket", sys.argv[1]]))
"""
"""As a shell starts it: the terminal sends it its signals."""


class Terminal:
    """`botod top` in a terminal of its own. seen: what it has written."""

    def __init__(self, daemon: Daemon) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(self._theirs)
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_ITS_TERMINAL, daemon.socket_path],
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            start_new_session=True,
        )  # fmt: skip

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_for(self, words: bytes) -> None:
        """Read until they come after what was seen before."""
        start, deadline = len(self.seen), time.monotonic() + BOUND_S
        while words not in self.seen[start:]:
            assert time.monotonic() < deadline, self.seen[start:]
            if select.select([self._ours], [], [], 0.1)[0]:
                self.seen += os.read(self._ours, 65536)

    def last_frame(self) -> list[bytes]:
        """Wait for a frame; the lines of the last one that is whole."""
        self.wait_for(b"\x1b[J")
        whole = self.seen.rpartition(b"\x1b[J")[0].rpartition(b"\x1b[H")[2]
        return whole.replace(b"\x1b[K", b"").split(b"\r\n")

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def assert_left_as_it_was(self) -> None:
        """It ended well, on the usual screen, with the keyboard as it was found."""
        self.wait_for(LEAVE.encode())
        assert self.process.wait(BOUND_S) == 0
        assert termios.tcgetattr(self._theirs) == self.before
        assert self.seen.count(SHOW.encode()) == self.seen.count(LEAVE.encode()) == 1

    def close(self) -> None:
        self.process.kill()
        self.process.wait(BOUND_S)
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(daemon: Daemon) -> Iterator[Terminal]:
    """One in which it runs."""
    one = Terminal(daemon)
    try:
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("way", ["q", "Ctrl-C", "SIGINT", "SIGTERM"])
def test_it_leaves_the_terminal_as_it_was(terminal: Terminal, way: str) -> None:
    """By a key, or by a signal."""
    terminal.wait_for(b"jobs    ")
    if way.startswith("SIG"):
        terminal.process.send_signal(signal.Signals[way])
    else:
        terminal.press(b"q" if way == "q" else b"\x03")
    terminal.assert_left_as_it_was()


def test_it_goes_on_until_then_and_follows_the_terminal_s_size(terminal: Terminal) -> None:
    """Each frame is drawn over the one before, and fits."""
    for _ in range(2):
        terminal.wait_for(b"\x1b[Hbotod ")
    terminal.wait_for(b"requests/s")
    assert len(terminal.last_frame()) > 3
    terminal.resize(3, 20)
    deadline = time.monotonic() + BOUND_S
    while len(lines := terminal.last_frame()) > 3:
        assert time.monotonic() < deadline, lines
    assert len(lines) == 3
    assert max(map(len, lines)) == 20
    terminal.press(b"q")
    terminal.assert_left_as_it_was()


def test_one_frame(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: lines, and nothing that moves a cursor."""
    with daemon.connect() as connection:
        connection.call("s3.get_object", {"Bucket": "photos", "Key": "cat.jpg"})
        assert main(["--once", "--interval", "0.1", "--socket", daemon.socket_path]) == 0
    out = capsys.readouterr().out
    assert out.startswith("botod ")
    assert "\x1b" not in out
    assert out.count("\nslots   ") == 1
    assert "pool " in out
    assert "peer " in out
    assert "operation " in out


def test_it_asks_once_an_interval(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """One message at a time: by the daemon's own count two, for one frame."""
    with daemon.connect() as connection:
        main(["--once", "--interval", "0.1", "--socket", daemon.socket_path])
        peers = connection.call("botod.status")["peers"]
    assert len(peers) == 1  # it has gone, and left nothing
    capsys.readouterr()


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3, as with every command."""
    assert main(["--once", "--socket", "/nowhere/botod.sock"]) == 3
    assert "no daemon" in capsys.readouterr().err


def test_lines_for_programs(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is one object, with totals and the oldest jobs."""
    assert main(["--json", "--once", "--socket", daemon.socket_path]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["status"]["pid"] == daemon.process.pid
    assert told["jobs"] == []


def test_lines_come_until_it_is_interrupted(daemon: Daemon) -> None:
    """By Ctrl-C, without a word about it."""
    words = [sys.executable, "-m", "botod.daemon.cli", "top", "--json", "--interval", "0.1"]
    with subprocess.Popen(
        [*words, "--socket", daemon.socket_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        assert first["status"]["uptime_s"] < second["status"]["uptime_s"]
        process.send_signal(signal.SIGINT)
        assert process.wait(BOUND_S) == 0
        assert process.stderr.read() == b""
