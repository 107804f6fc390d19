"""The files of etc/, as they come with the package."""

import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon import shipped
from botod.daemon.commands import supervisor_conf, systemd_unit
from support.daemons import BOUND_S
from support.tools import tool

ETC = Path(__file__).parents[2] / "etc"


def test_all_units_are_there() -> None:
    """And nothing that is not for systemd."""
    units = shipped.units()
    assert "botod.service" in units
    assert not set(units) & {"botod.toml", "supervisord.conf"}
    assert all(shipped.shipped(name) == (ETC / name).read_text() for name in units)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["systemd-unit"], "ExecStart={} run --config /etc/botod/botod.toml"),
        (["supervisor-conf"], "command = {} run --config %(here)s/botod.toml"),
    ],
)
def test_the_command_s_own_path_stands_there(words: list[str], line: str) -> None:
    """What is printed starts the program that printed it."""
    botod = tool("botod")
    done = subprocess.run(
        [botod, *words], capture_output=True, text=True, timeout=BOUND_S, check=True
    )
    assert line.format(botod) in done.stdout.splitlines()


def test_another_program_s_path_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the command is called in another way, the files are as they are."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert systemd_unit.main(["botod.service"]) == 0
    assert capsys.readouterr().out == (ETC / "botod.service").read_text()
    assert supervisor_conf.main([]) == 0
    assert f"command = {shipped.ELSEWHERE} run" in capsys.readouterr().out


def test_a_file_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that there are, are named."""
    with pytest.raises(SystemExit):
        systemd_unit.main(["../botod.toml"])
    assert "botod.service" in capsys.readouterr().err
