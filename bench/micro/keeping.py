"""What is done about each job besides: a slot, numbers, a line in the log, an audit record."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from botod.daemon.audit import Audit, lost_line
from botod.daemon.config import Config
from botod.daemon.job_line import JobLog
from botod.daemon.line_sinks import FileSink
from botod.daemon.line_writer import LineWriter
from botod.daemon.logs import Logs
from botod.daemon.metrics.job_figures import JobFigures
from botod.daemon.moved import Moved
from botod.daemon.policy import Permit
from botod.daemon.settings import LogSettings
from botod.daemon.verdicts import Decision
from botod.ipc.exchange import Sender
from botod.pool.queue import SlotQueue
from botod.pool.times import Times, clock
from micro.decisions import job_on
from micro.piece import Piece

NOWHERE = "/dev/null"

HEAD = [
    b"HTTP/1.1 200 OK\r\n", b"Date: Sat, 28 Nov 2026 19:30:16 GMT\r\n", b"x-amz-id-2: eftixk\r\n",
    b"x-amz-request-id: 0A49CE4060975EAC\r\n", b"Content-Type: text/plain\r\n",
]  # fmt: skip


def pieces() -> Iterator[Piece]:
    """Each as it is in the daemon."""
    queue, figures, times = SlotQueue(size=64, max_waiting=100), JobFigures(), Times()

    def slot() -> None:
        assert queue.acquire_nowait(now=0.0), "one is free"
        queue.release(now=0.0)

    def read_clocks() -> None:
        times.transferred(clock(), clock(), clock(), clock())

    run = a_run()
    yield Piece("admission: a slot taken and given back", 3.0, slot)
    yield Piece("metrics: a job is counted", 2.5, lambda: figures.ended(run, None, 0.02))
    yield Piece("metrics: a transfer is timed", 0.5, read_clocks)
    for form in ("text", "json"):
        config = replace(Config(), log=LogSettings(file=NOWHERE, format=form))
        log = JobLog(Logs(config, worker=None))
        yield Piece(f"log: a job's line, {form}", 20.0, lambda log=log: log.ended(run, None, 0.01))
    audit = asyncio.run(an_audit())
    trace = audit.tracing.trace("GET", "http://h:80")
    trace.is_sent = True
    trace.answered(b"200", HEAD)
    run.job.terms.traces.append(trace)
    yield Piece("audit: a job's record", 25.0, lambda: audit.ended(run, None, 0.01))


async def an_audit() -> Audit:
    """A record that goes nowhere; to be made, it needs a loop."""
    writer = LineWriter(FileSink(NOWHERE), room_bytes=1 << 30, lost=lost_line, name="audit")
    return Audit(writer, refuses=True)


def a_run() -> Any:
    """A job that is over, as all of these look at it."""
    job = job_on("photos/2026/cat.jpg")
    job.terms.count_attempt()
    moved = Moved()
    moved.received_bytes = 1024
    return SimpleNamespace(
        job=job, permit=Permit(None, ("photos/2026/cat.jpg",), Decision(True, None, None)),
        sender=Sender(4711, 33, 33, 1), unit="web.service", number=1, moved=moved,
        together=None, is_elsewhere=False,
    )  # fmt: skip
