"""What a job's greenlet does: it tries the job, and says in the wire's words what went wrong."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from botod.daemon.attempts import Attempts, use
from botod.daemon.control import BOTOD_VERSION
from botod.daemon.gathering import Gatherings
from botod.daemon.held import hold_in
from botod.daemon.job import failure
from botod.daemon.ledger import Ledger
from botod.daemon.names import Names
from botod.daemon.runs import Run
from botod.daemon.services.operation import Params, Result
from botod.daemon.upstreams import Upstream
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Outcome
from botod.ipc.limits import Refusals
from botod.pool import Terms, use_terms


class Work:
    """Does jobs, each in a greenlet of its own.

    refusals: counts the limits that a job met.
    """

    def __init__(self, ledger: Ledger, refusals: Refusals) -> None:
        self._ledger = ledger
        self._refusals = refusals
        self._names = Names(BOTOD_VERSION)
        self._gatherings = Gatherings()

    def result(self, run: Run) -> Result:
        """What a job's greenlet does: the job, unless another worker has its key.

        One named border: whatever a job does, its peer gets an error of the wire.
        """
        job, bodies = run.job, run.bodies
        use_terms(job.terms)
        hold_in(run.held)
        if run.claim is not None and (told := run.claim.told()) is not None:
            return self._told(run, told)
        try:
            return self._tried(run, bodies.opened(job.params))
        except Exception as error:
            failed = self.failure(run, error)
            if failed is None:
                raise
            raise failed from None
        except asyncio.CancelledError:
            raise run.cancelled(self._written(run)) from None
        finally:
            bodies.close()

    def _told(self, run: Run, told: Outcome) -> Result:
        """What another worker's job came to that has the key."""
        self._ledger.joined_elsewhere(run)
        if told.error is not None:
            raise told.error
        result: Result = told.result
        return result

    def _tried(self, run: Run, params: Params) -> Result:
        """A job's result, delivered: of its first try or of a later one."""
        job, bodies, upstream = run.job, run.bodies, run.upstream
        if job.operation.gathering is not None and upstream.may_gather and job.options.batch:
            tried = partial(self._tried_together, upstream, run.sender.uid)
            return self._gatherings.run(job, upstream, tried=tried, tell=run.travels)
        attempts = self._attempts(upstream, run.sender.uid, job.terms)
        connection = attempts.connection
        if job.operation.is_composite:
            use(attempts, bodies.can_repeat)
            return bodies.delivered(job.run(connection, params))
        return attempts.run(
            lambda: bodies.delivered(job.run(connection, params)), job.terms, bodies.can_repeat
        )

    def _tried_together(
        self, upstream: Upstream, uid: int, terms: Terms, request: Callable[[Any], Any]
    ) -> Any:
        """A request that may carry several jobs of one user, tried as one of a single job is."""
        attempts = self._attempts(upstream, uid, terms)
        return attempts.run(lambda: request(attempts.connection), terms, lambda: True)

    def _attempts(self, upstream: Upstream, uid: int, terms: Terms) -> Attempts:
        """How a user's request is tried, under its name. Parks until there are keys."""
        attempts = upstream.attempts()
        terms.user_agent = self._names.user_agent(uid, upstream.user_agent)
        return attempts

    def failure(self, run: Run, error: Exception) -> RpcError | None:
        """The wire's error for what a job raised; None: it is in no table, and so a bug."""
        job = run.job
        failed = failure(job, run.upstream.host, error)
        if failed is None:
            return None
        is_counted = isinstance(error, RpcError)  # where it was raised; the pool's is not yet
        if not is_counted and "limit" in failed.data:
            self._refusals.count(failed.data["limit"])
        failed.data |= self._written(run) or {}
        return failed

    @staticmethod
    def _written(run: Run) -> dict[str, Any] | None:
        """What an error says of a body that another try would write a second time; None: nothing.

        bytes_written: in whole blocks; there may be a part of one more.
        """
        if not run.bodies.has_added:
            return None
        return {"retryable": False, "bytes_written": run.moved.received_bytes}
