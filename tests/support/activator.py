"""A small systemd: it holds a listening socket over any number of lives of the service.

It speaks systemd's side of socket activation and of sd_notify, with a watchdog; no more than that.
"""

import contextlib
import math
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.daemons import BOUND_S

ACTIVATE = """
import os, sys
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": os.environ.pop("SOCKETS", "1")}
os.dup2(int(sys.argv[1]), 3)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Run by the service's process before it is the service: LISTEN_PID has to be its own."""


@dataclass
class Unit:
    """What we read of a unit file: enough to start what stands there."""

    command: list[str]
    watchdog_s: float
    settings: dict[str, list[str]]

    @classmethod
    def read(cls, path: Path) -> "Unit":
        settings: dict[str, list[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"(\w+)=(.*)", line):
                settings.setdefault(found[1], []).append(found[2])
        seconds = float(settings["WatchdogSec"][0].removesuffix("s"))
        return cls(shlex.split(settings["ExecStart"][0]), seconds, settings)


@dataclass
class Activator:
    """The socket, the service's process of now, and what it has said."""

    path: str
    command: Sequence[str]
    environ: Mapping[str, str]
    watchdog_s: float
    listener: socket.socket
    notify: socket.socket
    notify_path: str
    lines: list[str] = field(default_factory=list)
    said: list[tuple[int, str]] = field(default_factory=list)
    process: "subprocess.Popen[str] | None" = None
    lives: int = 0
    heard_at: float = math.inf
    has_failed: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        """Begin a life of the service, and wait until it says that it is ready."""
        self.lives += 1
        life = self.lives
        fd = self.listener.fileno()
        self.process = subprocess.Popen(
            ["python3", "-c", ACTIVATE, str(fd), *self.command],
            env={
                **self.environ,
                "NOTIFY_SOCKET": self.notify_path,
                "WATCHDOG_USEC": str(int(self.watchdog_s * 1_000_000)),
            },
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read_lines, args=[self.process], daemon=True).start()
        self.wait_for("READY=1", life=life)

    def stop(self) -> int:
        """End this life as systemd does; the exit status."""
        assert self.process is not None, "nothing was started"
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND_S)

    def restart(self) -> None:
        assert self.stop() == 0
        self.start()

    def reload(self) -> None:
        """What ExecReload does, and the wait for its end."""
        assert self.process is not None, "nothing was started"
        with self._changed:
            before = self._count("RELOADING=1"), self._count("READY=1")
        self.process.send_signal(signal.SIGHUP)
        self._wait(lambda: self._count("RELOADING=1") > before[0])
        self._wait(lambda: self._count("READY=1") > before[1])

    def wait_for(self, line: str, *, life: int | None = None, times: int = 1) -> None:
        """Wait until the service has said a line so often in this life."""
        self._wait(lambda: self._count(line, life) >= times)

    def wait_for_line(self, words: str, times: int = 1) -> None:
        """Wait until the log has so many lines with these words."""
        self._wait(lambda: sum(words in line for line in self.lines) >= times)

    def abort_when_silent(self) -> int:
        """Do what systemd does when WatchdogSec= has passed without a sign of life; the status."""
        assert self.process is not None, "nothing was started"
        until(lambda: time.monotonic() > self.heard_at + self.watchdog_s)
        self.process.send_signal(signal.SIGABRT)
        return self.process.wait(BOUND_S)

    def _count(self, line: str, life: int | None = None) -> int:
        life = self.lives if life is None else life
        return sum(1 for one, said in self.said if one == life and said == line)

    def _wait(self, happened: object) -> None:
        assert callable(happened), "something to be looked at"
        with self._changed:
            self._changed.wait_for(lambda: happened() or self.has_failed, BOUND_S)
            met = happened()
        assert met, f"it did not happen; said: {self.said[-20:]}; log: {self.lines[-20:]}"

    def listen_to_it(self) -> None:
        """Gather what it says until the socket is closed; run by a thread."""
        while True:
            try:
                message = self.notify.recv(4096).decode()
            except OSError:
                return
            if not message:
                return
            with self._changed:
                self.said += [(self.lives, line) for line in message.splitlines()]
                if "WATCHDOG=1" in message:
                    self.heard_at = time.monotonic()
                self._changed.notify_all()

    def _read_lines(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None, "standard error is a pipe"
        with process.stderr:
            for line in process.stderr:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        status = process.wait(BOUND_S)
        with self._changed:
            self.has_failed = status > 0
            self._changed.notify_all()


@contextlib.contextmanager
def activator(
    folder: Path, command: Sequence[str], environ: Mapping[str, str], watchdog_s: float = 30.0
) -> Iterator[Activator]:
    """Hold a socket in `folder` for the length of a block; nothing is started yet."""
    path, notify_path = str(folder / "botod.sock"), str(folder / "notify")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        listener.bind(path)
        listener.listen(1024)
        notify.bind(notify_path)
        one = Activator(path, command, environ, watchdog_s, listener, notify, notify_path)
        thread = threading.Thread(target=one.listen_to_it, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
                one.process.wait(BOUND_S)
            _wake(notify_path)
            thread.join(BOUND_S)


def _wake(notify_path: str) -> None:
    """An empty message ends the thread that listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", notify_path)


def until(happened: object, pause_s: float = 0.02, bound_s: float = BOUND_S) -> None:
    """Wait until something outside has happened, which nobody announces."""
    assert callable(happened), "something to be looked at"
    deadline = time.monotonic() + bound_s
    pause = threading.Event()  # nobody sets it: its wait is a sleep with a bound
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        pause.wait(pause_s)
