"""What a request asks for, as a job."""

from collections.abc import Iterable

from botod.daemon.job import Job, slot_key, traced
from botod.daemon.options import Options, read_options, trace_headers
from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Operation, Params
from botod.daemon.services.shapes import InvalidParam
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange
from botod.ipc.streams import IncomingStream
from botod.pool import Terms


class Intake:
    """Reads requests.

    timeout_s: a job's deadline where it names none; timeout_max_s: the longest it may name, and
    that of a job with a descriptor or a stream, which may be of any length. own_methods: the
    daemon's, for messages.
    """

    def __init__(
        self, *, timeout_s: float, timeout_max_s: float, own_methods: Iterable[str]
    ) -> None:
        self._timeout_s = timeout_s
        self._timeout_max_s = timeout_max_s
        self._own_methods = tuple(own_methods)

    def job(self, exchange: Exchange, *, now: float) -> Job:
        """The job that a request asks for; `now` is the loop's. Raises RpcError."""
        request = exchange.request
        service_name, _dot, name = request.method.partition(".")
        operation = self._operation(request.method, service_name, name)
        options = read_options(request.options, timeout_max_s=self._timeout_max_s)
        try:
            params = operation.params.read(request.params, "")
        except InvalidParam as error:
            raise traced(RpcError(Code.INVALID_PARAMS, str(error)), options) from None
        is_large = _has_large(params)
        if is_large and options.idempotency_key is not None:
            message = "idempotency_key does not go with descriptors and streams: they come once"
            raise traced(RpcError(Code.INVALID_PARAMS, message), options)
        return Job(
            service=service_name,
            name=name,
            operation=operation,
            params=params,
            options=options,
            deadline=now + self._seconds(options, is_large=is_large),
            terms=Terms(
                key=slot_key(exchange.sender, options.priority),
                idempotent=operation.is_idempotent(params),
                is_poll=operation.polls(params),
                headers=trace_headers(options.traceparent),
            ),
        )

    def _operation(self, method: str, service_name: str, name: str) -> Operation:
        service = SERVICES.get(service_name)
        operation = None if service is None else service.operations.get(name)
        if operation is None:
            words = _unknown(method, service_name, self._own_methods)
            raise RpcError(Code.METHOD_NOT_FOUND, words)
        return operation

    def _seconds(self, options: Options, *, is_large: bool) -> float:
        if options.timeout_s is not None:
            return options.timeout_s
        return self._timeout_max_s if is_large else self._timeout_s


def _has_large(params: Params) -> bool:
    return any(isinstance(value, (Descriptor, IncomingStream)) for value in params.values())


def _unknown(method: str, service: str, own_methods: Iterable[str]) -> str:
    if service in SERVICES:
        names = ", ".join(SERVICES[service].operations)
        return f"unknown method {method!r}; {service} has: {names}"
    services, own = ", ".join(SERVICES), ", ".join(own_methods)
    return f"unknown method {method!r}; there are services: {services}; and methods: {own}"
