"""The socket that http.client believes it has, used by http.client itself."""

import asyncio
import contextlib
import http.client
import io
import select
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botod.pool import (
    DeadlineExceeded,
    NotInGreenlet,
    NotSent,
    OutcomeUnknown,
    Pool,
    PoolTimeout,
    Unsupported,
    sleep,
    spawn,
    spawn_until,
)
from botod.pool.http_socket import HEAD_MAX_BYTES, ConnectionLost, PooledSocket
from botod.pool.origin import Origin
from botod.pool.spawned import live_num
from botod.pool.upload import HIGH_BYTES
from support.certificates import new_authority
from support.http_server import Answer, Exchange, always_ok, http_server
from support.loops import BOUND_S, run, until
from support.pools import assert_idle, open_pool

Work = Callable[[http.client.HTTPConnection], Any]


def client(
    pool: Pool, port: int, *, scheme: str = "http", timeout: float | None = None
) -> http.client.HTTPConnection:
    """http.client's connection with our socket in it."""
    connection = http.client.HTTPConnection("localhost", port)
    origin = Origin(scheme, "localhost", port)
    connection.sock = PooledSocket(pool, origin, timeout=timeout)  # type: ignore[assignment]
    return connection


def over(answer: Answer, work: Work, **options: Any) -> Any:
    """Run `work` in a greenlet with a connection to a server that gives `answer`."""
    results: list[Any] = []

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=options.pop("slots", 2)) as pool:
                results.append(await spawn(work, client(pool, server.port, **options)))

    run(scenario)
    return results[0]


def get(connection: http.client.HTTPConnection, target: str = "/") -> http.client.HTTPResponse:
    """The answer to a GET, unread."""
    connection.request("GET", target)
    return connection.getresponse()


def raw(data: bytes) -> Answer:
    """An answer of these bytes, after which the connection is closed."""

    def answer(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.cut()

    return answer


def test_the_request_arrives_as_http_client_wrote_it() -> None:
    """Method, target, headers and body; nothing of curl's is added."""
    seen: list[Exchange] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange)
        exchange.ok()

    def work(connection: http.client.HTTPConnection) -> int:
        connection.putrequest("PATCH", "/a/../b?c=%20&d")
        connection.putheader("X-Several", "one", "two")
        connection.putheader("X-Empty", "")
        connection.putheader("Content-Length", "4")
        connection.endheaders()
        connection.send(bytearray(b"bo"))
        connection.send(iter([b"d", b"y"]))
        connection.getresponse().read()
        return connection.port or 0

    port = over(answer, work)
    (exchange,) = seen
    assert (exchange.method, exchange.target, exchange.body) == (
        "PATCH",
        "/a/../b?c=%20&d",
        b"body",
    )
    assert exchange.headers == {
        "host": f"localhost:{port}",
        "accept-encoding": "identity",
        "x-several": "one two",
        "x-empty": "",
        "content-length": "4",
    }  # fmt: skip


def test_one_connection_carries_many_requests() -> None:
    """http.client's keep-alive: the same socket object again and again, one socket of curl's."""

    def answer(exchange: Exchange) -> None:
        exchange.ok(b"x" * exchange.number, f"X-Connection: {exchange.connection_number}")

    def work(connection: http.client.HTTPConnection) -> list[tuple[int, str | None]]:
        answers = []
        for _ in range(3):
            response = get(connection)
            answers.append((len(response.read()), response.getheader("x-connection")))
        return answers

    assert over(answer, work) == [(1, "1"), (2, "1"), (3, "1")]


def test_a_large_answer_leaves_its_connection_usable() -> None:
    """The last byte that is read is not the end for curl: its connection is kept none the less."""

    def answer(exchange: Exchange) -> None:
        body = b"x" * int(exchange.target[1:])
        exchange.ok(body, f"X-Connection: {exchange.connection_number}")

    def work(connection: http.client.HTTPConnection) -> list[str | None]:
        numbers = []
        for beyond in range(1000, 40_000, 1000):
            response = get(connection, f"/{HIGH_BYTES + beyond}")
            transfer = response.fp.raw._transfer  # type: ignore[attr-defined]
            while not (transfer.receiving_paused or transfer.ended):
                sleep(0)  # until what is beyond waits in curl
            while response.length:
                response.read(HIGH_BYTES)
            numbers.append(response.getheader("x-connection"))
        return numbers

    assert set(over(answer, work)) == {"1"}


@pytest.mark.parametrize("size", [0, 1, 100_000, 3 * HIGH_BYTES])
def test_bodies_of_any_size_go_both_ways(size: int) -> None:
    """What is sent is what the server gets, what it sends is what is read."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    def work(connection: http.client.HTTPConnection) -> bytes:
        connection.request("PUT", "/", body=io.BytesIO(body), headers={"Content-Length": str(size)})
        return connection.getresponse().read()

    assert over(lambda exchange: exchange.ok(exchange.body), work) == body


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"two" * HIGH_BYTES, b"three"]])
def test_a_body_of_unknown_length_goes_in_chunks(pieces: list[bytes]) -> None:
    """http.client frames an iterable's pieces; what arrives is one body, framed once."""

    def work(connection: http.client.HTTPConnection) -> bytes:
        connection.request("POST", "/", body=iter(pieces))
        return connection.getresponse().read()

    assert over(lambda exchange: exchange.ok(exchange.body), work) == b"".join(pieces)


def test_chunks_are_put_together() -> None:
    """A chunked answer is read to its end, in its bytes, without the header that curl used up."""
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )

    def work(connection: http.client.HTTPConnection) -> tuple[bytes, str | None]:
        response = get(connection)
        return response.read(), response.getheader("transfer-encoding")

    assert over(lambda exchange: exchange.send(chunked), work) == (b"abcde", None)


def test_a_cut_chunked_answer_is_no_whole_one() -> None:
    """Although no length is known to http.client, a body that broke off is an error."""

    def work(connection: http.client.HTTPConnection) -> None:
        response = get(connection)
        with pytest.raises(http.client.RemoteDisconnected):
            response.read()

    over(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), work)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
def test_answers_without_a_body_end_at_once(method: str, status: str) -> None:
    """HEAD, 204 and 304 end with their head, and the slot is free."""

    def answer(exchange: Exchange) -> None:
        body = b"body" if method == "GET" and status == "200 OK" else b""
        length = "" if status.startswith("204") else "Content-Length: 4\r\n"
        exchange.send(f"HTTP/1.1 {status}\r\n{length}\r\n".encode() + body)

    def work(connection: http.client.HTTPConnection) -> int:
        bodies = []
        for _ in range(3):
            connection.request(method, "/")
            bodies.append(connection.getresponse().read())
        return len(b"".join(bodies))

    assert over(answer, work, slots=1) == (12 if (method, status) == ("GET", "200 OK") else 0)


def test_a_piece_is_read_as_soon_as_it_is_there() -> None:
    """A line of a stream is not held back until a buffer is full."""
    read = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfirst\n")
        assert read.wait(BOUND_S), "the first line was held back"
        exchange.send(b"second")

    def work(connection: http.client.HTTPConnection) -> list[bytes]:
        response = get(connection)
        lines = [response.readline()]
        read.set()
        return [*lines, response.read()]

    assert over(answer, work) == [b"first\n", b"second"]


def test_an_answer_outlives_its_connection() -> None:
    """urllib closes the connection before it reads: the answer goes on, as with a real socket."""

    def work(connection: http.client.HTTPConnection) -> bytes:
        response = get(connection)
        assert connection.sock is not None
        connection.sock.close()
        connection.sock = None  # type: ignore[assignment]
        return response.read()

    assert over(always_ok, work) == b"fine"


def test_what_never_left_is_a_connection_error() -> None:
    """A refused connection is told while the request is sent, as http.client tells it."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        async with open_pool() as pool:

            def work() -> None:
                connection = client(pool, port)
                with pytest.raises(NotSent) as caught:
                    connection.request("GET", "/")
                assert isinstance(caught.value, ConnectionError)

            await spawn(work)

    run(scenario)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_a_lost_answer_is_told_in_both_languages(start: bytes) -> None:
    """What went out and got no answer is OutcomeUnknown, and http.client's RemoteDisconnected."""

    def work(connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/", body=b"x")
        with pytest.raises(ConnectionLost) as caught:
            connection.getresponse()
        assert isinstance(caught.value, OutcomeUnknown)
        assert isinstance(caught.value, http.client.RemoteDisconnected)
        assert "sent, no full answer" in str(caught.value)

    over(raw(start), work)


def test_a_certificate_that_proves_nothing_is_an_ssl_error(tmp_path: Path) -> None:
    """curl's verdict arrives as the ssl module's exception, before anything was sent."""

    async def scenario() -> None:
        tls = new_authority(tmp_path).server_context("localhost")
        with http_server(tls=tls) as server:
            async with open_pool() as pool:

                def work() -> None:
                    with pytest.raises(ssl.SSLCertVerificationError, match="not trusted"):
                        client(pool, server.port, scheme="https").request("GET", "/")

                await spawn(work)
        assert server.requests == []

    run(scenario)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"])
def test_a_timeout_is_a_timeout(start: bytes) -> None:
    """When nothing comes for the socket's timeout: TimeoutError, for a head as for a body."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send(start)
        done.wait(BOUND_S)
        exchange.cut()

    def work(connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("GET", "/")
            with pytest.raises(TimeoutError, match="timed out"):
                connection.getresponse().read()
        finally:
            done.set()

    over(answer, work, timeout=0.05)


def test_the_timeout_may_change_between_request_and_answer() -> None:
    """urllib3 sets one for connecting and another for reading."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        done.wait(BOUND_S)
        exchange.cut()

    def work(connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/")
        assert connection.sock is not None
        connection.sock.settimeout(0.05)
        assert connection.sock.gettimeout() == 0.05
        try:
            with pytest.raises(TimeoutError):
                connection.getresponse()
        finally:
            done.set()

    over(answer, work)


def test_what_cannot_be_carried_is_refused() -> None:
    """Other codings than chunks, a head without an end, and text."""

    def work(connection: http.client.HTTPConnection) -> None:
        with pytest.raises(Unsupported, match="gzip"):
            connection.request("POST", "/", body=b"x", headers={"Transfer-Encoding": "gzip"})
        sock: Any = PooledSocket(connection.sock.pool, Origin("http", "localhost", 1), timeout=None)  # type: ignore[union-attr]
        with pytest.raises(ValueError, match="longer than"):
            sock.sendall(b"x" * (HEAD_MAX_BYTES + 1))
        with pytest.raises(TypeError):
            sock.sendall("text")

    over(always_ok, work)


def test_a_body_of_unknown_length_is_refused() -> None:
    """Bytes after a head that announced none would be a second request on a real socket."""

    def work(connection: http.client.HTTPConnection) -> None:
        connection.putrequest("GET", "/")
        connection.endheaders()
        with pytest.raises(ValueError, match="length"):
            connection.send(b"body")
        connection.close()

    over(always_ok, work)


def test_an_answer_to_nothing_is_refused() -> None:
    """Reading before a request was sent has http.client's own error."""

    def work(connection: http.client.HTTPConnection) -> None:
        assert connection.sock is not None
        with pytest.raises(http.client.ResponseNotReady):
            connection.sock.makefile("rb")

    over(always_ok, work)


def test_closing_stops_what_was_not_answered() -> None:
    """close() and shutdown() let go of the slot of a request whose answer nobody took."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        done.wait(BOUND_S)
        exchange.ok()

    def work(connection: http.client.HTTPConnection) -> None:
        sock: Any = connection.sock
        for end in (sock.close, lambda: sock.shutdown(socket.SHUT_RDWR)):
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            end()
        done.set()

    over(answer, work, slots=1)


def test_dropping_an_answer_frees_its_slot() -> None:
    """A response that is forgotten half read holds no slot: open_pool counts."""

    def answer(exchange: Exchange) -> None:
        with contextlib.suppress(OSError):
            exchange.ok(b"x" * 10 * HIGH_BYTES)

    def work(connection: http.client.HTTPConnection) -> bytes:
        sock: Any = connection.sock
        assert get(connection).read(10) == b"x" * 10
        connection.close()  # it had kept the response as well
        connection.sock = sock
        response = get(connection)  # there is one slot
        held = response.fp
        response.close()
        connection.close()
        connection.sock = sock
        data = get(connection).read(10)
        assert held.closed
        return data

    assert over(answer, work, slots=1) == b"x" * 10


@pytest.mark.parametrize("at", ["slot", "head", "body", "upload"])
def test_cancel_in_every_wait(at: str) -> None:
    """Parked for a slot, a head, a body or room to send: cancelled, it leaves nothing behind."""
    done = threading.Event()
    body = b"x" * (40 * HIGH_BYTES if at == "upload" else 1)

    def on_connect(_sock: socket.socket, _number: int) -> bool:
        return at != "upload" or not done.wait(BOUND_S)

    def answer(exchange: Exchange) -> None:
        if at == "body":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome")
        done.wait(BOUND_S)
        exchange.cut()

    def work(connection: http.client.HTTPConnection) -> None:
        connection.request("PUT", "/", body=body)
        connection.getresponse().read()

    async def scenario() -> None:
        with http_server(answer, on_connect=on_connect) as server:
            async with open_pool(slots=1) as pool:
                jobs = 2 if at == "slot" else 1
                spawned = [spawn(work, client(pool, server.port)) for _ in range(jobs)]
                await until(lambda: server.requests or (at == "upload" and server.open_now))
                for _ in range(20):
                    await asyncio.sleep(0)
                assert live_num() == jobs
                for one in reversed(spawned):
                    one.cancel()
                ends = await asyncio.gather(*spawned, return_exceptions=True)
                assert [type(end) for end in ends] == [asyncio.CancelledError] * jobs
                await assert_idle(pool)
                done.set()

    run(scenario)


def test_a_deadline_of_the_function_is_the_pools_error() -> None:
    """The deadline given to spawn is no OSError, which a caller might answer by trying again."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        done.wait(BOUND_S)
        exchange.cut()

    def work(pool: Pool, port: int) -> None:
        with pytest.raises(ConnectionLost):
            get(client(pool, port))
        with pytest.raises(DeadlineExceeded):
            get(client(pool, port))

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                deadline = asyncio.get_running_loop().time() + 0.05
                await spawn_until(deadline, work, pool, server.port)
                done.set()

    run(scenario)


def test_no_slot_in_time_is_the_pools_error() -> None:
    """PoolTimeout: this side refused, and the server has seen nothing."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        done.wait(BOUND_S)
        exchange.ok()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1, slot_timeout_s=0.01) as pool:
                first = spawn(lambda: get(client(pool, server.port)).read())
                await until(lambda: server.requests)
                with pytest.raises(PoolTimeout):
                    await spawn(lambda: get(client(pool, server.port)))
                done.set()
                await first

    run(scenario)


def test_outside_of_a_greenlet_it_says_what_to_do() -> None:
    """The socket cannot park there; NotInGreenlet names spawn."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                with pytest.raises(NotInGreenlet, match="spawn"):
                    client(pool, server.port).request("GET", "/")

    run(scenario)


def test_a_poll_finds_it_dead_unless_told_otherwise() -> None:
    """Without a stand-in's descriptor, urllib3 takes the connection for a dropped one."""

    async def scenario() -> None:
        async with open_pool() as pool:
            poll = select.poll()
            poll.register(PooledSocket(pool, Origin("http", "localhost", 1), timeout=None))
            assert poll.poll(0)

    run(scenario)
