"""What became of each request, told once, when it is over: what counts or writes of it is here."""

import logging
from dataclasses import dataclass

from botod.daemon.audit import READING, Audit
from botod.daemon.job import Job
from botod.daemon.job_line import JobLog, logger
from botod.daemon.metrics.job_figures import JobFigures
from botod.daemon.policy import Permit
from botod.daemon.runs import Run
from botod.daemon.units import Units
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Exchange, Outcome, Sender
from botod.ipc.limits import Refusals


@dataclass
class JobCounts:
    """What became of requests that asked for jobs.

    joined_total: those that needed none, or whose job did nothing, as another worker had the key.
    """

    jobs_total: int = 0
    failed_total: int = 0
    joined_total: int = 0


class Ledger:
    """Hears of every request that a worker was given; tells the log, the numbers and the record.

    figures: the numbers, for metrics. audit: None: there is no such record.
    """

    def __init__(self, *, log: JobLog | None = None, audit: Audit | None = None) -> None:
        self.counts = JobCounts()
        self.figures = JobFigures()
        self.log = log or JobLog()
        self._audit = audit
        self._units = Units()

    def admit(self, refusals: Refusals) -> None:
        """Raise OVERLOADED, which `refusals` count, if no job may begin."""
        if self._audit is not None:
            self._audit.admit(refusals)

    def began(self, run: Run) -> None:
        """A job runs."""
        self.counts.jobs_total += 1
        if self._audit is not None:
            self._audit.began()
        if self._audit is not None or logger.isEnabledFor(logging.INFO):
            run.unit = self._units.of(run.sender)  # now: at its end the peer may have gone

    def joined(self, sender: Sender, job: Job, permit: Permit, found: Run | Outcome) -> None:
        """A request has what another comes to, or came to, so that nothing is run for it."""
        self.counts.joined_total += 1
        if self._audit is not None:
            self._audit.joined(sender, self._units.of(sender), job, permit, found)

    def joined_elsewhere(self, run: Run) -> None:
        """A job does nothing, as another worker has its key; its end is told as any job's."""
        self.counts.joined_total += 1
        run.is_elsewhere = True

    def waits(self, exchange: Exchange, job: Job, run: Run) -> None:
        """A request waits until one with its key, which was cancelled, has ended."""
        if self._audit is not None:
            sender = exchange.sender
            self._audit.waits(sender, self._units.of(sender), job, run)

    def ended(self, run: Run, error: RpcError | None) -> None:
        """Nothing of a job is left: it was done, and its answer streamed, or `error` ended it."""
        if error is not None:
            self.counts.failed_total += 1
        took_s = run.future.get_loop().time() - run.began
        if not run.is_elsewhere:  # it is counted there, and here as joined
            self.figures.ended(run, error, took_s)
        if logger.isEnabledFor(logging.INFO):
            self.log.ended(run, error, took_s)
        if self._audit is not None:
            self._audit.ended(run, error, took_s)

    def refused(self, exchange: Exchange, error: RpcError, job: Job | None = None) -> None:
        """No job was run for a request; its peer is told `error`."""
        self.figures.refused(exchange.request.method, exchange.sender.uid, error)
        self.refused_unread(exchange.sender, exchange.request.method, error, job)

    def refused_unread(
        self, sender: Sender, method: str, error: RpcError, job: Job | None = None
    ) -> None:
        """The same, of what came to no worker: it is no request, or over a limit of the wire."""
        if self._audit is not None:
            self._audit.refused(sender, self._units.of(sender), method, error, job)

    def asked(self, exchange: Exchange) -> None:
        """One of the daemon's own methods is called by who may; what comes of it is told too."""
        if self._audit is not None and exchange.request.method not in READING:
            sender = exchange.sender
            exchange.on_settled = self._audit.asked(
                sender, self._units.of(sender), exchange.request
            )

    def reloaded(self, what: list[str], error: str = "") -> None:
        """The daemon has another configuration, or, by `error`, keeps the one it has."""
        if self._audit is not None:
            self._audit.reloaded(what, error)
