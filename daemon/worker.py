"""Takes requests, runs them as jobs in greenlets, settles them."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from botod.daemon.attempts import Attempts, use
from botod.daemon.bodies import Bodies
from botod.daemon.control import BOTOD_VERSION
from botod.daemon.file_threads import FileThreads
from botod.daemon.gates import Gates
from botod.daemon.gathering import Gatherings
from botod.daemon.held import Held, holding
from botod.daemon.intake import Intake
from botod.daemon.job import ROOM_AFTER_MS, Job, bare, failure, refusal, traced
from botod.daemon.joins import Joins, KeyTaken, Name, fingerprint, joined_error
from botod.daemon.ledger import Ledger
from botod.daemon.loads import Loading
from botod.daemon.moved import Moved
from botod.daemon.names import Names
from botod.daemon.policy import Permit, Policy
from botod.daemon.pump import Pump
from botod.daemon.roll import Roll
from botod.daemon.runs import Run, settle
from botod.daemon.services.answers import ANSWER_BLOCK_BYTES
from botod.daemon.services.operation import Operation, Params, Result
from botod.daemon.upstreams import Upstream, Upstreams
from botod.ipc.answering import internal_error
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Outcome
from botod.ipc.limits import Refusals
from botod.pool import Terms, on_terms, spawn_until
from botod.pool.tracks import polls_max

if TYPE_CHECKING:
    from botod.daemon.claims import SharedKeys

Control = Callable[[Exchange], object]
"""A method of the daemon itself: it settles the exchange, whatever the jobs do."""


class Worker:
    """Runs jobs.

    control: the daemon's own methods by name. joins: what idempotency keys stand for. shared_keys:
    what they stand for at other workers; None: there are none. jobs_max: jobs at once, those whose
    answers are still streamed among them; of these polls have a share, as of a host's slots, so
    that a crowd of them keeps nobody else out. inline_bytes: of a body that is held because its
    length is not known. unread_timeout_s: for a pipe that nobody reads. refusals: how often a limit
    refused something. gates: what an administrator lets through. roll: the jobs under way.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        policy: Policy,
        intake: Intake,
        joins: "Joins[Run]",
        *,
        control: Mapping[str, Control],
        ledger: Ledger,
        gates: Gates,
        jobs_max: int,
        inline_bytes: int,
        unread_timeout_s: float,
        shared_keys: "SharedKeys | None" = None,
    ) -> None:
        self._upstreams = upstreams
        self._names = Names(BOTOD_VERSION)
        self._policy = policy
        self._intake = intake
        self._joins = joins
        self._control = control
        self._ledger = ledger
        self._gates = gates
        self._jobs_max = jobs_max
        self._inline_bytes = inline_bytes
        self._unread_timeout_s = unread_timeout_s
        self._shared_keys = shared_keys
        self._threads = FileThreads()
        self._gatherings = Gatherings()
        self._running: set[asyncio.Future[Any]] = set()
        self._polling: set[asyncio.Future[Any]] = set()
        self._draining = False
        self.refusals = Refusals()
        self.roll = Roll()

    @property
    def running_num(self) -> int:
        return len(self._running)

    @property
    def polling_num(self) -> int:
        """How many of those that run are long polls."""
        return len(self._polling)

    def admit(self, exchange: Exchange) -> None:
        """Raise ACCESS_DENIED if its sender may not call its method."""
        self._policy.admit(exchange.sender, exchange.request.method)

    def handle(self, exchange: Exchange) -> None:
        """Begin what a request asks for. Raises RpcError if it is refused at once."""
        try:
            self._handle(exchange)
        except RpcError as error:
            self._ledger.refused(exchange, error)
            raise

    def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        self.admit(exchange)
        control = self._control.get(request.method)
        if control is not None:
            self._ledger.asked(exchange)
            control(exchange)
            return
        if request.method.startswith("botod."):
            names = ", ".join(self._control)
            words = f"unknown method {request.method!r}; the daemon has: {names}"
            raise RpcError(Code.METHOD_NOT_FOUND, words)
        now = asyncio.get_running_loop().time()
        operation = self._intake.at_hand(request)
        if operation is None:
            self._load(exchange, now)
        else:
            self._begin(exchange, operation, now)

    def _begin(self, exchange: Exchange, operation: Operation, now: float) -> None:
        """Begin the job of a request that came at `now`. Raises RpcError if it asks for none."""
        job = self._intake.job(exchange, operation, now=now)
        try:
            permit = self._policy.check(exchange.sender, job)
            self._ledger.admit(self.refusals)
            self._take(exchange, job, permit)
        except RpcError as error:
            self._refuse(exchange, job, error)

    def _load(self, exchange: Exchange, now: float) -> None:
        """Begin a job once its operation was read from its model. Raises RpcError."""
        options, deadline = self._intake.wait(exchange, now=now)
        self._admit()
        loading = Loading(
            exchange,
            options,
            deadline,
            begin=partial(self._loaded, exchange, now),
            refused=partial(self._ledger.refused, exchange),
        )
        self._running.add(loading.task)
        loading.task.add_done_callback(self._running.discard)

    def _loaded(self, exchange: Exchange, now: float, operation: Operation) -> None:
        self._policy.admit(exchange.sender, exchange.request.method)
        loading = asyncio.current_task()
        assert loading is not None, "called by the task that waited"
        self._running.discard(loading)  # the job takes its place
        self._begin(exchange, operation, now)

    def reload(self, *, policy: Policy, intake: Intake, jobs_max: int) -> None:
        """Have other rules and bounds for the requests that come from now on."""
        self._policy = policy
        self._intake = intake
        self._jobs_max = jobs_max

    async def drain(self, timeout_s: float) -> None:
        """Take no more jobs; let those that run finish for up to `timeout_s`, then end them."""
        self._draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self._running and (left_s := deadline - loop.time()) > 0:
            await asyncio.wait(self._running, timeout=left_s)
        while self._running:
            for future in list(self._running):
                future.cancel()
            await asyncio.wait(self._running)
        self._threads.shutdown(wait=False)

    def _refuse(self, exchange: Exchange, job: Job, error: RpcError) -> None:
        self._ledger.refused(exchange, error, job)
        exchange.fail(traced(error, job.options))

    def _take(self, exchange: Exchange, job: Job, permit: Permit) -> None:
        """Join a job that is done or under way already, or start one. Raises RpcError."""
        key = job.options.idempotency_key
        if key is None:
            self._start(exchange, job, permit)
            return
        name = Name(exchange.sender.uid, key)
        actor, profile = permit.actor, job.options.profile
        signer = profile if actor is None else f"{profile} {actor}"
        asked = fingerprint(job.method, signer, job.params)
        try:
            found = self._joins.find(name, asked, now=asyncio.get_running_loop().time())
        except KeyTaken as error:
            raise joined_error(error) from None
        if found is None:
            run = self._start(exchange, job, permit)
            self._joins.begin(name, asked, run)
            if self._shared_keys is not None:
                run.claim = self._shared_keys.claim(job, name, asked)
            return
        if isinstance(found, Run) and found.is_ending:
            found.follow(exchange, job, partial(self._take_again, exchange, job, permit))
            self._ledger.waits(exchange, job, found)
            return
        self._ledger.joined(exchange.sender, job, permit, found)
        if isinstance(found, Run):
            found.join(exchange, job)
        else:
            settle(exchange, found, job.options)

    def _take_again(self, exchange: Exchange, job: Job, permit: Permit) -> None:
        """What was under way with its key has ended: as if it came now."""
        try:
            self._take(exchange, job, permit)
        except RpcError as error:
            self._refuse(exchange, job, error)

    def _start(self, exchange: Exchange, job: Job, permit: Permit) -> Run:
        """Run a job. Raises RpcError if it may not be run."""
        try:
            found = self._upstreams
            profile, actor = job.options.profile, permit.actor
            upstream = found.find(profile, job.service, actor, job.operation.home)
        except Exception as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise refused from None
        self._gates.check(job.options.profile)
        self._admit(is_poll=job.terms.is_poll)
        run = self._run(exchange, job, upstream, permit)
        self.roll.add(run)
        self._ledger.began(run)
        with on_terms(job.terms), holding(run.held):
            future = spawn_until(job.deadline, self._work, run)
        future.name = job.method
        run.future = future
        run.wait(exchange)
        self._running.add(future)
        if job.terms.is_poll:
            self._polling.add(future)
        future.add_done_callback(partial(self._worked, run))
        return run

    def _admit(self, *, is_poll: bool = False) -> None:
        if self._draining:
            raise RpcError(Code.SHUTTING_DOWN, "the daemon is shutting down", {"retryable": True})
        if len(self._running) >= self._jobs_max:
            words = f"{self._jobs_max} jobs are running already"
            raise self.refusals.error("jobs", words, retry_after_ms=ROOM_AFTER_MS)
        if is_poll and len(self._polling) >= polls_max(self._jobs_max):
            words = f"{len(self._polling)} long polls are running already, of {self._jobs_max} jobs"
            raise self.refusals.error("jobs", words, retry_after_ms=ROOM_AFTER_MS)

    def _run(self, exchange: Exchange, job: Job, upstream: Upstream, permit: Permit) -> Run:
        moved = Moved()
        held = Held(exchange.budget, self.refusals)
        bodies = Bodies(
            job.operation,
            threads=self._threads.of(exchange.sender.uid),
            held=held,
            moved=moved,
            can_stream=exchange.can_stream and job.options.idempotency_key is None,
            inline_bytes=self._inline_bytes,
            unread_timeout_s=self._unread_timeout_s,
        )
        began = asyncio.get_running_loop().time()
        return Run(
            job,
            upstream,
            sender=exchange.sender,
            permit=permit,
            bodies=bodies,
            moved=moved,
            held=held,
            began=began,
        )

    def _work(self, run: Run) -> Result:
        """What a job's greenlet does: the job, unless another worker has its key."""
        told = None if run.claim is None else run.claim.told()
        if told is None:
            return self._do(run)
        self._ledger.joined_elsewhere(run)
        if told.error is not None:
            raise told.error
        result: Result = told.result
        return result

    def _do(self, run: Run) -> Result:
        """One named border: whatever a job does, its peer gets an error of the wire."""
        job, bodies = run.job, run.bodies
        try:
            with bodies:
                return self._tried(run, bodies.opened(job.params))
        except Exception as error:
            failed = self._failure(run, error)
            if failed is None:
                raise
            raise failed from None
        except asyncio.CancelledError:
            raise run.cancelled(self._written(run)) from None

    def _tried(self, run: Run, params: Params) -> Result:
        """A job's result, delivered: of its first try or of a later one."""
        job, bodies, upstream = run.job, run.bodies, run.upstream
        if job.operation.gathering is not None and upstream.may_gather and job.options.batch:
            tried = partial(self._tried_together, upstream, run.sender.uid)
            return self._gatherings.run(job, upstream, tried=tried, tell=run.travels)
        attempts, connection = self._attempts(
            upstream, run.sender.uid, job.terms, can_repeat=lambda: bodies.can_repeat
        )
        if job.operation.is_composite:
            use(attempts)
            return bodies.delivered(job.run(connection, params))
        return attempts.run(lambda: bodies.delivered(job.run(connection, params)))

    def _tried_together(
        self, upstream: Upstream, uid: int, terms: Terms, request: Callable[[Any], Any]
    ) -> Any:
        """A request that may carry several jobs of one user, tried as one of a single job is."""
        attempts, connection = self._attempts(upstream, uid, terms, can_repeat=lambda: True)
        return attempts.run(lambda: request(connection))

    def _attempts(
        self, upstream: Upstream, uid: int, terms: Terms, *, can_repeat: Callable[[], bool]
    ) -> tuple[Attempts, Any]:
        """The tries of a request, and boto's connection for it. Parks until there are keys."""
        connection = upstream.connection()
        terms.user_agent = self._names.user_agent(uid, upstream.user_agent)
        attempts = Attempts(
            connection,
            terms,
            keys=upstream.keys,
            budget=upstream.budget,
            patience=upstream.patience,
            can_repeat=can_repeat,
        )
        return attempts, connection

    def _failure(self, run: Run, error: Exception) -> RpcError | None:
        job = run.job
        failed = failure(job, run.upstream.host, error)
        if failed is None:
            return None
        is_counted = isinstance(error, RpcError)  # where it was raised; the pool's is not yet
        if not is_counted and "limit" in failed.data:
            self.refusals.count(failed.data["limit"])
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

    def _worked(self, run: Run, future: "asyncio.Future[Result]") -> None:
        """A job's greenlet has ended: tell who waits, or begin to stream the answer."""
        self._running.discard(future)
        self._polling.discard(future)
        outcome = _outcome(run, future)
        key = run.job.options.idempotency_key
        if key is not None:
            now = asyncio.get_running_loop().time()
            self._joins.settle(Name(run.sender.uid, key), outcome, now=now)
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
        self._running.add(future)
        future.add_done_callback(partial(self._streamed, run, pump))
        return None

    def _streamed(self, run: Run, pump: Pump, future: "asyncio.Future[None]") -> None:
        self._running.discard(future)
        self._end(run, pump.error)

    def _explain(self, run: Run, error: Exception) -> RpcError:
        found = self._failure(run, error) or internal_error(error)
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
