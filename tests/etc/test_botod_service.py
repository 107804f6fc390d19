"""etc/botod.service is a unit that systemd takes."""

import subprocess
from pathlib import Path

import pytest

from support.tools import tool

UNIT = (Path(__file__).parents[2] / "etc" / "botod.service").read_text(encoding="utf-8")
INSTALLED = "/usr/local/bin/botod"


def verified(folder: Path, unit: str) -> "subprocess.CompletedProcess[str]":
    """What systemd says of a unit."""
    file = folder / "botod.service"
    file.write_text(unit, encoding="utf-8")
    return subprocess.run(
        [tool("systemd-analyze"), "verify", "--recursive-errors=yes", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Every line is known; the command is where it is installed here."""
    assert f"ExecStart={INSTALLED} run --config /etc/botod/botod.toml\n" in UNIT
    done = verified(tmp_path, UNIT.replace(INSTALLED, tool("botod")))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "mistake"),
    [("Type=exec", "Type=exact"), (INSTALLED, "/nowhere/botod"), ("PrivateTmp", "PrivateTemp")],
)
def test_the_check_sees_a_mistake(line: str, mistake: str, tmp_path: Path) -> None:
    """A wrong value, a command that is not there, an unknown setting: each is told."""
    unit = UNIT.replace(INSTALLED, tool("botod")) if line != INSTALLED else UNIT
    done = verified(tmp_path, unit.replace(line, mistake))
    assert done.stderr
