"""http.client's connection on the pool: what boto says is what the server reads."""

import asyncio
import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pycurl
import pytest

from botod.pool import (
    CertificateError,
    ConnectTimeout,
    DeadlineExceeded,
    Interrupted,
    NotInGreenlet,
    NotSent,
    OutcomeUnknown,
    Pool,
    PoolTimeout,
    Terms,
    Unsupported,
    on_terms,
    sleep,
    spawn,
    spawn_until,
)
from botod.pool.connection import HTTPConnection, host_line
from botod.pool.origin import Origin
from botod.pool.upload import HIGH_BYTES
from support.certificates import new_authority
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run, until
from support.pools import assert_idle, open_pool

MIB = 1024 * 1024


def connection_to(pool: Pool, port: int, scheme: str = "http") -> HTTPConnection:
    """A connection to a server on loopback."""
    return HTTPConnection(pool, Origin(scheme, "127.0.0.1", port))


def ask(pool: Pool, port: int, method: str = "GET", url: str = "/", **options: Any) -> bytes:
    """One request in blocking style; its answer's body."""
    connection = connection_to(pool, port, options.pop("scheme", "http"))
    connection.request(method, url, **options)
    return connection.getresponse().read()


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        (None, b""),
        (b"", b""),
        (b"bytes", b"bytes"),
        ("caf\xe9", b"caf\xe9"),
        (io.BytesIO(b"from a file"), b"from a file"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_body_arrives_whatever_it_is_given_as(method: str, body: Any, arrives: bytes) -> None:
    """None, empty, bytes, text of latin-1 and a file, with every method that boto uses."""
    headers = {"Content-Length": str(len(arrives))} if hasattr(body, "read") else {}

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                if hasattr(body, "seek"):
                    body.seek(0)
                answer = await spawn(ask, pool, server.port, method, body=body, headers=headers)
                assert answer == b"fine"
        (seen,) = server.requests
        assert (seen.method, seen.body) == (method, arrives)
        length = seen.headers.get("content-length")
        if arrives or method in {"PUT", "POST"}:
            assert length == str(len(arrives))
        else:
            assert length is None

    run(scenario)


def test_the_head_is_what_was_given_and_nothing_else() -> None:
    """A signature covers headers, so none is added, dropped, changed or put in another order."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                headers = {"X-B": "1", "x-amz-meta-empty": "", "X-Bytes": b"caf\xe9", "X-Int": 7}
                await spawn(ask, pool, server.port, "POST", "/p", body=b"abc", headers=headers)
        (seen,) = server.requests
        lines = sorted(seen.head.split(b"\r\n"))
        assert lines == sorted([
            b"POST /p HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}".encode(),
            b"Accept-Encoding: identity",
            b"X-B: 1",
            b"x-amz-meta-empty:",
            b"X-Bytes: caf\xe9",
            b"X-Int: 7",
            b"Content-Length: 3",
        ])

    run(scenario)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (Origin("http", "s3.test", 80), "s3.test"),
        (Origin("https", "s3.test", 443), "s3.test"),
        (Origin("https", "s3.test", 80), "s3.test:80"),
        (Origin("http", "s3.test", 8080), "s3.test:8080"),
        (Origin("http", "::1", 8080), "[::1]:8080"),
    ],
)
def test_the_host_header_has_a_port_only_where_it_is_not_the_usual_one(
    origin: Origin, host: str
) -> None:
    """What stands in Host is what boto signs."""
    assert host_line(origin) == f"Host: {host}"


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GET", "/a b", {}),
        ("GET", "/a\r\nX: y", {}),
        ("GET", "/\xe9", {}),
        ("GET", "", {}),
        ("GET /", "/", {}),
        ("GET", "/", {"X\r\nY": "1"}),
        ("GET", "/", {"X": "1\r\nY: 2"}),
        ("GET", "/", {"X": "1\x00"}),
        ("GET", "/", {"": "1"}),
    ],
)
def test_nothing_can_be_smuggled_into_a_request(
    method: str, url: str, headers: dict[str, str]
) -> None:
    """What would end a line early is refused before a slot is taken or a byte is sent."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                with pytest.raises(ValueError, match="not a"):
                    await spawn(ask, pool, server.port, method, url, headers=headers)
                assert pool.stats() == ()
        assert server.connections_total == 0

    run(scenario)


def upload(pool: Pool, port: int, *pieces: bytes, length: int, **headers: str) -> Any:
    """An upload the way boto's S3 does it; gives the response."""
    connection = connection_to(pool, port)
    connection.putrequest("PUT", "/k")
    connection.putheader("Content-Length", length)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.set_debuglevel(0)
    for piece in pieces:
        connection.send(piece)
    return connection.getresponse()


def test_an_upload_in_pieces_arrives_whole() -> None:
    """putrequest, putheader, endheaders, send and send again, getresponse."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                pieces = [b"x" * MIB, b"", b"y" * 10, b"z" * (3 * MIB)]
                whole = b"".join(pieces)
                response = await spawn(upload, pool, server.port, *pieces, length=len(whole))
                assert response.status == 200
        assert server.requests[0].body == whole

    run(scenario)


def test_a_producer_parks_while_the_server_does_not_read() -> None:
    """`send` returns only when curl has room again, so a large upload is never held in memory."""
    reading = threading.Event()

    def hold(_sock: socket.socket, _number: int) -> bool:
        return reading.wait(BOUND_S)

    async def scenario() -> None:
        sent = 0
        with http_server(on_connect=hold) as server:
            async with open_pool() as pool:

                def produce() -> int:
                    nonlocal sent
                    connection = connection_to(pool, server.port)
                    connection.putrequest("PUT", "/k")
                    connection.putheader("Content-Length", 64 * MIB)
                    connection.endheaders()
                    for _ in range(64):
                        connection.send(b"x" * MIB)
                        sent += MIB
                    return connection.getresponse().status

                producer = spawn(produce)
                await until(lambda: sent)
                progress = -1
                while sent != progress:  # until the kernel's buffers are full as well
                    progress = sent
                    await asyncio.sleep(0.05)
                assert sent <= 32 * MIB
                reading.set()
                assert await producer == 200
        assert len(server.requests[0].body) == 64 * MIB

    run(scenario)


def test_an_answer_before_the_body_ends_the_upload() -> None:
    """With Expect: 100-continue, a refusal comes before the body is sent, which goes nowhere."""

    async def scenario() -> None:
        refused = threading.Event()

        def refuse(sock: socket.socket, _number: int) -> bool:
            while b"\r\n\r\n" not in sock.recv(65536):
                pass
            sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            rest = sock.recv(65536)
            if not rest:
                refused.set()
            return False

        with http_server(on_connect=refuse) as server:
            async with open_pool() as pool:
                response = await spawn(
                    upload, pool, server.port, *[b"x" * MIB] * 8, length=8 * MIB,
                    Expect="100-Continue",
                )  # fmt: skip
                assert response.status == 403
                assert await spawn(response.read) == b"no"
                assert await asyncio.to_thread(refused.wait, BOUND_S), "the body was sent"

    run(scenario)


def test_a_server_that_knows_no_expect_gets_the_body_all_the_same() -> None:
    """Without an interim answer curl waits for a moment, not for its second, and then sends."""
    events: list[str] = []

    async def scenario() -> None:
        with http_server(lambda exchange: events.append("arrived") or exchange.ok()) as server:
            server.says_continue = False
            async with open_pool() as pool:
                asyncio.get_running_loop().call_later(0.9, events.append, "nearly a second")
                response = await spawn(
                    upload, pool, server.port, b"abc", length=3, Expect="100-Continue"
                )
                assert response.status == 200
                await until(lambda: len(events) == 2)
                assert events == ["arrived", "nearly a second"]
        assert server.requests[0].body == b"abc"

    run(scenario)


def test_a_body_that_is_not_as_long_as_announced_is_the_caller_s_error() -> None:
    """More would be read as the next request, less would leave the server waiting."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                with pytest.raises(ValueError, match="longer than its Content-Length of 2"):
                    await spawn(upload, pool, server.port, b"abc", length=2)
                connection = connection_to(pool, server.port)  # held, as by whoever tries again

                def too_short() -> None:
                    connection.putrequest("PUT", "/k")
                    connection.putheader("Content-Length", 4)
                    connection.endheaders()
                    connection.send(b"abc")
                    connection.getresponse()

                with pytest.raises(ValueError, match="ended after 3 bytes"):
                    await spawn(too_short)
                await assert_idle(pool)
                with pytest.raises(ValueError, match="the body has 3 bytes"):
                    await spawn(
                        ask, pool, server.port, "PUT", body=b"abc", headers={"Content-Length": 4}
                    )
                with pytest.raises(ValueError, match="not a Content-Length"):
                    await spawn(ask, pool, server.port, "PUT", headers={"Content-Length": "x"})
                await assert_idle(pool)
        assert server.requests == []

    run(scenario)


def test_a_chunked_upload_is_framed_once() -> None:
    """Framed by the caller, as boto does it; by http.client's rules; or not at all: the same."""
    chunks = [b"first", b"x" * 3 * MIB, b"last"]
    framed = b"".join(b"%x;\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    whole = b"".join(chunks)
    said = {"Transfer-Encoding": "chunked"}

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:

                def piecewise() -> bytes:
                    connection = connection_to(pool, server.port)
                    connection.putrequest("PUT", "/k")
                    connection.putheader("Transfer-Encoding", "chunked")
                    connection.endheaders()
                    for start in range(0, len(framed), 100_001):
                        connection.send(framed[start : start + 100_001])
                    return connection.getresponse().read()

                assert await spawn(piecewise) == b"fine"
                for options in (
                    {"body": framed, "headers": said},
                    {"body": iter([framed]), "headers": said},
                    {"body": whole, "headers": said, "encode_chunked": True},
                    {"body": iter(chunks)},
                    {"body": io.BytesIO(whole)},
                ):
                    assert await spawn(ask, pool, server.port, "PUT", **options) == b"fine"
        assert [request.body for request in server.requests] == [whole] * 6
        for request in server.requests:
            assert request.headers["transfer-encoding"] == "chunked"
            assert "content-length" not in request.headers

    run(scenario)


def test_an_empty_chunked_upload() -> None:
    """Nothing but the last chunk."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                assert await spawn(ask, pool, server.port, "PUT", body=iter([])) == b"fine"
        assert server.requests[0].body == b""

    run(scenario)


def test_a_chunked_upload_that_does_not_end_is_the_caller_s_error() -> None:
    """So is framing that is none, and a coding that is not known; nothing is left under way."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                for body, coding, words in (
                    (b"3\r\nabc\r\n", "chunked", "its last chunk did not come"),
                    (b"abc", "chunked", "did not come"),
                    (b"xyz\r\n", "chunked", "is not the size of a chunk"),
                    (b"abc", "gzip", "is not carried"),
                ):
                    headers = {"Transfer-Encoding": coding}
                    with pytest.raises((ValueError, Unsupported), match=words):
                        await spawn(ask, pool, server.port, "PUT", body=body, headers=headers)
                    await assert_idle(pool)

    run(scenario)


def test_an_upload_of_any_length_is_never_held() -> None:
    """A server that answers early and reads no more: the rest of a long body is not even read."""
    read = 0

    def produce() -> Iterator[bytes]:
        nonlocal read
        for _ in range(200):
            read += MIB
            yield b"x" * MIB

    async def scenario() -> None:
        def refuse(sock: socket.socket, _number: int) -> bool:
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False

        with http_server(on_connect=refuse) as server:
            async with open_pool() as pool:

                def work() -> int:
                    connection = connection_to(pool, server.port)
                    connection.request("PUT", "/", body=produce())
                    upload = connection.started().request.upload
                    assert upload is not None
                    assert upload.unsent_bytes <= 2 * MIB
                    try:
                        return connection.getresponse().status
                    except OutcomeUnknown:  # the kernel may drop the answer with the connection
                        return 403

                assert await spawn(work) == 403
        assert read <= 20 * MIB, "what was read before the answer came"

    run(scenario)


@pytest.mark.parametrize(("said", "connections"), [("close", 3), ("keep-alive", 1)])
def test_a_connection_that_was_asked_to_close_is_not_used_again(
    said: str, connections: int
) -> None:
    """urllib asks for it always, and a server that does it need not say so."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:

                def work() -> None:
                    connection = connection_to(pool, server.port)
                    connection.request("GET", "/", headers={"Connection": said})
                    assert connection.getresponse().read() == b"fine"

                for _ in range(3):
                    await spawn(work)
        assert server.connections_total == connections

    run(scenario)


def test_head_has_no_body() -> None:
    """boto gives an empty one, which is none; curl could not send another."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                assert await spawn(ask, pool, server.port, "HEAD", body=b"") == b""
                with pytest.raises(Unsupported, match="HEAD"):
                    await spawn(ask, pool, server.port, "HEAD", body=b"x")
        assert [request.method for request in server.requests] == ["HEAD"]

    run(scenario)


def test_steps_in_the_wrong_order_raise_what_http_client_raises() -> None:
    """No response without a request, no header and no headers' end without a request line."""

    async def scenario() -> None:
        async with open_pool() as pool:
            connection = connection_to(pool, 1)
            with pytest.raises(http.client.ResponseNotReady):
                connection.getresponse()
            with pytest.raises(http.client.CannotSendHeader):
                connection.putheader("X-Mine", "x")
            with pytest.raises(http.client.CannotSendHeader):
                connection.endheaders()
            with pytest.raises(http.client.ResponseNotReady):
                connection.send(b"x")

    run(scenario)


def test_outside_a_greenlet_nothing_is_sent() -> None:
    """Whoever forgets `spawn`, or comes from another thread, is told so before it is too late."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                connection = connection_to(pool, server.port)
                with pytest.raises(NotInGreenlet, match="spawn"):
                    connection.request("GET", "/")
                with pytest.raises(NotInGreenlet, match="spawn"):
                    await asyncio.to_thread(connection.request, "GET", "/")
                await assert_idle(pool)
        assert server.requests == []

    run(scenario)


def test_a_connection_may_be_used_again_and_again() -> None:
    """A connection is a place to make requests to; a request begun and not finished is stopped."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool(slots=1) as pool:

                def work() -> None:
                    connection = connection_to(pool, server.port)
                    connection.request("GET", "/stopped")
                    for _ in range(3):
                        connection.request("GET", "/")
                        assert connection.getresponse().read() == b"fine"

                await spawn(work)

    run(scenario)


def test_a_dropped_connection_gives_its_slot_back() -> None:
    """boto forgets connections after a failed try; a slot is not lost by it, answer or none."""
    release = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/forgotten":
            release.wait(BOUND_S)
        else:
            exchange.ok(b"fine")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1) as pool:

                def forget() -> None:
                    connection_to(pool, server.port).request("GET", "/forgotten")

                await spawn(forget)
                await assert_idle(pool)
                assert await spawn(ask, pool, server.port) == b"fine"
                release.set()

    run(scenario)


def refusing_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port: int = nobody.getsockname()[1]
    return port


def test_nobody_listens() -> None:
    """Nothing was sent, so the error is one that may be tried again: a ConnectionError."""

    async def scenario() -> None:
        async with open_pool() as pool:
            port = refusing_port()
            with pytest.raises(NotSent, match=f"http://127.0.0.1:{port} .nothing sent.") as caught:
                await spawn(ask, pool, port)
            assert isinstance(caught.value, ConnectionError)

    run(scenario)


def test_a_name_that_does_not_exist() -> None:
    """Resolving happens off the loop, and its failure means that nothing was sent."""

    async def scenario() -> None:
        async with open_pool(connect_timeout_s=3.0) as pool:
            connection = HTTPConnection(pool, Origin("http", "no-such-name.invalid", 80))

            def work() -> None:
                connection.request("GET", "/")
                connection.getresponse()

            with pytest.raises(NotSent, match=r"no-such-name\.invalid"):
                await spawn(work)

    run(scenario)


def test_a_server_that_does_not_take_the_connection() -> None:
    """Connecting has a bound; its end is a timeout with nothing sent."""

    async def scenario() -> None:
        listener = socket.socket()
        with listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for filler in (first, second):  # the backlog is full: the kernel drops what comes
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            async with open_pool(connect_timeout_s=0.3) as pool:
                with pytest.raises(ConnectTimeout, match="nothing sent") as caught:
                    await spawn(ask, pool, listener.getsockname()[1])
                assert isinstance(caught.value, TimeoutError)

    run(scenario)


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("way", ["cut", "reset"])
def test_a_connection_that_dies_after_the_request(way: str, reused: bool, idempotent: bool) -> None:
    """Sent and not answered: nobody knows, unless sending it again does no harm. One copy."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/warm":
            exchange.ok()
        else:
            getattr(exchange, way)()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                if reused:
                    await spawn(ask, pool, server.port, url="/warm")
                error = Interrupted if idempotent else OutcomeUnknown
                with on_terms(Terms(idempotent=idempotent)) as terms:
                    with pytest.raises(error, match="sent, no full answer") as caught:
                        await spawn(ask, pool, server.port, "POST", "/once", body=b"x")
                    assert terms.attempts_num == 1
                assert isinstance(caught.value, OSError) == idempotent
        assert server.copies("/once") == 1
        assert server.connections_total == 1

    run(scenario)


def test_a_connection_that_dies_before_the_request_is_sent() -> None:
    """The server closes the idle connection: curl notices, takes a new one, sends once."""

    def answer(exchange: Exchange) -> None:
        exchange.ok(b"fine")
        if exchange.target == "/warm":
            exchange.cut()
            closed.set()

    closed = threading.Event()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                await spawn(ask, pool, server.port, url="/warm")
                assert await asyncio.to_thread(closed.wait, BOUND_S)
                assert await spawn(ask, pool, server.port, "POST", "/once", body=b"x") == b"fine"
        assert server.copies("/once") == 1
        assert server.connections_total == 2

    run(scenario)


@pytest.mark.parametrize("scheme_of", ["another name", "an unknown authority", "no TLS at all"])
def test_a_server_that_does_not_prove_who_it_is(scheme_of: str, tmp_path: Path) -> None:
    """Wrong name, wrong authority: refused with nothing sent, and not to be tried again."""
    authority = new_authority(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    contexts = {
        "another name": authority.server_context("elsewhere.test"),
        "an unknown authority": new_authority(other).server_context("127.0.0.1"),
        "no TLS at all": None,
    }

    async def scenario() -> None:
        with http_server(tls=contexts[scheme_of]) as server:
            async with open_pool(ca_file=authority.ca_file, connect_timeout_s=2.0) as pool:
                secure = scheme_of != "no TLS at all"
                error: type[Exception] = CertificateError if secure else NotSent
                with pytest.raises(error, match=f"https://127.0.0.1:{server.port}") as caught:
                    await spawn(ask, pool, server.port, scheme="https")
                assert isinstance(caught.value, OSError) != secure
        assert server.requests == []

    run(scenario)


def test_the_system_s_roots_do_not_vouch_for_a_private_authority(tmp_path: Path) -> None:
    """Verification is on by default: the same server that ours trusts is refused."""
    authority = new_authority(tmp_path)

    async def scenario() -> None:
        with http_server(tls=authority.server_context("127.0.0.1")) as server:
            async with open_pool(ca_file=authority.ca_file) as pool:
                assert await spawn(ask, pool, server.port, scheme="https") == b"fine"
            async with open_pool() as pool:
                with pytest.raises(CertificateError):
                    await spawn(ask, pool, server.port, scheme="https")

    run(scenario)


def test_a_deadline_while_waiting_for_a_slot() -> None:
    """Nothing was sent, and the error says that there was no slot."""
    release = threading.Event()

    def answer(exchange: Exchange) -> None:
        release.wait(BOUND_S)
        exchange.ok()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1) as pool:
                holder = spawn(ask, pool, server.port)
                deadline = asyncio.get_running_loop().time() + 0.1
                with pytest.raises(PoolTimeout, match="by the deadline"):
                    await spawn_until(deadline, ask, pool, server.port)
                release.set()
                await holder

    run(scenario)


@pytest.mark.parametrize(
    ("idempotent", "error"), [(False, OutcomeUnknown), (True, DeadlineExceeded)]
)
def test_a_deadline_while_waiting_for_the_answer(idempotent: bool, error: type) -> None:
    """Sent and given up: the outcome is unknown, unless the request may be sent again."""
    release = threading.Event()

    def answer(exchange: Exchange) -> None:
        release.wait(BOUND_S)

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1) as pool:
                deadline = asyncio.get_running_loop().time() + 0.1
                with on_terms(Terms(idempotent=idempotent)):
                    job = spawn_until(deadline, ask, pool, server.port)
                with pytest.raises(error, match="no answer by the deadline"):
                    await job
                await assert_idle(pool)
                release.set()

    run(scenario)


class Wait:
    """A server and a way of asking it that gets stuck at a known place."""

    def __init__(self, folder: Path) -> None:
        self.release = threading.Event()
        self.asked = threading.Event()
        self.tls = new_authority(folder)

    def silent(self, exchange: Exchange) -> None:
        self.asked.set()
        self.release.wait(BOUND_S)

    def half_body(self, exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        self.silent(exchange)

    def flood(self, exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        self.asked.set()
        exchange.send(b"x" * 99999999)

    def unread(self, _sock: socket.socket, _number: int) -> bool:
        self.asked.set()
        self.release.wait(BOUND_S)
        return False


def send_much(pool: Pool, port: int) -> Any:
    """An upload that does not fit into any buffer."""
    return upload(pool, port, *[b"x" * MIB] * 64, length=64 * MIB)


def never_read(pool: Pool, port: int) -> None:
    """Ask, and park for something else while the answer comes."""
    connection = connection_to(pool, port)
    connection.request("GET", "/")
    response = connection.getresponse()
    while response._transfer.unread_bytes < HIGH_BYTES:
        response._transfer.park()
    sleep(BOUND_S)


def ask_tls(pool: Pool, port: int) -> bytes:
    """A request over TLS."""
    return ask(pool, port, scheme="https")


@pytest.mark.parametrize(
    ("answer", "on_connect", "work"),
    [
        (None, "unread", ask_tls),
        (None, "unread", send_much),
        ("silent", None, ask),
        ("half_body", None, ask),
        ("flood", None, never_read),
    ],
    ids=["in TLS", "sending", "waiting for headers", "reading", "paused"],
)
def test_cancel_stops_a_transfer_wherever_it_is(
    answer: str | None, on_connect: str | None, work: Callable[..., Any], tmp_path: Path
) -> None:
    """Slot, transfer and greenlet are free within some turns of the loop, without the server."""
    stuck = Wait(tmp_path)
    options: dict[str, Any] = {}
    if answer is not None:
        options["answer"] = getattr(stuck, answer)
    if on_connect is not None:
        options["on_connect"] = getattr(stuck, on_connect)

    async def scenario() -> None:
        with http_server(**options) as server:
            async with open_pool(slots=1) as pool:
                job = spawn(work, pool, server.port)
                assert await asyncio.to_thread(stuck.asked.wait, BOUND_S)
                for _ in range(100):
                    await asyncio.sleep(0)
                assert pool.client.running_num() == 1
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                await assert_idle(pool)
                assert [host.sockets.open_num for host in pool.stats()] == [0]
                stuck.release.set()

    run(scenario)


def test_cancel_while_waiting_for_a_slot() -> None:
    """Whoever is cancelled in the queue leaves it; the next one gets the slot."""
    release = threading.Event()

    def answer(exchange: Exchange) -> None:
        release.wait(BOUND_S)
        exchange.ok(b"fine")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1) as pool:
                holder, cancelled, follower = (spawn(ask, pool, server.port) for _ in range(3))
                await until(lambda: pool.stats() and pool.stats()[0].slots.waiting_num == 2)
                cancelled.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                assert pool.stats()[0].slots.waiting_num == 1
                release.set()
                assert await holder == b"fine"
                assert await follower == b"fine"

    run(scenario)


def test_cancel_while_connecting() -> None:
    """A connection that was not there yet is given up as well."""

    async def scenario() -> None:
        listener = socket.socket()
        with listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            async with open_pool() as pool:
                job = spawn(ask, pool, listener.getsockname()[1])
                await until(lambda: pool.stats() and pool.stats()[0].sockets.opened_total)
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                await assert_idle(pool)

    run(scenario)


def test_cancel_while_resolving() -> None:
    """A name that is still being asked for: here of a resolver over HTTPS that says nothing."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with open_pool() as pool:
                port = silent.getsockname()[1]
                pool.client.options[pycurl.DOH_URL] = f"https://127.0.0.1:{port}/dns-query"
                connection = HTTPConnection(pool, Origin("http", "s3.test", 80))

                def work() -> None:
                    connection.request("GET", "/")
                    connection.getresponse()

                job = spawn(work)
                resolver, _address = await asyncio.to_thread(silent.accept)
                assert pool.client.running_num() == 1
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                await assert_idle(pool)
                resolver.close()

    run(scenario)


def test_cancel_between_attempts_leaves_nothing() -> None:
    """Asleep in blocking style, as boto is between two tries."""

    async def scenario() -> None:
        async with open_pool() as pool:
            job = spawn(sleep, BOUND_S)
            await asyncio.sleep(0)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
            await assert_idle(pool)

    run(scenario)
