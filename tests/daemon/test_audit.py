"""The audit record of one worker: what stands in it, and what happens when it cannot be written."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.audit import OWED_BYTES, Audit, lost_line
from botod.daemon.ledger import Ledger
from botod.daemon.line_sinks import FileSink
from botod.daemon.line_writer import LineWriter
from botod.ipc.errors import Code, RpcError
from botod.ipc.limits import Refusals
from botod.ipc.protocol import Request
from support.accounts import records_of
from support.loops import run
from support.rigs import SENDER


def audit_at(path: Path | str, *, refuses: bool = True, room_bytes: int = 1 << 20) -> Audit:
    """The record of worker 3, in a file."""
    sink = FileSink(str(path), 0o600)
    writer = LineWriter(sink, room_bytes=room_bytes, lost=lost_line, name="audit")
    return Audit(writer, refuses=refuses, worker=3)


def written(path: Path, happens: Any) -> list[dict[str, Any]]:
    """What is recorded of what happens, without its beginning and end."""

    async def scenario() -> None:
        audit = audit_at(path)
        happens(audit)
        await asyncio.sleep(0)
        audit.finish()
        assert audit.close()

    run(scenario)
    first, *records, last = records_of(path)
    assert (first["event"], last["event"]) == ("started", "stopped")
    assert all(record.pop("worker") == 3 and record.pop("time")[-1] == "Z" for record in records)
    return records


def test_what_the_wire_refuses(tmp_path: Path) -> None:
    """Who sent it, as what, and why not; a method is cut. An idle connection asked for nothing."""

    def happens(audit: Audit) -> None:
        ledger = Ledger(audit=audit)
        data = {"limit": "in_flight_per_peer", "secret": "none"}
        ledger.refused_unread(SENDER, "x" * 1000, RpcError(Code.OVERLOADED, "too many", data))
        ledger.refused_unread(SENDER, "", RpcError(Code.IDLE, "idle"))

    (record,) = written(tmp_path / "audit", happens)
    assert record == {
        "event": "refused",
        "uid": SENDER.uid,
        "gid": SENDER.gid,
        "pid": SENDER.pid,
        "unit": None,
        "connection": SENDER.connection_id,
        "method": "x" * 100,
        "rule": None,
        "outcome": "error",
        "code": -32005,
        "limit": "in_flight_per_peer",
    }


def test_acts_of_an_administrator(tmp_path: Path) -> None:
    """As each begins and as it ends, with words and numbers of its params, no bytes."""

    def happens(audit: Audit) -> None:
        params = {"level": "debug", "bytes": b"body", "n": 1, "long": "x" * 1000}
        request = Request(1, False, "botod.log_level", params, {})
        for error in (None, RpcError(Code.INVALID_PARAMS, "no such module")):
            audit.asked(SENDER, "web.service", request)(error)

    records = written(tmp_path / "audit", happens)
    assert [record["event"] for record in records] == ["admin", "admin_ended"] * 2
    for record in records:
        assert (record["method"], record["unit"]) == ("botod.log_level", "web.service")
        assert record["params"] == {"level": "debug", "n": "1", "long": "x" * 100}
    fates = [(record.get("outcome"), record.get("code")) for record in records]
    assert fates == [(None, None), ("ok", None), (None, None), ("error", -32602)]


def test_a_request_that_nobody_told_of(tmp_path: Path) -> None:
    """It stands by itself, with its server."""

    def happens(audit: Audit) -> None:
        trace = audit.tracing.trace("HEAD", "http://h:80")
        trace.is_sent = True
        trace.answered(b"200", [b"x-amz-request-id: R1\r\n"])

    (record,) = written(tmp_path / "audit", happens)
    (request,) = record.pop("requests")
    assert record == {"event": "request", "method": "HEAD", "server": "http://h:80"}
    assert (request["status"], request["request_id"]) == (200, "R1")


def test_no_job_begins_without_room_for_its_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted as a limit, and whoever asks is told when to come back."""

    async def scenario() -> None:
        refusals = Refusals()
        audit = audit_at(tmp_path / "audit", room_bytes=OWED_BYTES - 1)
        with pytest.raises(RpcError) as caught:
            audit.admit(refusals)
        assert caught.value.code == Code.OVERLOADED
        assert caught.value.data["limit"] == "audit"
        assert refusals.by_limit() == {"audit": 1}
        audit.refuses = False
        audit.admit(refusals)
        audit.close()

    run(scenario)
    (told,) = caplog.records
    assert told.getMessage() == "the audit record cannot be written: no room; no job begins"
    caplog.clear()


def test_what_was_lost_is_told() -> None:
    """How many records, and why."""
    record = json.loads(lost_line(7, "No space left on device"))
    assert (record["event"], record["records"]) == ("lost", 7)
