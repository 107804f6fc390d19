"""`botod status`: for a person and for a program."""

import json
import os
from typing import Any, cast

import pytest

from botod.daemon.commands.status import main, report
from support.daemons import Daemon
from support.http_server import HttpServer

STATUS = {
    "version": "1.2.3",
    "pid": 77,
    "uptime_s": 61.7,
    "jobs": {
        "running_num": 3,
        "jobs_total": 1000,
        "failed_total": 4,
        "joined_total": 0,
        "remembered_num": 0,
    },
    "buffered_bytes": 0,
    "refused_by_limit": {},
    "visits": {
        "visits_num": 5000,
        "longest_s": 0.0123,
        "over_10ms_num": 2,
        "over_100ms_num": 1,
    },
    "total": {"slots_num": 8, "leased_num": 2, "claiming_num": 1},
    "pools": [
        {
            "origin": "https://s3.eu-central-1.amazonaws.com:443",
            "leased_num": 2,
            "slots_num": 64,
            "waiting_num": 5,
            "polls_slots_num": 48,
            "polls_leased_num": 0,
            "polls_waiting_num": 0,
            "sockets": {"open_num": 6, "opened_total": 7, "reused_total": 8},
            "health": {"state": "resting"},
        }
    ],
    "peers": [
        {"pid": 11, "uid": 12, "in_flight_num": 13, "requests_total": 14, "unread_bytes": 15}
    ],
}


def test_the_report() -> None:
    """A line a thing, with its numbers."""
    assert list(report(STATUS)) == [
        "botod 1.2.3, pid 77, up 62 s",
        "jobs    3 running, 1000 so far, 4 failed",
        "visits  5000, longest 12.3 ms, 2 over 10 ms, 1 over 100 ms",
        "total   2 slots in use, 8 at most; 1 hosts kept waiting by it",
        (
            "pool    https://s3.eu-central-1.amazonaws.com:443: 2 of 64 slots in use, 5 waiting; "
            "sockets 6 open, 7 opened, 8 reused; host resting"
        ),
        "peer    pid 11 uid 12: 13 in flight, 14 requests, 15 bytes unread",
    ]


def test_the_report_without_a_total() -> None:
    """That there is no bound is said too."""
    total = {"slots_num": None, "leased_num": 2, "claiming_num": 0}
    lines = list(report(STATUS | {"total": total}))
    assert lines[3] == "total   2 slots in use, no bound; 0 hosts kept waiting by it"


def test_the_polls_of_a_host() -> None:
    """How many of its slots they have, and may have; one that waits is a reason to say it."""
    (pool,) = cast("list[dict[str, Any]]", STATUS["pools"])
    polls = {"polls_leased_num": 48, "polls_waiting_num": 152}
    line = list(report(STATUS | {"pools": [pool | polls]}))[4]
    assert "5 waiting; polls 48 of 48 slots, 152 waiting; sockets 6 open" in line


def test_what_is_usually_nought() -> None:
    """Keys, memory and refusals have a line when there is something to say."""
    jobs: Any = STATUS["jobs"]
    status = STATUS | {
        "jobs": jobs | {"joined_total": 5, "remembered_num": 6},
        "buffered_bytes": 70_000,
        "refused_by_limit": {"in_flight_per_peer": 8, "jobs": 9},
    }
    assert list(report(status))[2:5] == [
        "keys    5 requests joined another's job, 6 outcomes remembered",
        "memory  70000 bytes held for peers",
        "refused 8 by in_flight_per_peer, 9 by jobs",
    ]


def test_of_a_running_daemon(
    daemon: Daemon, aws: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its pools and peers, this command among them."""
    with daemon.connect() as connection:
        connection.call("s3.get_object", {"Bucket": "photos", "Key": "cat.jpg"})
        assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("botod ")
    assert f"pid {daemon.process.pid}," in lines[0]
    assert any(line.startswith(f"pool    http://127.0.0.1:{aws.port}: 0 of 64") for line in lines)
    mine = f"peer    pid {os.getpid()} uid {os.geteuid()}: "
    assert sum(line.startswith(mine) for line in lines) == 2


def test_as_json(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """All figures, and nothing but JSON."""
    assert main(["--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["pid"] == daemon.process.pid
    assert status["total"] == {
        "slots_num": None,
        "leased_num": 0,
        "polls_leased_num": 0,
        "claiming_num": 0,
    }
    assert status.keys() == {
        "pid", "version", "uptime_s", "peers", "jobs", "total", "pools", "visits",
        "buffered_bytes", "buffered_max_bytes", "refused_by_limit", "keys", "retries",
        "slow_visits", "operations", "errors", "history",
    }  # fmt: skip


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3, as `botod call`."""
    assert main(["--socket", "/no/such.sock"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("botod: no daemon answers at /no/such.sock: ")
    assert err.count("\n") == 1


def test_a_refusal(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1 and the daemon's words."""
    monkeypatch.setattr("botod.daemon.commands.status.TIMEOUT_S", 10.0)
    monkeypatch.setattr("botod.ipc.client.Connection.call", _refused)
    assert main([]) == 1
    assert capsys.readouterr().err == "botod: user 7 may not call botod.status (-32003)\n"


def _refused(*_arguments: object) -> None:
    from botod.ipc import Code, RpcError  # noqa: PLC0415 - this test's only

    raise RpcError(Code.ACCESS_DENIED, "user 7 may not call botod.status")


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, from the command's own parser."""
    with pytest.raises(SystemExit) as caught:
        main(["--jsno"])
    assert caught.value.code == 2
    assert "usage: botod status" in capsys.readouterr().err


def test_the_workers_have_a_line_each() -> None:
    """Where there are several."""
    worker = {"pid": 78, "uptime_s": 61, "peers_num": 2, "running_num": 1}
    workers = [
        {"number": 0, "is_leader": False, **worker},
        {"number": 1, "is_leader": True, **worker},
    ]
    assert list(report(STATUS | {"workers": workers}))[1:3] == [
        "worker  0: pid 78, up 61 s, 2 peers, 1 jobs running",
        "worker  1: pid 78, up 61 s, 2 peers, 1 jobs running, leads",
    ]
