"""`botod restart`: it returns when the new one answers."""

import json

import pytest

from botod.daemon.commands.restart import main
from support.daemons import EXPECTED_ANYWHERE, Daemon, running_daemon


def restarted(daemon: Daemon, *words: str) -> int:
    """The command's status."""
    return main(["--socket", daemon.socket_path, *words])


def test_a_daemon_begins_anew_with_what_is_in_its_file_now() -> None:
    """Its pid stays, and so does its socket; connections are made anew."""
    with running_daemon({}) as daemon, daemon.connect() as connection:
        before = connection.call("botod.hello")
        daemon.configure({"daemon": {"remember_s": 7}, "limits": {"jobs": 9}})
        assert restarted(daemon) == 0
        after = connection.call("botod.hello")
        assert after["pid"] == before["pid"] == daemon.process.pid
        assert (after["limits"]["remember_s"], after["limits"]["jobs"]) == (7, 9)
        assert daemon.stop() == 0
        assert sum("listening on" in line for line in daemon.lines) == 2


def test_what_would_not_start_is_not_begun(capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake is told, and the daemon goes on."""
    with running_daemon({}) as daemon:
        daemon.configure({"limits": {"jobs": 0}})
        assert restarted(daemon) == 1
        err = capsys.readouterr().err
        assert "not restarted: " in err
        assert "[limits] jobs = 0: has to be from 1 to 1000000" in err
        with daemon.connect() as connection:
            assert connection.call("botod.ping")["pid"] == daemon.process.pid
        assert daemon.stop() == 0
        assert sum("listening on" in line for line in daemon.lines) == 1


def test_nobody_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3, as of all commands."""
    assert main(["--socket", "/no/such.sock"]) == 3
    assert "no daemon answers at /no/such.sock" in capsys.readouterr().err


def test_one_that_does_not_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be known before: the file that it needs is gone by then."""
    expected = (*EXPECTED_ANYWHERE, "Traceback")
    with running_daemon({}, expected=expected) as daemon:
        daemon.process.kill()
        daemon.wait()
        assert restarted(daemon, "--timeout", "0.1") == 3
    assert "no daemon answers" in capsys.readouterr().err


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What the one that is about to begin anew says of itself."""
    with running_daemon({}) as daemon:
        assert restarted(daemon, "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert told.keys() == {"pid", "version"}
        assert told["pid"] == daemon.process.pid
