"""`botod log-level`: how much the log says."""

import json

import pytest

from botod.daemon.commands.log_level import main, report
from support.daemons import running_daemon


def test_of_all_and_of_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    """What holds is told, and is what the log then has."""
    with running_daemon({}) as daemon:
        asked = ("--socket", daemon.socket_path)
        assert main(["debug", "daemon.worker", *asked]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "until the next reload: info",
            "until the next reload: debug for botod.daemon.worker",
        ]
        assert main(["error", *asked]) == 0
        assert capsys.readouterr().out.splitlines()[0] == "until the next reload: error"
        daemon.wait_for_line("botod.log_level")


def test_a_module_that_is_none_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """Others' log whole answers: status 1."""
    with running_daemon({}) as daemon:
        assert main(["debug", "boto", "--socket", daemon.socket_path]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("botod: ")


def test_workers_that_are_alike_are_told_once() -> None:
    """By the level of all, then by the modules' names."""
    one = {"worker": 0, "level": "info", "modules": {"pool": "debug", "ipc": "error"}}
    assert list(report({"workers": [one, {**one, "worker": 1}]})) == [
        "until the next reload: info",
        "until the next reload: error for ipc",
        "until the next reload: debug for pool",
    ]


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Of each worker."""
    with running_daemon({}) as daemon:
        assert main(["warning", "--json", "--socket", daemon.socket_path]) == 0
    (told,) = json.loads(capsys.readouterr().out)["workers"]
    assert (told["worker"], told["level"], told["modules"]) == (0, "warning", {})


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, with the levels that there are."""
    with pytest.raises(SystemExit) as caught:
        main(["loud"])
    assert caught.value.code == 2
    assert "debug" in capsys.readouterr().err


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3."""
    assert main(["info", "--socket", "/no/such.sock"]) == 3
    assert "no daemon answers" in capsys.readouterr().err
