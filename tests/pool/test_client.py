"""curl carries transfers: streamed, paused, aborted, sent once."""

import asyncio
import contextlib
import shutil
import socket
import threading
from pathlib import Path

import pycurl
import pytest

from botod.pool import spawn
from botod.pool.client import CurlClient
from botod.pool.errors import PoolClosed, PoolError
from botod.pool.origin import Origin
from botod.pool.pool import Pool
from botod.pool.request import Request
from botod.pool.transfer import State, Transfer
from botod.pool.upload import HIGH_BYTES, Upload
from support.certificates import new_authority
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run, until
from support.pools import open_pool, until_ended

CURLS_PIECE = 512 * 1024
"""More than curl hands over at once: 16 KiB, unless it is told otherwise."""


def origin_of(port: int) -> Origin:
    """A server on loopback, without TLS."""
    return Origin("http", "127.0.0.1", port)


def request_to(
    port: int, method: str = "GET", target: str = "/", *headers: bytes, body: bytes | None = None
) -> Request:
    """A request as it stands on the wire."""
    upload = None
    if body is not None:
        upload = Upload(len(body))
        upload.feed(body)
    host = f"Host: 127.0.0.1:{port}".encode()
    return Request(method, origin_of(port), target, (host, *headers), upload)


async def carried(pool: Pool, request: Request) -> Transfer:
    """A transfer that was carried to its end."""
    transfer = Transfer(request, on_end=lambda _transfer: None)
    pool.client.start(transfer)
    await spawn(until_ended, transfer)
    return transfer


def test_a_request_goes_out_as_it_is_and_the_answer_comes_back() -> None:
    """Method, target, headers and body arrive unchanged; status, headers and body come back."""

    def answer(exchange: Exchange) -> None:
        exchange.ok(b"the answer", "x-own: y", status="201 Made")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                transfer = await carried(
                    pool, request_to(server.port, "PUT", "/k?a=b", b"X-Mine: z", body=b"the body")
                )
                assert transfer.state is State.COMPLETE
                assert b"".join(transfer.take(None)) == b"the answer"
                assert transfer.head[0] == b"HTTP/1.1 201 Made\r\n"
                assert b"x-own: y\r\n" in transfer.head
        (seen,) = server.requests
        assert (seen.method, seen.target, seen.body) == ("PUT", "/k?a=b", b"the body")
        assert seen.headers["x-mine"] == "z"
        assert seen.headers["content-length"] == "8"

    run(scenario)


@pytest.mark.parametrize("target", ["/a/../b", "/./a//b/", "/a%2F..%2Fb?x=../y", "/a?#b"])
def test_a_target_is_not_tidied_up(target: str) -> None:
    """Dots and double slashes are part of an S3 key, and of what was signed."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                await carried(pool, request_to(server.port, target=target))
        assert [request.target for request in server.requests] == [target]

    run(scenario)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("body", [None, b"", b"x" * 100])
def test_a_request_is_sent_once_though_its_connection_dies(method: str, body: bytes | None) -> None:
    """Three warm connections that die on their next request: one copy arrives, not four."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/warm":
            warm.wait()
            exchange.ok()
        else:
            exchange.cut()

    warm = threading.Barrier(3, timeout=BOUND_S)

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                first = [carried(pool, request_to(server.port, target="/warm")) for _ in range(3)]
                await asyncio.gather(*first)
                assert server.connections_total == 3
                request = request_to(server.port, method, "/once", body=body)
                transfer = await carried(pool, request)
                assert transfer.state is State.FAILED
                assert transfer.sent
                assert server.copies("/once") == 1

    run(scenario)


def test_an_aborted_transfer_is_over_at_once() -> None:
    """Its connection is closed, not put back, and curl has nothing left to do."""
    gone = threading.Event()
    asked = threading.Event()

    def answer(exchange: Exchange) -> None:
        asked.set()
        if not exchange.sock.recv(1):
            gone.set()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                transfer = Transfer(request_to(server.port), on_end=lambda _transfer: None)
                pool.client.start(transfer)
                await asyncio.to_thread(asked.wait, BOUND_S)
                pool.client.abort(transfer)
                assert transfer.state is State.ABORTED
                assert pool.client.running_num() == 0
                assert await asyncio.to_thread(gone.wait, BOUND_S)
                assert pool.client.socket_stats(origin_of(server.port)).open_num == 0
                pool.client.abort(transfer)

    run(scenario)


def test_a_large_answer_is_held_back_until_it_is_read() -> None:
    """120 MiB come through; never more than a few hundred KiB above the mark are in memory."""
    whole = 120 * 1024 * 1024

    def answer(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {whole}\r\n\r\n".encode())
        piece = b"x" * (1024 * 1024)
        for _ in range(whole // len(piece)):
            exchange.send(piece)

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                transfer = Transfer(request_to(server.port), on_end=lambda _transfer: None)
                pool.client.start(transfer)
                await until(lambda: transfer.receiving_paused)
                assert HIGH_BYTES <= transfer.unread_bytes <= HIGH_BYTES + CURLS_PIECE

                def read() -> int:
                    got = 0
                    while not transfer.ended or transfer.unread_bytes:
                        if not transfer.unread_bytes:
                            transfer.park()
                        assert transfer.unread_bytes <= HIGH_BYTES + CURLS_PIECE
                        got += len(b"".join(pool.client.take(transfer, 700_000)))
                    return got

                assert await spawn(read) == whole

    run(scenario)


def test_sockets_are_counted_by_the_kernels_word() -> None:
    """Opened, reused and open: also after curl has closed one by itself."""

    def answer(exchange: Exchange) -> None:
        close = exchange.target == "/last"
        exchange.ok(b"", *(["Connection: close"] if close else []))

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                for target in ("/1", "/2", "/last"):
                    await carried(pool, request_to(server.port, target=target))
                stats = pool.client.socket_stats(origin_of(server.port))
                assert (stats.opened_total, stats.reused_total, stats.open_num) == (1, 2, 0)
                await carried(pool, request_to(server.port, target="/4"))
                stats = pool.client.socket_stats(origin_of(server.port))
                assert (stats.opened_total, stats.reused_total, stats.open_num) == (2, 2, 1)
                assert server.connections_total == 2

    run(scenario)


def test_a_burst_leaves_its_connections_warm() -> None:
    """Forty at once, then sixty one by one, then forty again: forty connections in all."""
    together = threading.Barrier(40, timeout=BOUND_S)

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/burst":
            together.wait()
        exchange.ok()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                for _ in range(2):
                    burst = [
                        carried(pool, request_to(server.port, target="/burst")) for _ in range(40)
                    ]
                    await asyncio.gather(*burst)
                    for _ in range(60):
                        await carried(pool, request_to(server.port, target="/single"))
                assert server.connections_total == 40

    run(scenario)


def test_a_connection_does_not_live_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older than its lifetime it is replaced, however busy it is."""
    monkeypatch.setattr("botod.pool.handle.LONGEST_CONNECTION_S", 1)
    monkeypatch.setattr("botod.pool.handle.random", lambda: 0.0)

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                await carried(pool, request_to(server.port))
                while server.connections_total == 1:  # as busy as can be, for its second
                    await carried(pool, request_to(server.port))
                stats = pool.client.socket_stats(origin_of(server.port))
                assert stats.opened_total == 2
                assert stats.open_num == 1

    run(scenario)


def test_http_1_1_is_spoken_where_the_server_would_speak_http_2(tmp_path: Path) -> None:
    """Slots are counted against connections, so one connection must carry one transfer."""
    authority = new_authority(tmp_path)
    spoken: list[str | None] = []

    def answer(exchange: Exchange) -> None:
        spoken.append(exchange.sock.selected_alpn_protocol())  # type: ignore[attr-defined]
        exchange.ok()

    async def scenario() -> None:
        with http_server(answer, tls=authority.server_context("127.0.0.1")) as server:
            async with open_pool(ca_file=authority.ca_file) as pool:
                request = request_to(server.port)
                secure = request.origin._replace(scheme="https")
                await carried(pool, Request("GET", secure, "/", request.headers))
        assert spoken == ["http/1.1"]

    run(scenario)


def test_the_environment_s_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where requests go is not for the environment to say."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                transfer = await carried(pool, request_to(server.port))
                assert transfer.state is State.COMPLETE, transfer.failure

    run(scenario)


def test_an_answer_that_stops_moving_fails_after_the_idle_timeout() -> None:
    """Half a body and then silence: a failure, though no total time was set."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        done.wait(BOUND_S)

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(idle_timeout_s=1.0) as pool:
                transfer = await carried(pool, request_to(server.port))
                done.set()
                assert transfer.state is State.FAILED
                assert transfer.failure is not None
                assert transfer.failure.code == pycurl.E_OPERATION_TIMEDOUT

    run(scenario)


@pytest.mark.parametrize("way", ["moving", "paused"])
def test_a_stream_may_take_longer_than_the_idle_timeout(way: str) -> None:
    """Two seconds with an idle timeout of one: little by little, or held back by its reader."""
    slowly = threading.Event()  # nobody sets it: its wait is the server's pace

    def answer(exchange: Exchange) -> None:
        if way == "paused":
            exchange.ok(b"x" * 8 * HIGH_BYTES)
            return
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
        for _ in range(7):
            slowly.wait(0.3)
            exchange.send(b"x")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(idle_timeout_s=1.0) as pool:
                transfer = Transfer(request_to(server.port), on_end=lambda _transfer: None)
                pool.client.start(transfer)
                if way == "paused":
                    await until(lambda: transfer.receiving_paused)
                    await asyncio.sleep(2.1)

                def read() -> int:
                    got = 0
                    while not transfer.ended or transfer.unread_bytes:
                        if not transfer.unread_bytes:
                            transfer.park()
                        got += len(b"".join(pool.client.take(transfer, None)))
                    return got

                got = await spawn(read)
                assert transfer.state is State.COMPLETE, transfer.failure
                assert got == (7 if way == "moving" else 8 * HIGH_BYTES)

    run(scenario)


def test_tornado_s_fetch_works_beside_it() -> None:
    """It still is Tornado's client: what uses fetch shares the loop and the connections."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                response = await pool.client.fetch(f"http://127.0.0.1:{server.port}/")
                assert response.body == b"fine"

    run(scenario)


def test_a_closed_client_closes_every_connection_and_starts_nothing() -> None:
    """What ran is aborted; the server sees the end of each connection."""
    asked = threading.Event()
    gone = threading.Event()

    def answer(exchange: Exchange) -> None:
        asked.set()
        if not exchange.sock.recv(1):
            gone.set()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                transfer = Transfer(request_to(server.port), on_end=lambda _transfer: None)
                pool.client.start(transfer)
                await asyncio.to_thread(asked.wait, BOUND_S)
                pool.client.close()
                assert transfer.state is State.ABORTED
                assert await asyncio.to_thread(gone.wait, BOUND_S)
                with pytest.raises(PoolClosed):
                    pool.client.start(
                        Transfer(request_to(server.port), on_end=lambda _transfer: None)
                    )
                pool.client.close()

    run(scenario)


def test_a_libcurl_that_resolves_names_on_the_loop_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without AsynchDNS each new name would block everybody, so it does not even start."""
    known = list(pycurl.version_info())
    known[4] &= ~pycurl.VERSION_ASYNCHDNS
    monkeypatch.setattr(pycurl, "version_info", lambda: tuple(known))

    async def scenario() -> None:
        with pytest.raises(PoolError, match="AsynchDNS"):
            CurlClient(force_instance=True, ca_file="")

    run(scenario)


def test_another_ca_file_holds_from_the_next_connection_on(tmp_path: Path) -> None:
    """Also where it has the same name as before: curl keeps the roots of a name for a day."""
    first, second = (new_authority(tmp_path / name) for name in ("a", "b"))
    file = tmp_path / "ca.pem"
    shutil.copy(first.ca_file, file)
    times = {"connect_timeout_s": 10.0, "idle_timeout_s": 70.0}

    async def state_at(pool: Pool, port: int) -> State:
        request = request_to(port)
        secure = request.origin._replace(scheme="https")
        transfer = await carried(pool, Request("GET", secure, "/", request.headers, is_last=True))
        return transfer.state

    async def scenario() -> None:
        contexts = (one.server_context("127.0.0.1") for one in (first, second))
        with contextlib.ExitStack() as stack:
            old, new = (stack.enter_context(http_server(tls=context)).port for context in contexts)
            async with open_pool(ca_file=str(file)) as pool:
                for content, good, bad in ((second, new, old), (first, old, new)) * 2:
                    shutil.copy(content.ca_file, file)
                    pool.client.reload(ca_file=str(file), **times)
                    assert await state_at(pool, good) is State.COMPLETE
                    assert await state_at(pool, bad) is State.FAILED

    run(scenario)
