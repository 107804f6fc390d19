"""The line that the log has about each job. Of its params only the names of what it touches."""

import logging
from typing import Any

import structlog

from botod.daemon.log_format import render_words
from botod.daemon.runs import Run
from botod.ipc.errors import Code, RpcError

MAX_RESOURCE = 256
"""Characters of a name that the log has; the audit record has all of it."""

logger = logging.getLogger("botod.daemon.ledger")


class JobLog:
    """Writes the lines about jobs.

    lines: structlog's logger; None: one that hands the words on to the standard library's.
    shows_resources: whether names of objects, queues and domains stand in them.
    """

    def __init__(self, lines: Any = None, *, shows_resources: bool = True) -> None:
        self._lines = lines or structlog.wrap_logger(
            logger,
            processors=[render_words],
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        )
        self.shows_resources = shows_resources

    @property
    def is_on(self) -> bool:
        """Whether there is a line at all."""
        return logger.isEnabledFor(logging.INFO)

    def ended(self, run: Run, error: RpcError | None, took_s: float) -> None:
        """A job is over."""
        self._lines.info("job", **self._fields(run, error, took_s))

    def _fields(self, run: Run, error: RpcError | None, took_s: float) -> dict[str, Any]:
        """What it was, how it went, whose it was, how it travelled, and how much it moved."""
        job, terms, sender = run.job, run.job.terms, run.sender
        fields: dict[str, Any] = {
            "operation": job.method,
            "outcome": outcome_of(error),
            "attempts": terms.attempts_num,
            "took_ms": round(took_s * 1000, 1),
        }
        if terms.times.queue_s:
            fields["queued_ms"] = round(terms.times.queue_s * 1000, 1)
        fields["uid"], fields["pid"] = sender.uid, sender.pid
        if run.unit is not None:
            fields["unit"] = run.unit
        if self.shows_resources:
            self._add_resources(fields, run.permit.resources)
        if run.together is not None:
            fields["batch_entry"], fields["batch_size"] = run.together
        if run.moved.sent_bytes:
            fields["sent_bytes"] = run.moved.sent_bytes
        if run.moved.received_bytes:
            fields["received_bytes"] = run.moved.received_bytes
        if job.options.traceparent is not None:
            fields["traceparent"] = job.options.traceparent
        return fields

    @staticmethod
    def _add_resources(fields: dict[str, Any], resources: tuple[str | None, ...]) -> None:
        """The first by name, and how many there are."""
        first = next((name for name in resources if name is not None), None)
        if first is not None:
            fields["resource"] = first[:MAX_RESOURCE]
        if len(resources) > 1:
            fields["resources_num"] = len(resources)


def outcome_of(error: RpcError | None) -> str:
    """How it went, in a word."""
    if error is None:
        return "ok"
    if error.code == Code.CANCELLED:
        return "cancelled"
    return (
        "failed" if error.code == Code.INTERNAL_ERROR else str(error.data.get("type", error.code))
    )
