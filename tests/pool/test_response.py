"""http.client's response on a transfer: the contract that boto relies on."""

import asyncio
import gc
import gzip
import http.client
import threading
from collections.abc import Callable
from typing import Any

import pytest

from botod.pool import Interrupted, OutcomeUnknown, Pool, Terms, on_terms, spawn
from botod.pool.connection import HTTPConnection
from botod.pool.origin import Origin
from botod.pool.response import HTTPResponse
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run
from support.pools import assert_idle, open_pool


def respond(pool: Pool, port: int, method: str = "GET", url: str = "/") -> HTTPResponse:
    """The response to a request; nothing of its body is read yet."""
    connection = HTTPConnection(pool, Origin("http", "127.0.0.1", port))
    connection.request(method, url)
    return connection.getresponse()


def answering(raw: bytes) -> Callable[[Exchange], None]:
    """Answer with these very bytes, then close."""

    def answer(exchange: Exchange) -> None:
        exchange.send(raw)
        exchange.cut()

    return answer


def read_from(raw: bytes, work: Callable[[HTTPResponse], Any], method: str = "GET") -> Any:
    """What `work` makes of the response to these bytes, in a greenlet."""
    results: list[Any] = []

    async def scenario() -> None:
        with http_server(answering(raw)) as server:
            async with open_pool() as pool:
                results.append(await spawn(lambda: work(respond(pool, server.port, method=method))))

    run(scenario)
    return results[0]


HELLO = (
    b"HTTP/1.1 200 Fine by me\r\nContent-Length: 11\r\nX-A: 1\r\nx-a: 2\r\nX-B:\r\n\r\nhello world"
)


def test_status_and_headers_are_as_http_client_gives_them() -> None:
    """status, reason, version, getheader with its default, getheaders, msg with items()."""

    def work(response: HTTPResponse) -> None:
        assert (response.status, response.reason, response.version) == (200, "Fine by me", 11)
        assert response.getheader("x-A") == "1, 2"
        assert response.getheader("X-b", "default") == ""
        assert response.getheader("absent") is None
        assert response.getheader("absent", "default") == "default"
        assert ("Content-Length", "11") in response.getheaders()
        assert isinstance(response.msg, http.client.HTTPMessage)
        assert response.msg.get_all("X-A") == ["1", "2"]
        assert dict(response.msg.items())["Content-Length"] == "11"
        assert response.chunked is False

    read_from(HELLO, work)


def test_reading_in_pieces_and_to_the_end() -> None:
    """read(n) gives n bytes, fewer at the end, then none; the response is closed at the end."""

    def work(response: HTTPResponse) -> None:
        assert not response.isclosed()
        assert [response.read(4), response.read(0), response.read(4)] == [b"hell", b"", b"o wo"]
        assert [response.read(10), response.read(10), response.read(10)] == [b"rld", b"", b""]
        assert response.isclosed()

    read_from(HELLO, work)


def test_reading_without_an_amount_may_be_repeated() -> None:
    """boto reads an error's body twice; after a partial read it is the rest."""

    def work(response: HTTPResponse) -> None:
        assert response.read(6) == b"hello "
        assert response.read() == b"world"
        assert response.read() == b"world"

    read_from(HELLO, work)


def test_an_answer_in_chunks() -> None:
    """The framing is taken off by curl, and `chunked`, which boto writes, tells of it."""

    def work(response: HTTPResponse) -> None:
        assert response.chunked is True
        response.chunked = False
        assert response.read() == b"hello world"

    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    read_from(raw + b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: t\r\n\r\n", work)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    """HTTP/1.0 servers, and 1.1 ones that close."""

    def work(response: HTTPResponse) -> None:
        assert response.version == 10
        assert response.read() == b"until the end"

    read_from(b"HTTP/1.0 200 OK\r\n\r\nuntil the end", work)


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body(method: str, raw: bytes) -> None:
    """They are read at once, whatever length they announce."""
    assert read_from(raw, HTTPResponse.read, method=method) == b""


def test_a_compressed_object_stays_as_it_is() -> None:
    """S3 stores Content-Encoding with the object: length and MD5 are those of what is stored."""
    body = gzip.compress(b"an object")
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert read_from(raw + body, HTTPResponse.read) == body


@pytest.mark.parametrize(("idempotent", "error"), [(False, OutcomeUnknown), (True, Interrupted)])
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
    ids=["of its length", "of a chunk", "without the last chunk"],
)
def test_half_a_body_is_an_error(raw: bytes, idempotent: bool, error: type[Exception]) -> None:
    """A connection that ends in the middle of a body is never taken for its end."""

    async def scenario() -> None:
        with http_server(answering(raw)) as server:
            async with open_pool() as pool:
                with on_terms(Terms(idempotent=idempotent)):
                    job = spawn(lambda: respond(pool, server.port).read())
                with pytest.raises(error, match="sent, no full answer"):
                    await job

    run(scenario)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
    ids=[
        "nothing",
        "no HTTP",
        "status",
        "no space",
        "four digits",
        "another protocol",
        "length",
        "two lengths",
        "huge head",
        "half a head",
    ],
)
def test_an_answer_that_is_none_is_an_error(raw: bytes) -> None:
    """Whatever a server says instead of HTTP: an error in bounded time, and no slot is lost."""

    async def scenario() -> None:
        with http_server(answering(raw)) as server:
            async with open_pool(slots=1) as pool:
                with pytest.raises(OutcomeUnknown, match=f"GET to http://127.0.0.1:{server.port}"):
                    await spawn(lambda: respond(pool, server.port).read())
                await assert_idle(pool)

    run(scenario)


def one_then_fine(exchange: Exchange) -> None:
    """Send a long body slowly enough to be left in the middle, then be an ordinary server."""
    if exchange.target == "/long":
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 50_000_000)
    else:
        exchange.ok(b"fine")


def test_a_closed_response_stops_its_transfer() -> None:
    """The slot is free at once, and the half-read connection is not used again."""

    async def scenario() -> None:
        with http_server(one_then_fine) as server:
            async with open_pool(slots=1) as pool:

                def work() -> None:
                    response = respond(pool, server.port, url="/long")
                    assert response.read(10) == b"x" * 10
                    response.close()
                    assert response.isclosed()
                    assert response.read(10) == b""
                    assert respond(pool, server.port).read() == b"fine"

                await spawn(work)
        assert server.connections_total == 2

    run(scenario)


def test_a_dropped_response_stops_its_transfer() -> None:
    """What nobody holds any more holds no slot."""

    async def scenario() -> None:
        with http_server(one_then_fine) as server:
            async with open_pool(slots=1) as pool:

                def work() -> None:
                    respond(pool, server.port, url="/long").read(10)
                    gc.collect()
                    assert respond(pool, server.port).read() == b"fine"

                await spawn(work)

    run(scenario)


def test_a_read_response_leaves_a_connection_to_reuse() -> None:
    """Read to its end, closed or not: the next request goes over the same connection."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool(slots=1) as pool:

                def work() -> None:
                    for _ in range(3):
                        response = respond(pool, server.port)
                        assert response.read() == b"fine"
                        response.close()

                await spawn(work)
        assert server.connections_total == 1

    run(scenario)


def test_a_slow_answer_is_read_as_it_comes() -> None:
    """read(n) returns when n bytes are here, and does not wait for the rest."""
    go_on = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        go_on.wait(BOUND_S)
        exchange.send(b"def")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                response = await spawn(respond, pool, server.port)
                assert await spawn(response.read, 3) == b"abc"
                rest = spawn(response.read)
                await asyncio.sleep(0)
                assert not rest.done()
                go_on.set()
                assert await rest == b"def"

    run(scenario)
