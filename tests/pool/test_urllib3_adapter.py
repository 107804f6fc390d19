"""urllib3 over the pool by a pool manager."""

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from botod.pool import NotInGreenlet, Pool, Unsupported, spawn
from botod.pool.urllib3_adapter import PooledManager
from support.certificates import new_authority
from support.http_server import Exchange, HttpServer, always_ok, http_server
from support.loops import BOUND_S, run
from support.meeting import Meeting
from support.pools import open_pool

SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])
Steps = Callable[[Pool, HttpServer, str], Awaitable[None]]


def over(
    scheme: str, tmp_path: Path, steps: Steps, answer: Any = always_ok, **options: Any
) -> None:
    """Run steps with a pool, a server that it trusts, and the server's URL."""
    authority = new_authority(tmp_path)
    tls = authority.server_context("localhost") if scheme == "https" else None

    async def scenario() -> None:
        with http_server(answer, tls=tls) as server:
            async with open_pool(ca_file=authority.ca_file, **options) as pool:
                await steps(pool, server, f"{scheme}://localhost:{server.port}")

    run(scenario)


@SCHEMES
def test_many_at_once(scheme: str, tmp_path: Path) -> None:
    """Eight functions and one manager: the server answers when all eight are there."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        manager = PooledManager(pool)
        gets = (spawn(manager.request, "GET", f"{url}/{n}") for n in range(8))
        answers = await asyncio.gather(*gets)
        assert [answer.data for answer in answers] == [f"/{n}".encode() for n in range(8)]

    over(scheme, tmp_path, steps, Meeting(8))


@SCHEMES
def test_a_connection_is_kept(
    scheme: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """urllib3 takes its connection again, and curl its own: no warning, one connection opened."""
    caplog.set_level(logging.DEBUG, "urllib3")

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        manager = PooledManager(pool)

        def work() -> None:
            for _ in range(3):
                assert manager.request("POST", url, body=b"x").data == b"fine"
            (connections,) = (manager.pools[key] for key in manager.pools.keys())  # noqa: SIM118
            assert connections.num_connections == 1

        await spawn(work)
        assert server.connections_total == 1
        assert "Resetting dropped connection" not in caplog.text

    over(scheme, tmp_path, steps)


@SCHEMES
def test_a_stream_is_read_piece_by_piece(scheme: str, tmp_path: Path) -> None:
    """preload_content=False: what has come is read before the rest is sent."""
    read = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst")
        assert read.wait(BOUND_S), "the first piece was held back"
        exchange.send(b"last")

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        def work() -> None:
            response = PooledManager(pool).request("GET", url, preload_content=False)
            assert response.read1(5) == b"first"
            read.set()
            assert b"".join(response.stream()) == b"last"
            response.release_conn()
            left = PooledManager(pool).request("GET", url, preload_content=False)
            left.close()

        await spawn(work)

    over(scheme, tmp_path, steps, answer, slots=1)


@SCHEMES
def test_only_what_never_left_is_tried_again(
    scheme: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """urllib3's own retries: those of connections are made, a POST that was lost is not resent."""
    caplog.set_level(logging.WARNING, "urllib3")

    def answer(exchange: Exchange) -> None:
        exchange.cut()

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"

        def work() -> None:
            manager = PooledManager(pool, retries=urllib3.Retry(2, backoff_factor=0))
            with pytest.raises(urllib3.exceptions.MaxRetryError) as caught:
                manager.request("POST", nobody, body=b"x")
            assert isinstance(caught.value.reason, urllib3.exceptions.NewConnectionError)
            with pytest.raises(urllib3.exceptions.ProtocolError):
                manager.request("POST", url, body=b"x")

        await spawn(work)
        attempts = {str(host.origin): host.slots.leases_total for host in pool.stats()}
        assert attempts == {nobody: 3, url: 1}
        assert len(server.requests) == 1
        assert caplog.text.count("Retrying") == 2
        caplog.clear()

    over(scheme, tmp_path, steps, answer)


def test_a_connection_that_takes_too_long_is_a_timeout(tmp_path: Path) -> None:
    """A server that does not answer the handshake: ConnectTimeoutError, which may be retried."""
    done = threading.Event()

    def on_connect(_sock: socket.socket, _number: int) -> bool:
        return not done.wait(BOUND_S)

    async def scenario() -> None:
        authority = new_authority(tmp_path)
        tls = authority.server_context("localhost")
        with http_server(tls=tls, on_connect=on_connect) as server:
            async with open_pool(ca_file=authority.ca_file, connect_timeout_s=0.1) as pool:
                manager = PooledManager(pool, retries=False)
                with pytest.raises(urllib3.exceptions.ConnectTimeoutError) as caught:
                    await spawn(manager.request, "GET", f"https://localhost:{server.port}")
                assert caught.type is urllib3.exceptions.ConnectTimeoutError
                done.set()

    run(scenario)


@pytest.mark.parametrize(
    "options",
    [
        {"cert_reqs": "CERT_NONE"},
        {"ca_certs": "own.pem"},
        {"assert_hostname": False},
        {"assert_fingerprint": "00" * 32},
        {"cert_file": "client.pem"},
    ],
)
def test_what_the_pool_would_not_keep_to_is_refused(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """TLS settings of one's own, which curl would not hear of."""

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        with pytest.raises(Unsupported):
            await spawn(PooledManager(pool, **options).request, "GET", url)
        assert server.requests == []

    over("https", tmp_path, steps)


def test_waiting_in_a_lock_is_refused() -> None:
    """block=True would have one function wait for another in a way that stops both."""

    async def scenario() -> None:
        async with open_pool() as pool:
            with pytest.raises(Unsupported, match="block=True"):
                PooledManager(pool, block=True)

    run(scenario)


@SCHEMES
def test_outside_of_a_greenlet_it_says_what_to_do(scheme: str, tmp_path: Path) -> None:
    """A manager is for spawned functions only; NotInGreenlet names spawn."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        with pytest.raises(NotInGreenlet, match="spawn"):
            PooledManager(pool).request("GET", url)

    over(scheme, tmp_path, steps)
