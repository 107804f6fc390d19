"""Each request leaves a trace, of which somebody tells."""

import pytest

from botod.pool import OutcomeUnknown, Terms, on_terms, spawn
from botod.pool.connection import HTTPConnection
from botod.pool.origin import Origin
from botod.pool.traces import MAX_ID, Trace, Tracing
from support.http_server import Exchange, http_server
from support.loops import run
from support.pools import open_pool


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"x-amz-request-id: R1\r\n", "R1"),
        (b"x-amzn-RequestId: R2\r\n", "R2"),
        (b"X-Amzn-Request-Id:R3\r\n", "R3"),
        (b"x-amz-request-id: " + b"x" * 1000 + b"\r\n", "x" * MAX_ID),
        (b"x-amz-id-2: R4\r\n", ""),
        (b"Date: now\r\n", ""),
    ],
)
def test_what_the_server_calls_it(line: bytes, name: str) -> None:
    """By the headers that AWS's services have for it."""
    trace = Tracing(lambda _trace: None).trace("GET", "o")
    trace.answered(b"200", [b"HTTP/1.1 200 OK\r\n", line])
    assert (trace.status, trace.request_id) == (200, name)


def test_what_nobody_tells_of_is_told_when_it_is_forgotten() -> None:
    """If it was sent; what somebody told of is not told again."""
    untold: list[int] = []
    tracing = Tracing(lambda trace: untold.append(trace.number))
    for is_sent, is_told in ((False, False), (True, False), (True, True), (True, False)):
        trace = tracing.trace("GET", "o")
        trace.is_sent, trace.is_told = is_sent, is_told
        del trace
    assert untold == [2, 4]


def test_the_rest_is_told_of_at_the_end() -> None:
    """Of what was sent and something still holds, once."""
    untold: list[int] = []
    tracing = Tracing(lambda trace: untold.append(trace.number))
    held = [tracing.trace("GET", "o") for _ in range(3)]
    held[0].is_sent = held[2].is_sent = held[1].is_told = True
    tracing.tell_rest()
    tracing.tell_rest()
    assert untold == [1, 3]
    del held
    assert untold == [1, 3]


def test_the_traces_of_a_job_s_requests_lie_with_its_terms() -> None:
    """Those of its parts, too; one without an answer has been sent all the same."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/cut":
            exchange.cut()
        else:
            exchange.ok(b"", "x-amz-request-id: R1")

    untold: list[Trace] = []

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(tracing=Tracing(untold.append)) as pool:
                origin = Origin("http", "127.0.0.1", server.port)

                def get(target: str) -> None:
                    connection = HTTPConnection(pool, origin)
                    connection.request("GET", target)
                    connection.getresponse().read()

                terms = Terms()
                with on_terms(terms):
                    await spawn(get, "/")
                with on_terms(terms.part(idempotent=False)), pytest.raises(OutcomeUnknown):
                    await spawn(get, "/cut")
                good, bad = terms.traces
                assert (good.is_sent, good.status, good.request_id) == (True, 200, "R1")
                assert (bad.is_sent, bad.status, bad.request_id) == (True, 0, "")
                good.is_told = bad.is_told = True
                await spawn(get, "/")  # for no job
                assert [trace.status for trace in untold] == [200]

    run(scenario)
