"""What became of each request, told once, when it is over: what counts or writes of it is here."""

import asyncio
import logging
from dataclasses import dataclass

from botod.daemon.job_line import job_line
from botod.daemon.metrics.job_figures import JobFigures
from botod.daemon.runs import Run
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Exchange

logger = logging.getLogger(__name__)


@dataclass
class JobCounts:
    """What became of requests that asked for jobs.

    joined_total: those that needed none, or whose job did nothing, as another worker had the key.
    """

    jobs_total: int = 0
    failed_total: int = 0
    joined_total: int = 0


class Ledger:
    """Hears of every request that a worker was given. figures: what is counted for metrics."""

    def __init__(self) -> None:
        self.counts = JobCounts()
        self.figures = JobFigures()

    def began(self) -> None:
        """A job runs."""
        self.counts.jobs_total += 1

    def joined(self) -> None:
        """A request has what another came to, so that nothing is run for it."""
        self.counts.joined_total += 1

    def ended(self, run: Run, error: RpcError | None) -> None:
        """Nothing of a job is left: it was done, and its answer streamed, or `error` ended it."""
        if error is not None:
            self.counts.failed_total += 1
        took_s = asyncio.get_running_loop().time() - run.began
        self.figures.ended(run, error, took_s)
        if logger.isEnabledFor(logging.INFO):
            logger.info("%s", job_line(run.job, run.moved, error, took_s, run.together))

    def refused(self, exchange: Exchange, error: RpcError) -> None:
        """No job was run for a request; its peer is told `error`."""
        self.figures.refused(exchange.request.method, exchange.sender.uid, error)
