"""`botod cp` as a process of its own."""

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.daemons import BOUND_S
from support.tools import tool


class Copied:
    """What it left: its status, and what it wrote where."""

    def __init__(self, status: int, out: bytes, err: bytes) -> None:
        self.status = status
        self.out = out
        self.err = err.decode()

    @property
    def lines(self) -> list[str]:
        """Of standard error."""
        return self.err.splitlines()

    @property
    def outcome(self) -> tuple[int, bytes, str]:
        return self.status, self.out, self.err


def cp(*words: str | Path, stdin: bytes = b"", **options: Any) -> Copied:
    """Run it to its end, with pipes."""
    done = subprocess.run(
        [tool("botod"), "cp", *map(str, words)],
        input=stdin,
        capture_output=True,
        timeout=BOUND_S,
        check=False,
        **options,
    )
    return Copied(done.returncode, done.stdout, done.stderr)


def started(*words: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
    """Start it, with pipes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([tool("botod"), "cp", *map(str, words)], **(pipes | options))


class OnTerminal:
    """It on a terminal of its own, which it is the first process of."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid = pid
        self.terminal = terminal
        self.shown = b""

    def read_until(self, words: bytes) -> None:
        while words not in self.shown:
            self.shown += os.read(self.terminal, 4096)

    def finish(self) -> int:
        """Read to the end; its status as `os.waitstatus_to_exitcode` has it."""
        try:
            while data := os.read(self.terminal, 4096):
                self.shown += data
        except OSError:
            pass  # so it ends where nobody has the other side any more
        return self.wait()

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1


@contextmanager
def on_terminal(*words: str | Path) -> Iterator[OnTerminal]:
    """Start it on a terminal, which is closed at the end."""
    command = [tool("botod"), "cp", *map(str, words)]
    pid, terminal = pty.fork()
    if not pid:
        os.execv(command[0], command)
    one = OnTerminal(pid, terminal)
    try:
        yield one
    finally:
        one.close()


def tree_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, whatever they are called."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
