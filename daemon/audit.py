"""The audit record: a JSON line about every request, refusal, act of an administrator and reload.

It is apart from the log, and complete: no level, no limit on repeats. Each request to a server
stands in it with a number of its own, in the record of the job it was made for, or of each job
where several shared it; one that was made for none, or that outlived its jobs, stands by itself.
"""

import asyncio
import json
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from botod.daemon.job import ROOM_AFTER_MS, Job
from botod.daemon.line_writer import LineWriter
from botod.daemon.log_format import iso_time
from botod.daemon.policy import MAX_METHOD, Denied, Permit
from botod.daemon.roles import Actor
from botod.daemon.runs import Run
from botod.daemon.verdicts import Decision
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome, Sender
from botod.ipc.limits import Refusals
from botod.ipc.protocol import Request
from botod.pool.traces import Trace, Tracing

logger = logging.getLogger(__name__)

ROOM_BYTES = 32 * 1024 * 1024
"""Of records that wait to be written: some 60,000, six seconds' at the highest rate."""

OWED_BYTES = 1024
"""Kept free for the record of each job that runs: twice what most take."""

MAX_WORD = 100
"""Characters of a param of an own method."""

MAX_NAME = 4096
"""Characters of a resource's name. AWS's longest have 2,048; what is longer was never one."""

READING = frozenset({
    "botod.gates", "botod.hello", "botod.metrics", "botod.ping", "botod.show", "botod.status",
})  # fmt: skip
"""Own methods that change nothing, and are asked all the time."""

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class Audit:
    """Writes the record of one process.

    writer: what takes the lines. refuses: whether no job begins while they cannot be written.
    worker: of several, which one. tracing: for the pool that makes the requests.
    """

    def __init__(self, writer: LineWriter, *, refuses: bool, worker: int | None = None) -> None:
        """Needs the running loop."""
        self.refuses = refuses
        self.tracing = Tracing(self._untold)
        self._writer = writer
        self._worker = worker
        self._process = secrets.token_hex(4)  # a pid may be another process's before
        self._running_num = 0
        self._forgotten: deque[dict[str, Any]] = deque()
        self._loop = asyncio.get_running_loop()
        self._was_failing = False
        self._write(self._begun("started") | {"pid": os.getpid()}, is_owed=True)

    def admit(self, refusals: Refusals) -> None:
        """Raise OVERLOADED, which `refusals` count, if no job may begin: nothing keeps it."""
        failure = self._writer.failure
        is_failing = failure is not None or not self._writer.has_room(
            (self._running_num + 1) * OWED_BYTES
        )
        if is_failing != self._was_failing:
            self._was_failing = is_failing
            self._tell_log(failure)
        if is_failing and self.refuses:
            words = "the audit record cannot be written, and no job is run without it"
            raise refusals.error("audit", words, retry_after_ms=ROOM_AFTER_MS)

    def began(self) -> None:
        """Room is kept for a job's record until its end."""
        self._running_num += 1

    def ended(self, run: Run, error: RpcError | None, took_s: float) -> None:
        """A job is over, and with it all that it asked of servers."""
        self._running_num -= 1
        job, permit, moved = run.job, run.permit, run.moved
        record = self._begun_by("job", run.sender, run.unit, job.method, run.number)
        _add_job(record, job, permit.resources, permit.decision, permit.actor)
        if not permit.decision.is_allowed:
            record["would_be_refused"] = True  # policy_mode is audit
        _add_fate(record, error)
        if run.is_elsewhere:
            record["joined"] = "another worker's"
        record["attempts"] = job.terms.attempts_num
        record["requests"] = self._requests(job.terms.traces)
        record["queued_ms"] = round(job.terms.times.queue_s * 1000, 1)
        record["took_ms"] = round(took_s * 1000, 1)
        record["sent_bytes"] = moved.sent_bytes
        record["received_bytes"] = moved.received_bytes
        if run.together is not None:
            record["batch_entry"], record["batch_size"] = run.together
        self._write(record, is_owed=True)

    def joined(
        self, sender: Sender, unit: str | None, job: Job, permit: Permit, found: Run | Outcome
    ) -> None:
        """A request has what another comes to, or came to."""
        record = self._begun_by("joined", sender, unit, job.method)
        _add_job(record, job, permit.resources, permit.decision, permit.actor)
        if isinstance(found, Run):
            record["joined"] = self._job(found.number)
        else:
            record["joined"] = "remembered"
            _add_fate(record, found.error)
        self._write(record)

    def waits(self, sender: Sender, unit: str | None, job: Job, run: Run) -> None:
        """A request waits for the end of another; what becomes of it then is told then."""
        record = self._begun_by("waits", sender, unit, job.method)
        record["waits_for"] = self._job(run.number)
        self._write(record)

    def refused(
        self, sender: Sender, unit: str | None, method: str, error: RpcError, job: Job | None
    ) -> None:
        """Nothing is done for a request, or a connection is."""
        if error.code == Code.IDLE:
            return  # nothing was asked for
        record = self._begun_by("refused", sender, unit, method)
        decision = error.decision if isinstance(error, Denied) else None
        if job is not None:
            _add_job(record, job, tuple(job.operation.resources.find(job.params)), decision)
        else:
            record["rule"] = _rule(decision)
        _add_fate(record, error)
        self._write(record)

    def asked(
        self, sender: Sender, unit: str | None, request: Request
    ) -> Callable[[RpcError | None], None]:
        """An administrator does something. Gives what is to be told of how it ended.

        Two records: it may take an hour, or be the end of this process.
        """
        record = self._begun_by("admin", sender, unit, request.method)
        record["params"] = _shown(request.params)
        self._write(record)

        def ended(error: RpcError | None) -> None:
            record.update(self._begun("admin_ended"))
            _add_fate(record, error)
            self._write(record)

        return ended

    def reloaded(self, what: list[str], error: str) -> None:
        """The configuration was read anew."""
        fate = {"outcome": "error", "message": error} if error else {"outcome": "ok"}
        self._write(self._begun("reload") | fate | {"changed": what})

    def finish(self) -> None:
        """Nothing more happens here."""
        self.tracing.tell_rest()
        self._tell_forgotten()
        self._write(self._begun("stopped") | {"pid": os.getpid()}, is_owed=True)

    def close(self) -> bool:
        """Wait until what is left is written, for a moment; whether it was. It blocks."""
        return self._writer.close()

    def reopen(self) -> None:
        """Go on in the file that has the name now."""
        self._writer.reopen()

    def _begun(self, event: str) -> dict[str, Any]:
        """A record to which the rest is added."""
        record: dict[str, Any] = {"time": iso_time(time.time()), "event": event}
        if self._worker is not None:
            record["worker"] = self._worker
        return record

    def _begun_by(
        self, event: str, sender: Sender, unit: str | None, method: str, number: int | None = None
    ) -> dict[str, Any]:
        """A record of what somebody wants. number: of the job that is run for it."""
        record = self._begun(event)
        if number is not None:
            record["job"] = self._job(number)
        record["uid"], record["gid"], record["pid"] = sender.uid, sender.gid, sender.pid
        record["unit"] = unit
        record["connection"] = sender.connection_id
        record["method"] = method[:MAX_METHOD]
        return record

    def _requests(self, traces: Iterable[Trace]) -> list[dict[str, Any]]:
        """Those of which a server may have seen something. Somebody has told of them now."""
        requests = []
        for trace in traces:
            if trace.is_sent:
                trace.is_told = True
                requests.append(self._request(trace))
        return requests

    def _request(self, trace: Trace) -> dict[str, Any]:
        return {
            "id": f"{self._process}-{trace.number}",
            "status": trace.status or None,
            "request_id": trace.request_id or None,
        }

    def _job(self, number: int) -> str:
        """A job's name among those of all processes."""
        return f"{self._process}-job-{number}"

    def _untold(self, trace: Trace) -> None:
        """Called wherever the last reference to a trace is dropped: it does next to nothing."""
        what = {"method": trace.method, "server": str(trace.origin)}
        self._forgotten.append(what | {"requests": [self._request(trace)]})
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell_forgotten)

    def _tell_forgotten(self) -> None:
        while self._forgotten:
            self._write(self._begun("request") | self._forgotten.popleft(), is_owed=True)

    def _write(self, record: dict[str, Any], *, is_owed: bool = False) -> None:
        """is_owed: room was kept for it."""
        self._writer.put(f"{_encode(record)}\n".encode(), is_owed=is_owed)

    def _tell_log(self, failure: OSError | None) -> None:
        what = "no job begins" if self.refuses else "jobs go on without it"
        if self._was_failing:
            logger.error("the audit record cannot be written: %s; %s", failure or "no room", what)
        else:
            logger.warning("the audit record is written again")


def lost_line(number: int, why: str) -> bytes:
    """The record about records for which there was no room."""
    record = {"time": iso_time(time.time()), "event": "lost", "records": number, "why": why}
    return _encode(record).encode() + b"\n"


def _add_fate(record: dict[str, Any], error: RpcError | None) -> None:
    """How it ended."""
    if error is None:
        record["outcome"] = "ok"
        return
    record["outcome"] = "cancelled" if error.code == Code.CANCELLED else "error"
    record["code"] = int(error.code)
    for name in ("type", "limit"):
        if name in error.data:
            record[name] = error.data[name]


def _rule(decision: Decision | None) -> str | None:
    """The line that decides, and where it stands. None: there is none."""
    if decision is None or decision.verdict is None:
        return None
    return str(decision.verdict)


def _add_job(
    record: dict[str, Any],
    job: Job,
    resources: tuple[str | None, ...],
    decision: Decision | None,
    actor: Actor | None = None,
) -> None:
    """What a job is, and by which rule and as whom it is done."""
    record["resources"] = [name and name[:MAX_NAME] for name in resources]
    record["profile"] = job.options.profile
    record["rule"] = _rule(decision)
    record["role"] = None if actor is None else actor.role.arn
    if job.options.traceparent is not None:
        record["traceparent"] = job.options.traceparent
    if job.options.idempotency_key is not None:
        record["idempotency_key"] = job.options.idempotency_key


def _shown(params: dict[str, Any]) -> dict[str, Any]:
    """Of the params of an own method those that are a word or a number."""
    plain = {name: one for name, one in params.items() if isinstance(one, (str, int, float))}
    return {name[:MAX_WORD]: str(one)[:MAX_WORD] for name, one in plain.items()}
