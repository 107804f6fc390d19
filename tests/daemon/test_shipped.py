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


def test_units_are_installed(tmp_path: Path) -> None:
    """Where systemd looks, readable for all; a configuration that is there stays, units do not."""
    command = [tool("botod"), "systemd-unit", "--install", "--root", str(tmp_path)]
    config, unit = tmp_path / systemd_unit.CONFIG, tmp_path / "etc/systemd/system/botod.service"
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=BOUND_S, check=True, umask=0o022
        )
        files = {str(file) for file in tmp_path.rglob("*") if file.is_file()}
        assert files == {str(tmp_path / place) for place in systemd_unit.PLACES.values()} | {
            str(config)
        }
        assert {Path(file).stat().st_mode & 0o777 for file in files} == {0o644}
        assert done.stdout.endswith(systemd_unit.NEXT)
        assert f"ExecStart={tool('botod')} run" in unit.read_text()
        assert (str(config) in done.stdout) == (config.read_text() != "[daemon]\n")
        config.write_text("[daemon]\n")
        unit.write_text("")


def test_units_cannot_be_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path and the reason are told."""
    (tmp_path / "etc").write_text("")
    assert systemd_unit.main(["--install", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"botod: {tmp_path}/etc/systemd/system: ")
