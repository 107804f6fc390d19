"""Begins jobs, and settles what they came to: an answer, a stream that follows it, or an error."""

import asyncio
from functools import partial

from botod.daemon.admission import Admission
from botod.daemon.bodies import Bodies, Means
from botod.daemon.file_threads import FileThreads
from botod.daemon.held import Held
from botod.daemon.job import Job, bare, refusal, traced
from botod.daemon.joins import Joins, Name
from botod.daemon.ledger import Ledger
from botod.daemon.policy import Permit
from botod.daemon.pump import Pump
from botod.daemon.roll import Roll
from botod.daemon.runs import Run
from botod.daemon.services.answers import ANSWER_BLOCK_BYTES
from botod.daemon.services.operation import Result
from botod.daemon.upstreams import Upstream, Upstreams
from botod.daemon.work import Work
from botod.ipc.answering import internal_error
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Exchange, Outcome
from botod.pool import spawn_until


class Runner:
    """Runs jobs. Made where a loop runs.

    joins: hears what became of jobs with a key. inline_bytes: of a body that is held because its
    length is not known. unread_timeout_s: for a pipe that nobody reads. roll: the jobs under way.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        admission: Admission,
        joins: "Joins[Run]",
        *,
        ledger: Ledger,
        inline_bytes: int,
        unread_timeout_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._upstreams = upstreams
        self._admission = admission
        self._joins = joins
        self._ledger = ledger
        self._means = Means(FileThreads(), inline_bytes, unread_timeout_s)
        self._work = Work(ledger, admission.refusals)
        self.roll = Roll()

    def close(self) -> None:
        """End the threads; for when nothing runs any more."""
        self._means.threads.shutdown(wait=False)

    def start(self, exchange: Exchange, job: Job, permit: Permit) -> Run:
        """Run a job. Raises RpcError if it may not be run."""
        profile, is_poll = job.options.profile, job.terms.is_poll
        try:
            upstream = self._upstreams.find(profile, job.service, permit.actor, job.operation.home)
        except Exception as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise refused from None
        self._admission.check(profile, is_poll=is_poll)
        run = self._run(exchange, job, upstream, permit)
        self.roll.add(run)
        self._ledger.began(run)
        future = run.future = spawn_until(job.deadline, self._work.result, run)
        future.name = job.method
        run.wait(exchange)
        self._admission.running.add(future)
        if is_poll:
            self._admission.polling.add(future)
        future.add_done_callback(partial(self._worked, run))
        return run

    def _run(self, exchange: Exchange, job: Job, upstream: Upstream, permit: Permit) -> Run:
        sender = exchange.sender
        held = Held(exchange.budget, self._admission.refusals)
        can_stream = exchange.can_stream and job.options.idempotency_key is None
        bodies = Bodies(job.operation, self._means, held, uid=sender.uid, can_stream=can_stream)
        began = self._loop.time()
        return Run(
            job, upstream, sender=sender, permit=permit, bodies=bodies, held=held, began=began
        )

    def _worked(self, run: Run, future: "asyncio.Future[Result]") -> None:
        """A job's greenlet has ended: tell who waits, or begin to stream the answer."""
        self._admission.running.discard(future)
        self._admission.polling.discard(future)
        outcome = _outcome(run, future)
        key = run.job.options.idempotency_key
        if key is not None:
            self._joins.settle(Name(run.sender.uid, key), outcome, now=self._loop.time())
        if run.claim is not None:
            run.claim.settle(outcome)
        if outcome.error is None and run.bodies.streamed is not None:
            failed = self._stream(run, outcome.result)
            if failed is None:
                return
            outcome = Outcome(error=failed)
        run.settle(outcome)
        self._end(run, outcome.error)

    def _stream(self, run: Run, result: Result) -> RpcError | None:
        """Answer with a stream and send it; an error if that cannot be."""
        body = run.bodies.streamed
        assert body is not None, "nothing to be streamed"
        try:
            run.held.take(ANSWER_BLOCK_BYTES)
            stream = run.answer_with_stream(result)
        except RpcError as error:
            body.close()
            return error
        pump = Pump(
            body,
            stream,
            moved=run.moved,
            explain=partial(self._explain, run),
            gone=run.cancelled,
        )
        future = pump.start(f"{run.job.method} stream")
        run.streams(future)
        self._admission.running.add(future)
        future.add_done_callback(partial(self._streamed, run, pump))
        return None

    def _streamed(self, run: Run, pump: Pump, future: "asyncio.Future[None]") -> None:
        self._admission.running.discard(future)
        self._end(run, pump.error)

    def _explain(self, run: Run, error: Exception) -> RpcError:
        found = self._work.failure(run, error) or internal_error(error)
        return traced(found, run.job.options)

    def _end(self, run: Run, error: RpcError | None) -> None:
        run.held.release()
        self.roll.remove(run)
        self._ledger.ended(run, error)


def _outcome(run: Run, future: "asyncio.Future[Result]") -> Outcome:
    """What a greenlet that has ended came to."""
    if future.cancelled():  # before it began
        return Outcome(error=run.cancelled())
    error = future.exception()
    if error is None:
        return Outcome(future.result())
    return Outcome(error=bare(error) if isinstance(error, RpcError) else internal_error(error))
