"""What a request asks for, as a job."""

import uuid
from collections.abc import Mapping

from botod.daemon.job import Job, traced
from botod.daemon.options import Options, read_options, trace_headers
from botod.daemon.services.operation import Operation, Params
from botod.daemon.services.shapes import LARGE, InvalidParam
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange
from botod.pool import Terms


class Intake:
    """Reads requests.

    timeout_s: a job's deadline where it names none; timeout_max_s: the longest it may name, and
    that of a job with a descriptor or a stream, which may be of any length.
    """

    def __init__(self, *, timeout_s: float, timeout_max_s: float) -> None:
        self._timeout_s = timeout_s
        self._timeout_max_s = timeout_max_s

    def wait(self, exchange: Exchange, *, now: float) -> tuple[Options, float]:
        """A request's options, and until when it waits for its operation. Raises RpcError."""
        options = read_options(exchange.request.options, timeout_max_s=self._timeout_max_s)
        return options, now + (options.timeout_s or self._timeout_s)

    def job(self, exchange: Exchange, operation: Operation, *, now: float) -> Job:
        """The job that a request asks for; `now`, when it came, is the loop's. Raises RpcError."""
        request, sender = exchange.request, exchange.sender
        service, _dot, name = request.method.partition(".")
        options = read_options(request.options, timeout_max_s=self._timeout_max_s)
        try:
            params = operation.params.read(request.params, "")
        except InvalidParam as error:
            raise traced(RpcError(Code.INVALID_PARAMS, str(error)), options) from None
        # Only the params of these two names may be a descriptor or a stream.
        is_large = isinstance(params.get(operation.sends), LARGE) or isinstance(
            params.get(operation.receives), LARGE
        )
        if is_large and options.idempotency_key is not None:
            message = "idempotency_key does not go with descriptors and streams: they come once"
            raise traced(RpcError(Code.INVALID_PARAMS, message), options)
        tokens = _made_tokens(operation, params) if operation.tokens else None
        terms = Terms(
            # Between whom the pool's queue is fair: users, then one user's priorities, then its
            # connections.
            key=(sender.uid, options.priority, sender.connection_id),
            idempotent=operation.is_idempotent({**params, **tokens} if tokens else params),
            is_poll=operation.polls is not None and operation.polls(params),
            headers=trace_headers(options.traceparent) if options.traceparent else None,
        )
        timeout_s = options.timeout_s or (self._timeout_max_s if is_large else self._timeout_s)
        return Job(
            service,
            name,
            operation,
            params,
            options=options,
            deadline=now + timeout_s,
            terms=terms,
            tokens=tokens,
        )


def _made_tokens(operation: Operation, params: Params) -> Mapping[str, str]:
    """What marks a job's request as one and the same to the service, where its peer gave nothing.

    No part of the params: a second request with the job's idempotency_key would look like another.
    """
    return {name: str(uuid.uuid4()) for name in operation.tokens if name not in params}
