"""A job: what it is to do, and what came of it as an error of the wire."""

import http.client
from collections.abc import Mapping
from typing import Any

from botod.daemon.files import DescriptorFailed
from botod.daemon.options import Options
from botod.daemon.refresher import NoCredentials
from botod.daemon.retries import GATEWAYS, Cause, cause_of
from botod.daemon.services.catalog import NoSuchOperation
from botod.daemon.services.errors import AnswerTooLarge, BadAnswer, DetailedError, ObjectChanged
from botod.daemon.services.operation import CannotBeCarried, Operation, Params, Result
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.sinks import DoesNotFit
from botod.daemon.sites import NoEndpoint
from botod.daemon.sources import BodyChanged, BodyTooShort, CannotRepeat
from botod.daemon.upstreams import NoSuchProfile
from botod.ipc.errors import Code, RpcError
from botod.pool import (
    CertificateError,
    DeadlineExceeded,
    Interrupted,
    NotSent,
    OutcomeUnknown,
    PoolClosed,
    PoolFull,
    PoolTimeout,
    Terms,
)

from boto.exception import BotoServerError

ROOM_AFTER_MS = 1000
"""When to come back to a daemon that refuses for want of room."""


ENDED_UNSEEN = (Interrupted, DeadlineExceeded)
"""After these a request may have been carried out. Its token made it safe to try again, but only in
the job that had made it."""


class Job:
    """One operation asked for by a peer; nobody changes it.

    deadline: in seconds of the loop's clock. tokens: params that we made up, by which the service
    knows this job's requests as one; None: none. terms: what holds for its requests; they count its
    attempts. method: as the peer wrote it.
    """

    __slots__ = (
        "deadline", "method", "name", "operation", "options", "params", "service", "terms",
        "tokens",
    )  # fmt: skip

    def __init__(
        self,
        service: str,
        name: str,
        operation: Operation,
        params: Params,
        *,
        options: Options,
        deadline: float,
        terms: Terms,
        tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.service = service
        self.name = name
        self.method = f"{service}.{name}"
        self.operation = operation
        self.params = params
        self.options = options
        self.deadline = deadline
        self.terms = terms
        self.tokens = tokens

    def run(self, connection: Any, params: Params) -> Result:
        """Do it, in boto's blocking style. params: its own, with bodies opened."""
        return self.operation.run(connection, {**params, **self.tokens} if self.tokens else params)

    @property
    def is_repeatable(self) -> bool:
        """Whether another job may do the same again; it would not have the token made for this."""
        return self.operation.is_idempotent(self.params) if self.tokens else self.terms.idempotent


def refusal(error: Exception) -> RpcError | None:
    """The wire's error for what kept a job from being started; None if it is not such a thing."""
    if isinstance(error, (InvalidParam, NoEndpoint, NoSuchProfile)):
        return RpcError(Code.INVALID_PARAMS, str(error))
    if isinstance(error, NoCredentials):
        return RpcError(Code.NO_CREDENTIALS, str(error))
    if isinstance(error, NoSuchOperation):
        return RpcError(Code.METHOD_NOT_FOUND, str(error))
    if isinstance(error, CannotBeCarried):
        return RpcError(Code.UNSUPPORTED, str(error))
    return None


def failure(job: Job, host: str, error: Exception) -> RpcError | None:
    """The wire's error for what became of a job; None if the error is a bug of ours."""
    if isinstance(error, BotoServerError):
        return _service_error(job, host, error)
    refused = refusal(error)
    if refused is not None:
        return refused
    if isinstance(error, RpcError):  # of the wire already, such as a stream that the peer broke off
        data = _data(job, host, error) | {"retryable": False} | error.data
        return RpcError(error.code, f"{job.method}: {error.message}", data)
    if isinstance(error, ENDED_UNSEEN) and job.terms.attempts_num and _is_marked_only(job):
        error = OutcomeUnknown(str(error))
    for kind, code, retryable in _FAILURES:
        if isinstance(error, kind):
            data = _data(job, host, error) | {"type": type(error).__name__, "retryable": retryable}
            data |= _details(error)
            message = f"{job.method} on {host}, {_tries(job)}: {error}"
            return RpcError(code, message, data)
    return None


def _is_marked_only(job: Job) -> bool:
    return job.terms.idempotent and not job.is_repeatable


def _details(error: Exception) -> dict[str, Any]:
    """What only this kind of error has to tell."""
    if isinstance(error, PoolTimeout):
        return {"retry_after_ms": ROOM_AFTER_MS, "limit": "slot_timeout_s"}
    if isinstance(error, PoolFull):
        return {"retry_after_ms": ROOM_AFTER_MS, "limit": _SETTINGS[error.limit]}
    if isinstance(error, DescriptorFailed) and error.errno_name:
        return {"errno": error.errno_name}
    return {}


def traced(error: RpcError, options: Options) -> RpcError:
    """The error with the trace that its request belongs to; several requests may get one error."""
    if options.traceparent is None:
        return error
    return RpcError(error.code, error.message, error.data | {"traceparent": options.traceparent})


def bare(error: RpcError) -> RpcError:
    """The error without its traceback, whose frames hold what the job had, its bodies too."""
    return RpcError(error.code, error.message, error.data)


def cancelled(
    job: Job, written: Mapping[str, Any] | None = None, *, is_killed: bool = False
) -> RpcError:
    """The wire's error for a job that was ended from outside, by hang-up or shutdown.

    written: what to say of an answer that was written in part, where another try would add to it.
    is_killed: it was an administrator.
    """
    unknown = job.terms.attempts_num > 0 and not job.is_repeatable
    data = {"service": job.service, "operation": job.name, "outcome_unknown": unknown}
    done = "it may have been done" if unknown else "trying again is safe"
    if written is not None:
        data |= written
        done = "some of its body was written already, trying again would write it twice"
    by = " by an administrator" if is_killed else ""
    return RpcError(Code.CANCELLED, f"{job.method} was ended{by}; {done}", data)


def overdue(job: Job) -> RpcError:
    """The wire's error for a request whose deadline passed before the job that it had joined."""
    data = {
        "service": job.service,
        "operation": job.name,
        "retryable": True,
        "outcome_unknown": True,
    }
    message = f"{job.method}: the request that this one joined had not ended by its deadline"
    return RpcError(Code.DEADLINE_EXCEEDED, message, data)


_SETTINGS = {"max_waiting": "max_waiting", "max_waiting_per_key": "max_waiting_per_uid"}
"""The bounds of the pool by the names of their settings."""

_FAILURES: tuple[tuple[type[Exception], Code, bool], ...] = (
    (OutcomeUnknown, Code.OUTCOME_UNKNOWN, False),
    (Interrupted, Code.UNREACHABLE, True),
    (NotSent, Code.UNREACHABLE, True),
    (CertificateError, Code.UNTRUSTED_SERVER, False),
    (DeadlineExceeded, Code.DEADLINE_EXCEEDED, True),
    (PoolTimeout, Code.OVERLOADED, True),
    (PoolFull, Code.OVERLOADED, True),
    (PoolClosed, Code.SHUTTING_DOWN, True),
    (AnswerTooLarge, Code.BODY_TOO_LARGE, False),
    (BadAnswer, Code.BAD_ANSWER, False),
    (ObjectChanged, Code.BAD_ANSWER, True),
    (DescriptorFailed, Code.DESCRIPTOR_FAILED, False),
    (DoesNotFit, Code.BODY_TOO_LARGE, False),
    (BodyTooShort, Code.BODY_CUT_SHORT, False),
    (BodyChanged, Code.BODY_CUT_SHORT, True),
    (CannotRepeat, Code.UNREACHABLE, False),
    (http.client.HTTPException, Code.BAD_ANSWER, False),
)
"""Kind of error, code on the wire, whether another try is safe and may help. First match counts."""


def _service_error(job: Job, host: str, error: BotoServerError) -> RpcError:
    kind = error.error_code or str(error.status)
    idempotent = job.is_repeatable
    cause = cause_of(error, idempotent=idempotent)
    data = _data(job, host, error) | {
        "type": kind,
        "http_status": error.status,
        "retryable": cause in (Cause.THROTTLED, Cause.FAILED),
        "outcome_unknown": error.status in GATEWAYS and not idempotent,
    }
    if error.request_id:
        data["request_id"] = error.request_id
    if isinstance(error, DetailedError) and error.details:
        data["details"] = error.details
    return RpcError(Code.SERVICE_ERROR, _words(error), data)


def _words(error: BotoServerError) -> str:
    """The service's words in one line; of what has no error code, such as a page, the status."""
    if error.error_code and error.message:
        return " ".join(str(error.message).split())
    return f"HTTP status {error.status} {error.reason or ''}".strip()


def _data(job: Job, host: str, error: Exception) -> dict[str, Any]:
    return {
        "service": job.service,
        "operation": job.name,
        "host": host,
        "attempts": job.terms.attempts_num,
        "outcome_unknown": isinstance(error, OutcomeUnknown),
    }


def _tries(job: Job) -> str:
    number = job.terms.attempts_num
    return "1 attempt" if number == 1 else f"{number} attempts"
