"""Takes requests: answers those to the daemon itself, refuses some, has the rest done as jobs."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from botod.daemon.admission import Admission
from botod.daemon.gates import Gates
from botod.daemon.intake import Intake
from botod.daemon.job import traced
from botod.daemon.keyed import Keyed
from botod.daemon.ledger import Ledger
from botod.daemon.loads import Loading
from botod.daemon.policy import Policy
from botod.daemon.runner import Runner
from botod.daemon.services import CATALOG
from botod.daemon.services.operation import Operation
from botod.daemon.upstreams import Upstreams
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange

if TYPE_CHECKING:
    from botod.daemon.claims import SharedKeys
    from botod.daemon.joins import Joins
    from botod.daemon.runs import Run

Control = Callable[[Exchange], object]
"""A method of the daemon itself: it settles the exchange, whatever the jobs do."""


class Worker:
    """Takes requests. Made where a loop runs.

    control: the daemon's own methods by name. gates, jobs_max: see Admission. joins, shared_keys:
    see Keyed. inline_bytes, unread_timeout_s: see Runner. refusals: how often a limit refused
    something. roll: the jobs under way.
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
        self._loop = asyncio.get_running_loop()
        self._policy = policy
        self._intake = intake
        self._control = control
        self._ledger = ledger
        self._admission = Admission(gates, jobs_max=jobs_max)
        self._runner = Runner(
            upstreams,
            self._admission,
            joins,
            ledger=ledger,
            inline_bytes=inline_bytes,
            unread_timeout_s=unread_timeout_s,
        )
        self._keyed = Keyed(self._runner, joins, ledger=ledger, shared_keys=shared_keys)
        self.refusals = self._admission.refusals
        self.roll = self._runner.roll
        self.loads: dict[asyncio.Task[None], Loading] = {}

    @property
    def running_num(self) -> int:
        return len(self._admission.running)

    @property
    def polling_num(self) -> int:
        """How many of those that run are long polls."""
        return len(self._admission.polling)

    def admit(self, exchange: Exchange) -> None:
        """Raise ACCESS_DENIED if its sender may not call its method."""
        self._policy.admit(exchange.sender, exchange.request.method)

    def handle(self, exchange: Exchange) -> None:
        """Begin what a request asks for. Raises RpcError if it is refused at once."""
        method = exchange.request.method
        try:
            self.admit(exchange)
            operation = CATALOG.at_hand(method)
            if operation is not None:
                self._begin(exchange, operation, self._loop.time())
            elif method.startswith("botod."):
                self._ask_daemon(exchange, method)
            else:
                self._load(exchange, self._loop.time())
        except RpcError as error:
            self._ledger.refused(exchange, error)
            raise

    def _ask_daemon(self, exchange: Exchange, method: str) -> None:
        """Do what is asked of the daemon itself. Raises RpcError if it has no such method."""
        control = self._control.get(method)
        if control is None:
            names = ", ".join(self._control)
            words = f"unknown method {method!r}; the daemon has: {names}"
            raise RpcError(Code.METHOD_NOT_FOUND, words)
        self._ledger.asked(exchange)
        control(exchange)

    def _begin(self, exchange: Exchange, operation: Operation, now: float) -> None:
        """Begin the job of a request that came at `now`. Raises RpcError if it asks for none."""
        job = self._intake.job(exchange, operation, now=now)
        try:
            permit = self._policy.check(exchange.sender, job)
            self._ledger.admit(self.refusals)
            key = job.options.idempotency_key
            if key is None:
                self._runner.start(exchange, job, permit)
            else:
                self._keyed.take(exchange, job, permit, key)
        except RpcError as error:
            self._ledger.refused(exchange, error, job)
            exchange.fail(traced(error, job.options))

    def _load(self, exchange: Exchange, now: float) -> None:
        """Begin a job once its operation was read from its model. Raises RpcError."""
        options, deadline = self._intake.wait(exchange, now=now)
        self._admission.check()
        loading = Loading(
            exchange,
            options,
            deadline,
            began=now,
            begin=partial(self._loaded, exchange, now),
            refused=partial(self._ledger.refused, exchange),
        )
        self._admission.running.add(loading.task)
        self.loads[loading.task] = loading
        loading.task.add_done_callback(self._loading_ended)

    def _loaded(self, exchange: Exchange, now: float, operation: Operation) -> None:
        self.admit(exchange)
        loading = asyncio.current_task()
        assert loading is not None, "called by the task that waited"
        self._loading_ended(loading)  # the job takes its place
        self._begin(exchange, operation, now)

    def _loading_ended(self, task: asyncio.Task[None]) -> None:
        self._admission.running.discard(task)
        self.loads.pop(task, None)

    def reload(self, *, policy: Policy, intake: Intake, jobs_max: int) -> None:
        """Have other rules and bounds for the requests that come from now on."""
        self._policy = policy
        self._intake = intake
        self._admission.jobs_max = jobs_max

    async def drain(self, timeout_s: float) -> None:
        """Take no more jobs; let those that run finish for up to `timeout_s`, then end them."""
        await self._admission.drain(timeout_s)
        self._runner.close()
