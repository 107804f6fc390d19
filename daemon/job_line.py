"""The line that the log has about each job. Of its params only the names of what it touches."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from botod.daemon.log_format import RENDERERS, Templates
from botod.daemon.runs import Run
from botod.ipc.errors import Code, RpcError

MAX_RESOURCE = 256
"""Characters of a name that the log has; the audit record has all of it."""

logger = logging.getLogger("botod.daemon.ledger")


class Lines(Protocol):
    """Takes lines. form: the format in which it wants their words."""

    form: str

    def tell(self, logger: str, words: str) -> None:
        """Put before the words what each line begins with, and write it."""


class _HandedOn:
    """Hands the words on to the standard library's logger."""

    form = "text"

    def tell(self, logger: str, words: str) -> None:
        logging.getLogger(logger).info(words)


class JobLog:
    """Writes the lines about jobs.

    lines: the log. shows_resources: whether names of objects, queues and domains stand in them.
    """

    def __init__(self, lines: Lines | None = None, *, shows_resources: bool = True) -> None:
        self.shows_resources = shows_resources
        self._lines = lines or _HandedOn()
        self._templates = {form: Templates(form, "job") for form in RENDERERS}

    def ended(self, run: Run, error: RpcError | None, took_s: float) -> None:
        """A job is over: what it was, how it went, whose, how it travelled, how much it moved."""
        templates = self._templates[self._lines.form]
        text, word = templates.text, templates.word
        job, sender, moved = run.job, run.sender, run.moved
        terms, queue_s = job.terms, job.terms.times.queue_s
        fields: dict[str, Any] = {
            "operation": word(job.method),
            "outcome": word("ok") if error is None else text(outcome_of(error)),
            "attempts": terms.attempts_num,
            "took_ms": round(took_s * 1000, 1),
        }
        if queue_s:
            fields["queued_ms"] = round(queue_s * 1000, 1)
        fields["uid"], fields["pid"] = sender.uid, sender.pid
        if run.unit is not None:
            fields["unit"] = word(run.unit)
        if self.shows_resources and run.permit.resources:
            _add_resources(fields, run.permit.resources, text)
        if run.together is not None:
            fields["batch_entry"], fields["batch_size"] = run.together
        if moved.sent_bytes:
            fields["sent_bytes"] = moved.sent_bytes
        if moved.received_bytes:
            fields["received_bytes"] = moved.received_bytes
        if job.options.traceparent is not None:
            fields["traceparent"] = text(job.options.traceparent)
        self._lines.tell(logger.name, templates.fill(fields))


def _add_resources(
    fields: dict[str, Any], resources: tuple[str | None, ...], text: Callable[[str], str]
) -> None:
    """The first that can be told by name, and how many there are."""
    for name in resources:
        if name is not None:
            fields["resource"] = text(name[:MAX_RESOURCE])
            break
    if len(resources) > 1:
        fields["resources_num"] = len(resources)


def outcome_of(error: RpcError) -> str:
    """How a job failed, in a word."""
    if error.code == Code.CANCELLED:
        return "cancelled"
    return (
        "failed" if error.code == Code.INTERNAL_ERROR else str(error.data.get("type", error.code))
    )
