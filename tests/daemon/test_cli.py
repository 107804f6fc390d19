"""The command `botod`: its subcommands, each loaded only when asked for."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.cli import COMMANDS, main
from support.daemons import BOUND_S, clean_environ


@pytest.mark.parametrize("words", [["strat"], [], ["--no-such-option"]])
def test_what_is_no_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and how to use it."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: botod" in capsys.readouterr().err


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with pytest.raises(SystemExit):
        main(["strat"])
    err = capsys.readouterr().err
    assert "strat" in err
    assert all(name in err for name in COMMANDS)


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its words."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {words}" in out for name, words in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_module(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a `main` whose own help names the command."""
    module = importlib.import_module(f"botod.daemon.commands.{name.replace('-', '_')}")
    assert callable(module.main)
    try:
        status = main([name, "--help"])
    except SystemExit as ended:
        status = ended.code
    assert status == 0
    assert f"usage: botod {name}" in capsys.readouterr().out


def test_the_status_of_the_command_is_the_process_s(tmp_path: Path) -> None:
    """And its words are its own: nothing of the rest of the line is read by `botod` itself."""
    done = subprocess.run(
        [sys.executable, "-m", "botod.daemon.cli", "call", "botod.ping", "--socket", "/no/x"],
        env=clean_environ(tmp_path),
        capture_output=True,
        check=False,
        timeout=BOUND_S,
    )
    assert done.returncode == 3
    assert done.stderr.startswith(b"botod: no daemon answers at /no/x")
