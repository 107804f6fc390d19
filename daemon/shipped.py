"""The files of etc/, which come with the package: configuration, for systemd, for supervisor."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "etc"
"""Beside the package, in the source tree as where it is installed."""

UNIT_ENDS = (".service", ".socket", ".sysusers.conf", ".tmpfiles.conf")

ELSEWHERE = "/usr/local/bin/botod"
"""Where the units have the program."""


def units() -> list[str]:
    """The names of all that is for systemd."""
    return sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(UNIT_ENDS))


def shipped(name: str) -> str:
    """A file of etc/, as text."""
    return (FOLDER / name).read_text(encoding="utf-8")


def program() -> str:
    """The path of the command that runs, for who is to start it; where units have it, else."""
    path = Path(sys.argv[0]).absolute()
    return str(path) if path.name == "botod" and path.is_file() else ELSEWHERE
