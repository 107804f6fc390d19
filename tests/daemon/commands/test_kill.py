"""`botod kill`: a job, or a connection; who waits is told in tests/e2e/test_console.py."""

import json

import pytest

from botod.daemon.commands.kill import main
from botod.ipc.errors import Cancelled
from support.daemons import Daemon


def test_a_connection(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """It is closed, and the id is told."""
    with daemon.connect() as connection:
        (peer,) = connection.call("botod.status")["peers"]
        assert main([peer["id"]]) == 0
        assert capsys.readouterr().out == f"killed: {peer['id']}\n"
        with pytest.raises(Cancelled, match="an administrator closed the connection"):
            connection.call("s3.get_object", {"Bucket": "photos", "Key": "cat.jpg"})


@pytest.mark.parametrize("name", ["j0-0000-999999", "p0-0000-999999"])
def test_who_is_not_there(name: str, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, and where ids are; as JSON as well."""
    assert main([name]) == 1
    assert capsys.readouterr() == (
        "", f"botod: there is no {name}: botod show jobs, botod show peers\n",
    )  # fmt: skip
    assert main([name, "--json"]) == 1
    (worker,) = json.loads(capsys.readouterr().out)["workers"]
    assert worker["killed"] is False


def test_what_is_no_id(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, and the daemon's words."""
    assert main(["everybody"]) == 1
    assert capsys.readouterr().err.startswith("botod: ")


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2: nothing is killed for want of a name."""
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "usage: botod kill" in capsys.readouterr().err


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3."""
    assert main(["j0-3f2a-1", "--socket", "/no/such.sock"]) == 3
    assert "no daemon answers" in capsys.readouterr().err
