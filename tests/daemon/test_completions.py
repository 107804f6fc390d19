"""What shells complete after `botod`, in shells."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from botod.daemon.completions import SHELLS
from support.daemons import BOUND_S
from support.tools import tool

FOLDER = Path(__file__).parents[2] / "etc" / "completions"
FILES = {"bash": "botod", "zsh": "_botod", "fish": "botod.fish"}
LONG = pytest.mark.long


@pytest.mark.parametrize("shell", SHELLS)
def test_the_files_are_what_the_commands_say(shell: str) -> None:
    """Else: `make docs`."""
    text = (FOLDER / FILES[shell]).read_text(encoding="utf-8")
    assert text == "\n".join(SHELLS[shell]())


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=LONG)])
def test_a_shell_completes_what_is_typed(shell: str) -> None:
    """On a terminal, by the tabulator: a command, an option, an operation."""
    begin = {
        "bash": (["--norc", "-i"], f". {FOLDER}/botod"),
        "zsh": (
            ["-f", "-i"],
            f"fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -u -D",
        ),
    }
    options, load = begin[shell]
    with_terminal = Terminal([tool(shell), *options])
    try:
        with_terminal.type(f"{load}; echo rea''dy\n")
        with_terminal.read_until("ready")
        for typed, completed in [
            ("botod conf\t", "botod config "),
            ("botod call --bat\t", "botod call --batch "),
            ("botod call s3.list_buck\t", "botod call s3.list_buckets "),
            ("botod policy che\t", "botod policy check "),
        ]:
            with_terminal.type("\x15" + typed)
            with_terminal.read_until(completed)
    finally:
        with_terminal.close()


@LONG
def test_fish_completes_what_is_typed() -> None:
    """It says itself what it would."""
    typed = ["botod conf", "botod config sh", "botod call s3.list_b", "botod doctor --daem"]
    asked = "; ".join(f"complete -C '{words}'" for words in typed)
    done = subprocess.run(
        [tool("fish"), "--no-config", "-c", f"source {FOLDER}/botod.fish; {asked}"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    found = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert found == ["config", "show", "s3.list_buckets", "--daemon-user"]
    assert done.stderr == ""


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str]) -> None:
        self._master, slave = pty.openpty()
        environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "dumb", "PS1": "$ "}
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
        )
        os.close(slave)

    def type(self, keys: str) -> None:
        """Press these."""
        os.write(self._master, keys.encode())

    def read_until(self, words: str) -> None:
        """Wait until these are on the screen."""
        deadline, seen = time.monotonic() + BOUND_S, ""
        while words not in seen:
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"no {words!r} in {seen!r}"
            if select.select([self._master], [], [], left_s)[0]:
                seen += os.read(self._master, 65536).decode(errors="replace")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)
