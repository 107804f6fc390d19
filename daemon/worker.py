"""Takes requests, runs them as jobs in greenlets, settles them."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botod.daemon.job import Job, cancelled, failure, refusal
from botod.daemon.policy import Policy
from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Result
from botod.daemon.upstreams import Upstreams
from botod.ipc.errors import Code, RpcError
from botod.ipc.peer import Sender
from botod.ipc.protocol import Request
from botod.pool import Terms, on_terms, spawn_until

logger = logging.getLogger(__name__)

Control = Callable[[], Any]
"""A method of the daemon itself; it answers at once."""


class Worker:
    """Runs jobs.

    control: the daemon's own methods by name. jobs_max: jobs at once. job_timeout_s: a job's
    deadline where it names none; job_timeout_max_s: the longest it may name.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        policy: Policy,
        *,
        control: Mapping[str, Control],
        jobs_max: int,
        job_timeout_s: float,
        job_timeout_max_s: float,
    ) -> None:
        self._upstreams = upstreams
        self._policy = policy
        self._control = control
        self._jobs_max = jobs_max
        self._job_timeout_s = job_timeout_s
        self._job_timeout_max_s = job_timeout_max_s
        self._running: set[asyncio.Future[Result]] = set()
        self._draining = False
        self.jobs_total = 0
        self.failed_total = 0

    @property
    def running_num(self) -> int:
        return len(self._running)

    def handle(self, request: Request, sender: Sender) -> "asyncio.Future[Any]":
        """Begin what a request asks for. Raises RpcError if it is refused at once."""
        self._policy.check(sender.uid, request.method)
        control = self._control.get(request.method)
        if control is not None:
            if request.params:
                raise RpcError(Code.INVALID_PARAMS, f"{request.method} takes no params")
            return _done(control())
        try:
            job = self._job(request, sender)
            connection = self._upstreams.connection(job.profile, job.service)
        except Exception as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise refused from None
        self._admit()
        return self._start(job, connection)

    async def drain(self, timeout_s: float) -> None:
        """Take no more jobs; let those that run finish for up to `timeout_s`, then end them."""
        self._draining = True
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        for future in list(self._running):
            future.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _admit(self) -> None:
        if self._draining:
            raise RpcError(Code.SHUTTING_DOWN, "the daemon is shutting down", {"retryable": True})
        if len(self._running) >= self._jobs_max:
            raise RpcError(
                Code.OVERLOADED,
                f"{self._jobs_max} jobs are running already",
                {"retryable": True, "retry_after_ms": 1000},
            )

    def _start(self, job: Job, connection: Any) -> "asyncio.Future[Result]":
        self.jobs_total += 1
        with on_terms(job.terms):
            future = spawn_until(job.deadline, self._run, job, connection)
        future.name = job.method
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def _run(self, job: Job, connection: Any) -> Result:
        """One named border: whatever a job does, its peer gets an error of the wire."""
        began = time.monotonic()
        outcome = "failed"
        try:
            result = job.run(connection)
            outcome = "ok"
        except Exception as error:
            self.failed_total += 1
            host = self._upstreams.host(job.profile, job.service)
            failed = failure(job, host, error)
            if failed is None:
                raise
            outcome = str(failed.data.get("type", failed.code))
            raise failed from None
        except asyncio.CancelledError:
            self.failed_total += 1
            outcome = "cancelled"
            raise cancelled(job) from None
        finally:
            took_ms = (time.monotonic() - began) * 1000
            logger.info(
                "job %s %s attempts=%d took_ms=%.1f",
                job.method, outcome, job.terms.attempts_num, took_ms,
            )  # fmt: skip
        return result

    def _job(self, request: Request, sender: Sender) -> Job:
        service_name, _dot, name = request.method.partition(".")
        service = SERVICES.get(service_name)
        operation = None if service is None else service.operations.get(name)
        if operation is None:
            raise RpcError(
                Code.METHOD_NOT_FOUND, _unknown(request.method, service_name, self._control)
            )
        params = operation.params.read(request.params, "")
        return Job(
            service=service_name,
            name=name,
            operation=operation,
            params=params,
            profile=self._profile(request),
            deadline=asyncio.get_running_loop().time() + self._timeout_s(request),
            terms=Terms(
                key=(sender.uid, sender.connection_id),
                idempotent=operation.is_idempotent(params),
            ),
        )

    def _profile(self, request: Request) -> str:
        profile = request.options.get("profile", "default")
        if not isinstance(profile, str):
            raise RpcError(Code.INVALID_PARAMS, "profile has to be a text")
        return profile

    def _timeout_s(self, request: Request) -> float:
        timeout_s = request.options.get("timeout_s", self._job_timeout_s)
        good = isinstance(timeout_s, (int, float)) and not isinstance(timeout_s, bool)
        if not good or not 0 < timeout_s <= self._job_timeout_max_s:
            raise RpcError(
                Code.INVALID_PARAMS,
                f"timeout_s has to be seconds, more than 0 and at most {self._job_timeout_max_s:g}",
            )
        return float(timeout_s)


def _unknown(method: str, service: str, control: Iterable[str]) -> str:
    if service in SERVICES:
        names = ", ".join(SERVICES[service].operations)
        return f"unknown method {method!r}; {service} has: {names}"
    services, own = ", ".join(SERVICES), ", ".join(control)
    return f"unknown method {method!r}; there are services: {services}; and methods: {own}"


def _done(result: Any) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future
