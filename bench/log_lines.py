"""What a line of the log, an audit record and a trace cost the loop, beside the standard library's.

python bench/log_lines.py
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botod.daemon.audit import Audit, lost_line
from botod.daemon.config import Config
from botod.daemon.job import Job
from botod.daemon.job_line import JobLog
from botod.daemon.line_sinks import FileSink
from botod.daemon.line_writer import LineWriter
from botod.daemon.logs import Logs
from botod.daemon.moved import Moved
from botod.daemon.options import DEFAULTS
from botod.daemon.policy import Permit
from botod.daemon.services import SERVICES
from botod.daemon.settings import LogSettings
from botod.daemon.verdicts import Decision
from botod.ipc.exchange import Sender
from botod.pool import Terms

TIMES = 20_000

HEAD = [
    b"HTTP/1.1 200 OK\r\n", b"Date: Sat, 28 Nov 2026 19:30:16 GMT\r\n", b"x-amz-id-2: eftixk\r\n",
    b"x-amz-request-id: 0A49CE4060975EAC\r\n", b"Content-Type: text/plain\r\n",
]  # fmt: skip


def a_run() -> Any:
    """A job that is over, as log and record look at it."""
    operation = SERVICES["s3"].operations["get_object"]
    terms = Terms()
    terms.count_attempt()
    job = Job("s3", "get_object", operation, {}, DEFAULTS, 0.0, terms)
    permit = Permit(None, ("photos/2026/cat.jpg",), Decision(True, None, None))
    return SimpleNamespace(
        job=job, permit=permit, sender=Sender(4711, 33, 33, 1), unit="web.service", number=1,
        moved=Moved(0, 1024), together=None, is_elsewhere=False,
    )  # fmt: skip


def cost(name: str, do: Callable[[], object]) -> None:
    """Print the CPU time of the calling thread, and of the process, for each call."""
    loop, whole = time.thread_time(), time.process_time()
    for _ in range(TIMES):
        do()
    loop, whole = time.thread_time() - loop, time.process_time() - whole
    print(f"{name:34} {loop / TIMES * 1e6:5.1f} us, with its thread {whole / TIMES * 1e6:5.1f}")


def stdlib() -> None:
    """A plain line, with what a job's had before."""
    plain = logging.getLogger("plain")
    plain.propagate = False
    with Path("/dev/null").open("w") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        plain.addHandler(handler)
        plain.setLevel(logging.INFO)
        line = "job s3.get_object ok attempts=1 took_ms=12.3 received_bytes=1024"
        cost("standard library, fewer fields", lambda: plain.info("%s", line))


async def ours() -> None:
    """Job lines in both forms, a record, a trace."""
    run = a_run()
    for form in ("text", "json"):
        config = replace(Config(), log=LogSettings(file="/dev/null", format=form))
        log = JobLog(Logs(config, worker=None).job_logger("botod.daemon.ledger"))
        cost(f"a job's line, {form}", partial(log.ended, run, None, 0.01234))
    writer = LineWriter(FileSink("/dev/null"), room_bytes=1 << 30, lost=lost_line, name="audit")
    audit = Audit(writer, refuses=True)
    trace = audit.tracing.trace("GET", "http://h:80")
    trace.is_sent = True
    trace.answered(b"200", HEAD)
    run.job.terms.traces.append(trace)
    cost("an audit record", lambda: audit.ended(run, None, 0.01234))
    cost("a trace", lambda: audit.tracing.trace("GET", "http://h:80").answered(b"200", HEAD))


stdlib()
asyncio.run(ours())
