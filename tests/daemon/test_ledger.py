"""What became of each request is told once, to all who keep account."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.audit import MAX_NAME, Audit, lost_line
from botod.daemon.ledger import JobCounts, Ledger
from botod.daemon.line_sinks import FileSink
from botod.daemon.line_writer import LineWriter
from botod.ipc.errors import Code, RpcError
from support.accounts import records_of
from support.loops import until
from support.rigs import ON_KEY, SENDER, rig, run
from support.services import Held, reply, s3_error

STRANGER = dataclasses.replace(SENDER, uid=SENDER.uid + 12_345)


def audit_at(path: Path) -> Audit:
    """A record in a file. Needs the running loop."""
    writer = LineWriter(FileSink(str(path)), room_bytes=1 << 20, lost=lost_line, name="audit")
    return Audit(writer, refuses=True)


def recorded(audit: Audit, path: Path) -> list[dict[str, Any]]:
    """All but the beginning and the end, once it is written."""
    audit.finish()
    assert audit.close()
    return records_of(path)[1:-1]


def test_each_request_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A job that was done, one that failed, one that may not be: counted, logged and recorded."""
    caplog.set_level(logging.INFO, "botod.daemon.ledger")

    async def main() -> None:
        audit = audit_at(tmp_path / "audit")
        async with rig(
            s3_error("NoSuchKey", "none", "404 Not Found"), ledger=Ledger(audit=audit)
        ) as one:
            await one.error("s3.get_object", ON_KEY)
            await one.error("s3.get_object", ON_KEY, sender=STRANGER)
            await one.error("botod.pose")
            assert one.ledger.counts == JobCounts(jobs_total=1, failed_total=1)
        records = recorded(audit, tmp_path / "audit")
        assert [(one["event"], one["uid"], one["code"]) for one in records] == [
            ("job", SENDER.uid, Code.SERVICE_ERROR),
            ("refused", STRANGER.uid, Code.ACCESS_DENIED),
            ("refused", SENDER.uid, Code.METHOD_NOT_FOUND),
        ]

    run(main())
    (line,) = [one for one in caplog.messages if one.startswith("job ")]
    assert line.startswith("job s3.get_object NoSuchKey attempts=1 ")


def test_who_joins_a_job_is_told_apart(tmp_path: Path) -> None:
    """While it runs, and when it is remembered; there was one job."""
    held = Held(reply(b"miaow"))

    async def main() -> None:
        audit = audit_at(tmp_path / "audit")
        async with rig(held, ledger=Ledger(audit=audit)) as one:
            first = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            second = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            held.release.set()
            assert await first.result() == await second.result()
            await one.call("s3.get_object", ON_KEY, idempotency_key="k")
            assert one.ledger.counts == JobCounts(jobs_total=1, joined_total=2)
        joined, job, remembered = recorded(audit, tmp_path / "audit")
        assert (joined["event"], joined["joined"]) == ("joined", job["job"])
        assert (job["event"], job["outcome"]) == ("job", "ok")
        assert (remembered["joined"], remembered["outcome"]) == ("remembered", "ok")

    run(main())


def test_who_waits_for_the_end_of_a_job_is_told(tmp_path: Path) -> None:
    """With its name; what comes of it then is a job of its own."""
    held = Held(reply(b"miaow"))

    async def main() -> None:
        audit = audit_at(tmp_path / "audit")
        async with rig(held, ledger=Ledger(audit=audit)) as one:
            first = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            await until(held.arrived.is_set)
            first.exchange.cancel()
            second = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            held.release.set()
            assert (await second.result())["Body"] == b"miaow"
            assert one.ledger.counts == JobCounts(jobs_total=2, failed_total=1)
        waits, cancelled, done = recorded(audit, tmp_path / "audit")
        assert (waits["event"], waits["waits_for"]) == ("waits", cancelled["job"])
        assert (cancelled["outcome"], done["outcome"]) == ("cancelled", "ok")

    run(main())


def test_without_record_and_log_no_unit_is_looked_for(caplog: pytest.LogCaptureFixture) -> None:
    """It would be two files under /proc for each connection."""
    caplog.set_level(logging.WARNING, "botod.daemon.ledger")

    async def main() -> None:
        async with rig(reply(b"miaow")) as one:
            await one.call("s3.get_object", ON_KEY)
            one.ledger.refused_unread(SENDER, "", RpcError(Code.PARSE_ERROR, "no JSON"))
            assert one.ledger._units._known == {}
            assert one.ledger.counts.jobs_total == 1

    run(main())
    assert not [one for one in caplog.records if one.name == "botod.daemon.ledger"]


def test_a_name_that_can_be_none_is_cut(tmp_path: Path) -> None:
    """No peer has megabytes written for it."""

    async def main() -> None:
        audit = audit_at(tmp_path / "audit")
        async with rig(reply(b"{}"), ledger=Ledger(audit=audit)) as one:
            table = {"TableName": "t" * 500_000, "Key": {}}
            await one.call("dynamodb.get_item", table)
        (record,) = recorded(audit, tmp_path / "audit")
        assert record["resources"] == ["t" * MAX_NAME]

    run(main())
