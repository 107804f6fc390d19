"""`botod show`: tables of what is inside."""

import json
import os

import pytest

from botod.daemon.commands.show import main
from botod.daemon.show_tables import COLUMNS
from support.daemons import Daemon, endpoints, running_daemon
from support.http_server import HttpServer


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    """The cells of a table, its titles first."""
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in (lines[0], *lines[2:-1])]
    assert lines[-1] == f"({len(rows) - 1} {'row' if len(rows) == 2 else 'rows'})"
    return rows


@pytest.mark.parametrize("what", COLUMNS)
def test_each_table(what: str, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Its titles, without that of the worker where there is one; the same as JSON."""
    titles, *_rows = shown(capsys, what)
    assert titles == [title for title, _tell in COLUMNS[what] if title != "worker"]
    assert main([what, "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_pools_and_peers(
    daemon: Daemon, aws: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host with its requests, and each connection, that of this command among them."""
    with daemon.connect() as connection:
        connection.call("s3.get_object", {"Bucket": "photos", "Key": "cat.jpg"})
        titles, row = shown(capsys, "pools")
        found = dict(zip(titles, row, strict=True))
        assert found["origin"] == f"http://127.0.0.1:{aws.port}"
        assert (found["profile"], found["leased"], found["health"]) == ("default", "0", "good")
        _titles, *rows = shown(capsys, "peers")
        assert [row[1:3] for row in rows] == [[str(os.getpid()), str(os.geteuid())]] * 2


def test_what_of_a_file_cannot_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    """What holds is shown; the mistake is named, and the status is 1."""
    with running_daemon(endpoints(1)) as daemon:
        daemon.configure({"limits": {"jobs": 0}})
        assert main(["config", "--socket", daemon.socket_path]) == 1
        out, err = capsys.readouterr()
        assert "job_timeout_s" in out
        assert "[limits] jobs = 0: has to be from 1" in err


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, with the tables that there are."""
    with pytest.raises(SystemExit) as caught:
        main(["nothing"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert all(what in err for what in COLUMNS)


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3."""
    assert main(["jobs", "--socket", "/no/such.sock"]) == 3
    assert "no daemon answers at /no/such.sock" in capsys.readouterr().err
