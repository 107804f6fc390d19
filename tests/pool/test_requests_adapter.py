"""requests over the pool by an adapter, for https."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from botod.pool import Pool, Unsupported, spawn
from botod.pool.requests_adapter import PooledAdapter
from botod.pool.stand_in import non_blocking_http
from support.certificates import new_authority
from support.http_server import Exchange, HttpServer, http_server
from support.loops import BOUND_S, run
from support.meeting import Meeting
from support.pools import open_pool

Steps = Callable[[Pool, HttpServer, str], Awaitable[None]]


def echo(exchange: Exchange) -> None:
    """An answer that says what was asked."""
    exchange.ok(f"{exchange.method} {exchange.target} {exchange.body.decode()}".strip().encode())


def over_tls(tmp_path: Path, steps: Steps, answer: Any = echo, **options: Any) -> None:
    """Run steps with a pool that trusts a server for localhost, the server, and its URL."""
    authority = new_authority(tmp_path)

    async def scenario() -> None:
        with http_server(answer, tls=authority.server_context("localhost")) as server:
            async with open_pool(ca_file=authority.ca_file, **options) as pool:
                await steps(pool, server, f"https://localhost:{server.port}")

    run(scenario)


def session_over(pool: Pool) -> requests.Session:
    """A session whose https goes through the pool."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", PooledAdapter(pool))
    return session


def test_many_at_once(tmp_path: Path) -> None:
    """Eight functions with one session: the server answers when all eight are there."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        session = session_over(pool)
        answers = await asyncio.gather(*(spawn(session.get, f"{url}/{n}") for n in range(8)))
        assert [answer.text for answer in answers] == [f"/{n}" for n in range(8)]
        session.close()

    over_tls(tmp_path, steps, Meeting(8))


def test_a_session_keeps_posts_and_streams(tmp_path: Path) -> None:
    """One connection of curl's for a session's requests; bodies go both ways, piece by piece."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/stream":
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            exchange.send(b"4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n")
        else:
            echo(exchange)

    def work(pool: Pool, url: str) -> None:
        with session_over(pool) as session:
            assert session.post(f"{url}/post", data=b"body").text == "POST /post body"
            assert session.put(f"{url}/put", data=b"").text == "PUT /put"
            with session.get(f"{url}/stream", stream=True) as response:
                assert list(response.iter_lines()) == [b"one", b"two"]

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        await spawn(work, pool, url)
        assert server.connections_total == 1

    over_tls(tmp_path, steps, answer)


def test_a_server_is_verified(tmp_path: Path) -> None:
    """Roots that do not vouch for the server, and a wrong name: SSLError, nothing sent."""

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        async with open_pool() as strangers:
            with pytest.raises(requests.exceptions.SSLError):
                await spawn(session_over(strangers).get, url)
        with pytest.raises(requests.exceptions.SSLError):
            await spawn(session_over(pool).get, url.replace("localhost", "127.0.0.1"))
        assert server.requests == []

    over_tls(tmp_path, steps)


@pytest.mark.parametrize(
    "options",
    [
        {"verify": False},
        {"verify": "/etc/ssl/own.pem"},
        {"cert": "client.pem"},
        {"proxies": {"https": "http://proxy:3128"}},
    ],
)
def test_what_the_pool_would_not_keep_to_is_refused(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """Other roots, none at all, a certificate of the client's, a proxy."""

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        with pytest.raises(Unsupported):
            await spawn(lambda: session_over(pool).get(url, **options))
        assert server.requests == []

    over_tls(tmp_path, steps)


def test_the_pools_own_roots_may_be_named(tmp_path: Path) -> None:
    """verify with the very file that the pool verifies against changes nothing."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        ca_file = str(tmp_path / "ca.pem")
        answer = await spawn(lambda: session_over(pool).get(url, verify=ca_file))
        assert answer.text == "GET /"

    over_tls(tmp_path, steps)


def test_errors_are_those_of_requests(tmp_path: Path) -> None:
    """A refused connection, an answer that breaks off and one that does not come."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/cut":
            exchange.cut()
        # and otherwise says nothing

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody = f"https://localhost:{listener.getsockname()[1]}"

        def work() -> None:
            session = session_over(pool)
            with pytest.raises(requests.ConnectionError, match="nothing sent"):
                session.get(nobody)
            with pytest.raises(requests.ConnectionError, match="no full answer"):
                session.post(f"{url}/cut", data=b"x")
            with pytest.raises(requests.ReadTimeout):
                session.get(f"{url}/silent", timeout=0.2)

        await spawn(work)
        assert server.copies("/cut") == 1

    over_tls(tmp_path, steps, answer)


def test_outside_of_greenlets_it_is_requests_own(tmp_path: Path) -> None:
    """The same session in a thread: requests' own sockets, roots and errors."""

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        with session_over(pool) as session:
            await spawn(session.get, url)
            with pytest.raises(requests.exceptions.SSLError):
                await asyncio.to_thread(session.get, url)
            ca_file = str(tmp_path / "ca.pem")
            answer = await asyncio.to_thread(lambda: session.get(url, verify=ca_file))
            assert answer.text == "GET /"
        assert sum(host.slots.leases_total for host in pool.stats()) == 1

    over_tls(tmp_path, steps)


def test_it_goes_together_with_the_stand_in(tmp_path: Path) -> None:
    """http by the stand-in and https by the adapter, in one session and in the stand-in's block."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        with http_server(echo) as plain, session_over(pool) as session, non_blocking_http(pool):

            def work() -> list[str]:
                urls = (f"{url}/tls", f"http://127.0.0.1:{plain.port}/plain") * 2
                return [session.get(one, timeout=BOUND_S).text for one in urls]

            assert await spawn(work) == ["GET /tls", "GET /plain"] * 2

    over_tls(tmp_path, steps)
