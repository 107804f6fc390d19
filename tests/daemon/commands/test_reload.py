"""`botod reload`: what of the file holds now."""

import json

import pytest

from botod.daemon.commands.reload import main, report
from support.daemons import running_daemon


def test_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """Named by their settings; without a change that there is none."""
    with running_daemon({}, expected=("need a restart",)) as daemon:
        asked = ["--socket", daemon.socket_path]
        assert main(asked) == 0
        assert capsys.readouterr().out == "reloaded; changed: no setting\n"
        daemon.configure({"limits": {"jobs": 7}, "daemon": {"workers": 2}})
        assert main(asked) == 0
        reloaded, restart = capsys.readouterr().out.splitlines()
        assert reloaded.startswith("reloaded; changed: ")
        assert "[limits] jobs" in reloaded
        assert restart == "these settings need a restart: [daemon] workers"


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, each of them; and all stays as it was."""
    with running_daemon({"limits": {"jobs": 9}}, expected=("not reloaded", "jobs = 0")) as daemon:
        daemon.configure({"limits": {"jobs": 0}})
        assert main(["--socket", daemon.socket_path]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "[limits] jobs = 0: has to be from 1" in err
        with daemon.connect() as connection:
            assert connection.call("botod.hello")["limits"]["jobs"] == 9


def test_workers_that_are_alike_are_told_once() -> None:
    """And those that differ each."""
    one = {"worker": 0, "changed": ["a"], "needs_restart": []}
    other = {"worker": 1, "changed": ["b"], "needs_restart": []}
    assert list(report({"workers": [one, {**one, "worker": 2}, other]})) == [
        "reloaded; changed: a",
        "reloaded; changed: b",
    ]


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Of each worker."""
    with running_daemon({}) as daemon:
        assert main(["--json", "--socket", daemon.socket_path]) == 0
    (told,) = json.loads(capsys.readouterr().out)["workers"]
    assert (told["worker"], told["changed"], told["needs_restart"]) == (0, [], [])


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3."""
    assert main(["--socket", "/no/such.sock"]) == 3
    assert "no daemon answers" in capsys.readouterr().err
