"""A service that gives canned answers, and what was asked of it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from botod.daemon.attempts import Attempts, use
from botod.daemon.budget import Budget
from botod.daemon.credentials import Keys
from botod.daemon.open_uploads import OpenUploads
from botod.daemon.refresher import Refresher
from botod.daemon.retries import Patience
from botod.daemon.services import CATALOG, SERVICES
from botod.daemon.services.answers import Streamed
from botod.daemon.services.operation import Endpoint, Operation, Params, Result
from botod.pool import HeldKeys, Terms, current_terms, on_terms, spawn
from support.http_server import Answer, Exchange, HttpServer, http_server
from support.loops import BOUND_S
from support.pools import KEYS, open_pool

REGION = "eu-central-1"
REQUEST_ID = "4442587FB7D0A2F9"
META = {"HTTPStatusCode": 200, "RequestId": REQUEST_ID}
SQS_XMLNS = 'xmlns="http://queue.amazonaws.com/doc/2012-11-05/"'


class Held:
    """An answer that waits until the test lets it go."""

    def __init__(self, answer: Answer) -> None:
        self.arrived = threading.Event()
        self.release = threading.Event()
        self._answer = answer

    def __call__(self, exchange: Exchange) -> None:
        self.arrived.set()
        assert self.release.wait(BOUND_S)
        self._answer(exchange)


def reply(body: bytes | str = b"", *headers: str, status: str = "200 OK") -> Answer:
    """An answer with these bytes; a text goes as UTF-8."""
    data = body.encode() if isinstance(body, str) else body

    def answer(exchange: Exchange) -> None:
        exchange.ok(data, f"x-amz-request-id: {REQUEST_ID}", *headers, status=status)

    return answer


def xml(body: str, *headers: str, status: str = "200 OK") -> Answer:
    """An answer that is an XML document, as AWS writes them."""
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return reply(document, "Content-Type: application/xml", *headers, status=status)


def query_xml(action: str, inside: str = "", request_id: str = "b5293cb5-d306") -> Answer:
    """An answer of the query protocol."""
    result = f"<{action}Result>{inside}</{action}Result>" if inside else ""
    return xml(
        f"<{action}Response {SQS_XMLNS}>{result}<ResponseMetadata>"
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )


def s3_error(code: str, message: str, status: str) -> Answer:
    """An error as S3 writes it."""
    return xml(
        f"<Error><Code>{code}</Code><Message>{message}</Message><Resource>/b/k</Resource>"
        f"<RequestId>{REQUEST_ID}</RequestId><HostId>aGk=</HostId></Error>",
        status=status,
    )


def query_error(code: str, message: str, status: str) -> Answer:
    """An error as SQS writes it."""
    return xml(
        f"<ErrorResponse {SQS_XMLNS}><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{message}</Message><Detail/></Error><RequestId>42d59b56</RequestId>"
        "</ErrorResponse>",
        status=status,
    )


def form_of(exchange: Exchange) -> dict[str, str]:
    """The form in a request's body, without what boto adds to every one."""
    pairs = parse_qsl(exchange.body.decode(), keep_blank_values=True, strict_parsing=True)
    form = dict(pairs)
    assert len(form) == len(pairs), f"a field came twice: {pairs}"
    return {name: value for name, value in form.items() if name != "Version"}


def _always() -> bool:
    return True


def query_of(exchange: Exchange) -> dict[str, str]:
    """The query of a request's target, decoded."""
    pairs = parse_qs(urlsplit(exchange.target).query, keep_blank_values=True)
    return {name: values[0] for name, values in pairs.items()}


class CannedService:
    """Answers each request with the next of `replies`, and with the last one ever after.

    requests, connections_total: what came, over all calls.
    """

    def __init__(self, *replies: Answer) -> None:
        self.requests: list[Exchange] = []
        self.connections_total = 0
        self._replies = replies

    def call(self, method: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        """One operation, its params read as the worker reads them. Its errors are raised."""
        return self.calls((method, params or {}), **options)[0]

    def calls(self, *calls: tuple[str, dict[str, Any]], **options: Any) -> list[Result]:
        """Several operations of one service, one after the other, over one pool.

        retries: tries after the first. idempotent: what the terms say. can_repeat:
        whether what is sent is still there.
        """
        return asyncio.run(self._calls(calls, **options))

    async def _calls(
        self,
        calls: tuple[tuple[str, dict[str, Any]], ...],
        *,
        retries: int = 0,
        idempotent: bool = False,
        keys: HeldKeys | None = None,
        can_repeat: Callable[[], bool] = _always,
    ) -> list[Result]:
        with http_server(self._answer) as server:
            try:
                async with open_pool() as pool:
                    endpoint = Endpoint("127.0.0.1", server.port, False, REGION, True)
                    home = _operation(calls[0])[0].home or SERVICES[calls[0][0].partition(".")[0]]
                    connection = home.connect(pool, keys or HeldKeys(*KEYS), endpoint)
                    connection.retries_itself = False
                    connection.open_uploads = OpenUploads().of("default")
                    patience = Patience(retries, 1.0)
                    with on_terms(Terms(idempotent=idempotent)):
                        return [
                            await spawn(_tried, *_operation(call), connection, patience, can_repeat)
                            for call in calls
                        ]
            finally:
                self._remember(server)

    def _remember(self, server: HttpServer) -> None:
        self.requests += server.requests
        self.connections_total += server.connections_total

    def _answer(self, exchange: Exchange) -> None:
        number = len(self.requests) + exchange.number
        self._replies[min(number, len(self._replies)) - 1](exchange)


def _tried(
    operation: Operation,
    params: Params,
    connection: Any,
    patience: Patience,
    can_repeat: Callable[[], bool],
) -> Result:
    """What the worker does, without a worker."""
    attempts = Attempts(
        connection,
        keys=Refresher(lambda: Keys(*KEYS), name="nobody"),
        budget=Budget(now=asyncio.get_running_loop().time()),
        patience=patience,
    )

    def run() -> Result:
        result = operation.run(connection, params)
        bodies = {name: body.whole() for name, body in result.items() if isinstance(body, Streamed)}
        return result | bodies

    if operation.is_composite:
        use(attempts, can_repeat)
        return run()
    return attempts.run(run, current_terms(), can_repeat)


def _operation(call: tuple[str, dict[str, Any]]) -> tuple[Operation, Params]:
    """The operation, and its params as the worker reads them."""
    method, params = call
    service, _dot, name = method.partition(".")
    operation = CATALOG.operation(service, name)
    return operation, operation.params.read(params, "")
