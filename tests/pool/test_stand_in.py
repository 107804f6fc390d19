"""The stand-in for http.client: urllib and requests, unchanged, in spawned functions and out."""

import asyncio
import http.client
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.connection

from botod.pool import Pool, Unsupported, spawn, wait
from botod.pool.http_socket import ConnectionLost, PooledSocket
from botod.pool.stand_in import REPLACED, non_blocking_http
from support.certificates import new_authority
from support.http_server import Exchange, HttpServer, http_server
from support.loops import BOUND_S, run
from support.meeting import Meeting
from support.pools import open_pool

ORIGINALS = [owner.__dict__[name] for owner, name, _deed in REPLACED]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers here are on loopback, whatever the environment says of proxies."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(autouse=True)
def methods_are_put_back() -> Any:
    """After each test http.client is as it was."""
    yield
    assert [owner.__dict__[name] for owner, name, _deed in REPLACED] == ORIGINALS


def leases(pool: Pool) -> int:
    """How many requests went through the pool."""
    return sum(host.slots.leases_total for host in pool.stats())


def echo(exchange: Exchange) -> None:
    """An answer that says what was asked, and on which connection."""
    body = f"{exchange.method} {exchange.target} {exchange.body.decode()}".strip()
    exchange.ok(body.encode(), f"X-Connection: {exchange.connection_number}")


def urllib_get(url: str) -> bytes:
    """urllib's way, in blocking style."""
    with urllib.request.urlopen(url) as response:
        data: bytes = response.read()
    return data


def requests_get(url: str) -> bytes:
    """The way of requests, in blocking style."""
    return requests.get(url, timeout=BOUND_S).content


GETS = pytest.mark.parametrize("get", [urllib_get, requests_get])


def with_stand_in(
    steps: Callable[[Pool, HttpServer, str], Awaitable[None]], answer: Any = echo, **options: Any
) -> None:
    """Run steps inside the block, with a pool, a server and its URL."""

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(**options) as pool:
                with non_blocking_http(pool):
                    await steps(pool, server, f"http://127.0.0.1:{server.port}")

    run(scenario)


@GETS
def test_requests_in_greenlets_are_under_way_at_once(get: Callable[[str], bytes]) -> None:
    """Eight functions in blocking style, and the server answers when all eight are there."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        bodies = await asyncio.gather(*(spawn(get, f"{url}/{number}") for number in range(8)))
        assert bodies == [f"/{number}".encode() for number in range(8)]
        assert leases(pool) == 8

    with_stand_in(steps, Meeting(8))


@GETS
def test_outside_of_greenlets_all_is_as_ever(get: Callable[[str], bytes]) -> None:
    """On the loop itself and in threads, sockets are the caller's own; the pool is not asked."""

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        assert get(f"{url}/loop") == b"GET /loop"
        assert await asyncio.to_thread(get, f"{url}/thread") == b"GET /thread"
        assert leases(pool) == 0
        assert server.connections_total == 2

    with_stand_in(steps)


@GETS
def test_a_thread_of_a_greenlet_is_outside(get: Callable[[str], bytes]) -> None:
    """What a spawned function hands to a thread blocks there, and only there."""

    async def steps(pool: Pool, _server: HttpServer, url: str) -> None:
        assert await spawn(lambda: wait(asyncio.to_thread(get, f"{url}/x"))) == b"GET /x"
        assert leases(pool) == 0

    with_stand_in(steps)


IMPORTS = "import urllib.request, requests"
PROGRAM = """
import asyncio, sys
{early}
import certifi
from botod.pool import CurlClient, Pool, spawn
from botod.pool.stand_in import non_blocking_http

def work(url):
    {inside}
    with urllib.request.urlopen(url + "/urllib") as response:
        bodies = [response.read()]
    return [*bodies, requests.get(url + "/requests").content]

async def main(url):
    client = CurlClient(force_instance=True, ca_file=certifi.where())
    pool = Pool(client, slots_per_host=8, max_waiting=8, slot_timeout_s=9)
    with non_blocking_http(pool):
        {late}
        async with asyncio.timeout(25):
            print(await asyncio.gather(spawn(work, url), spawn(work, url)))
    print(pool.stats()[0].slots.leases_total)
    pool.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("place", ["early", "late", "inside"])
def test_either_order_of_imports(place: str) -> None:
    """urllib and requests imported before the stand-in, in its block, or in the function itself."""
    program = PROGRAM.format(**{"early": "", "late": "pass", "inside": "pass"} | {place: IMPORTS})
    if place in {"late", "inside"}:
        program = program.replace(IMPORTS, f"global urllib, requests; {IMPORTS}")
    with http_server(Meeting(2)) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, f"http://127.0.0.1:{server.port}"],
            env={**os.environ, "no_proxy": "*"},
            check=False, capture_output=True, text=True, timeout=BOUND_S,
        )  # fmt: skip
    # To import them is a long visit on a busy machine, and told so.
    told = [line for line in done.stderr.splitlines() if not line.startswith("a visit of work ")]
    assert told == []
    assert done.stdout.splitlines() == [str([[b"/urllib", b"/requests"]] * 2), "4"]


def test_urllib_posts_streams_and_follows() -> None:
    """POST, reading piece by piece and line by line, redirects, and errors with a body."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/moved":
            exchange.ok(b"", "Location: /here", status="302 Found")
        elif exchange.target == "/missing":
            exchange.ok(b"no such thing", status="404 Not Found")
        elif exchange.target == "/lines":
            exchange.ok(b"one\ntwo\n")
        else:
            echo(exchange)

    def work(url: str) -> None:
        with urllib.request.urlopen(f"{url}/post", data=b"body") as response:
            assert (response.status, response.msg, response.read()) == (
                200,
                "OK",
                b"POST /post body",
            )
            assert response.headers["x-connection"]
        with urllib.request.urlopen(f"{url}/moved") as response:
            assert response.url == f"{url}/here"
            assert [response.read(3), response.read()] == [b"GET", b" /here"]
        with urllib.request.urlopen(f"{url}/lines") as response:
            assert list(response) == [b"one\n", b"two\n"]
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/missing")
        with caught.value as error:
            assert (error.code, error.read()) == (404, b"no such thing")

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        await spawn(work, url)
        assert leases(pool) == len(server.requests)

    with_stand_in(steps, answer)


def test_urllibs_errors_are_urllibs() -> None:
    """Nobody listens, nothing comes in time, the answer breaks off: as without the stand-in."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/slow":
            done.wait(BOUND_S)
        exchange.cut()

    def work(url: str, nobody: str) -> None:
        with pytest.raises(urllib.error.URLError) as caught:
            urllib.request.urlopen(nobody)
        assert isinstance(caught.value.reason, ConnectionError)
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{url}/slow", timeout=0.05)
        with pytest.raises(http.client.RemoteDisconnected):
            urllib.request.urlopen(f"{url}/cut")
        done.set()

    async def steps(_pool: Pool, _server: HttpServer, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await spawn(work, url, nobody)

    with_stand_in(steps, answer)


def test_the_default_timeout_counts() -> None:
    """socket.setdefaulttimeout holds for those who give none, as without the stand-in."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        done.wait(BOUND_S)
        exchange.cut()

    def work(url: str) -> None:
        socket.setdefaulttimeout(0.05)
        try:
            with pytest.raises(TimeoutError):
                urllib.request.urlopen(url)
        finally:
            socket.setdefaulttimeout(None)
            done.set()

    async def steps(_pool: Pool, _server: HttpServer, url: str) -> None:
        await spawn(work, url)

    with_stand_in(steps, answer)


def test_a_session_of_requests() -> None:
    """Keep-alive, POST, streaming, cookies and redirects of a Session."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/login":
            exchange.ok(b"", "Set-Cookie: who=me", "Location: /home", status="302 Found")
        elif exchange.target == "/home":
            exchange.ok(exchange.headers["cookie"].encode())
        elif exchange.target == "/stream":
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(100):
                exchange.send(b"4\r\n%03d\n\r\n" % number)
            exchange.send(b"0\r\n\r\n")
        else:
            echo(exchange)

    def work(url: str) -> None:
        with requests.Session() as session:
            assert session.post(f"{url}/post", data=b"body").text == "POST /post body"
            assert session.post(f"{url}/chunks", data=iter([b"a", b"b"])).text == "POST /chunks ab"
            assert session.post(f"{url}/login").text == "who=me"
            with session.get(f"{url}/stream", stream=True) as response:
                assert list(response.iter_lines()) == [b"%03d" % number for number in range(100)]
            with session.get(f"{url}/left", stream=True):
                pass  # closed unread
            assert session.head(f"{url}/head").headers["x-connection"]

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        await spawn(work, url)
        assert leases(pool) == len(server.requests) == 7

    with_stand_in(steps, answer)


def test_a_session_keeps_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 polls a kept connection and finds it good: it makes no new one for each request."""
    caplog.set_level(logging.DEBUG, "urllib3")

    async def steps(_pool: Pool, server: HttpServer, url: str) -> None:
        with requests.Session() as session:
            for _ in range(3):
                await spawn(session.get, url)
            manager: Any = session.get_adapter(url)
            pools = manager.poolmanager.pools
            assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118
        assert server.connections_total == 1
        assert "Resetting dropped connection" not in caplog.text

    with_stand_in(steps)


def test_requests_errors_are_those_of_requests() -> None:
    """Its callers catch ConnectionError and ReadTimeout, and find them."""
    done = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/slow":
            done.wait(BOUND_S)
        exchange.cut()

    def work(url: str, nobody: str) -> None:
        with pytest.raises(requests.ConnectionError, match="nothing sent"):
            requests.get(nobody, timeout=BOUND_S)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{url}/slow", timeout=0.05)
        with pytest.raises(requests.ConnectionError) as caught:
            requests.post(f"{url}/cut", data=b"x", timeout=BOUND_S)
        assert isinstance(caught.value.args[0].args[1], ConnectionLost)
        done.set()

    async def steps(_pool: Pool, server: HttpServer, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await spawn(work, url, nobody)
        assert server.copies("/cut") == 1

    with_stand_in(steps, answer)


def test_a_session_may_move_between_inside_and_outside() -> None:
    """Its kept connection of one kind is not used where the other kind belongs."""

    async def scenario() -> None:
        with http_server(echo) as server, requests.Session() as session:
            url = f"http://127.0.0.1:{server.port}"

            def get(target: str) -> str:
                return session.get(f"{url}{target}", timeout=BOUND_S).text

            async with open_pool() as pool:
                with non_blocking_http(pool):
                    assert get("/1-outside") == "GET /1-outside"
                    assert await spawn(get, "/2-inside") == "GET /2-inside"
                    assert await spawn(get, "/3-inside") == "GET /3-inside"
                    assert leases(pool) == 2
                    assert get("/4-outside") == "GET /4-outside"
                    assert await spawn(get, "/5-inside") == "GET /5-inside"
                    assert leases(pool) == 3
                assert leases(pool) == 3
            spare = [os.eventfd(0) for _ in range(64)]  # the stand-in's number is another's now
            assert get("/6-after") == "GET /6-after"
            for descriptor in spare:
                os.close(descriptor)
            async with open_pool() as second:
                with non_blocking_http(second):
                    assert await spawn(get, "/7-inside") == "GET /7-inside"
                assert leases(second) == 1

    run(scenario)


def test_a_connection_of_http_client_may_move_as_well() -> None:
    """One that is kept by hand: an explicit connect, then requests inside and outside in turn."""

    async def steps(pool: Pool, server: HttpServer, _url: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)

        def get() -> bytes:
            connection.request("GET", "/")
            return connection.getresponse().read()

        await spawn(connection.connect)
        assert isinstance(connection.sock, PooledSocket)
        assert [await spawn(get), get(), await spawn(get), get()] == [b"GET /"] * 4
        assert leases(pool) == 2
        connection.close()

    with_stand_in(steps)


def test_a_connection_goes_to_the_pool_of_its_block() -> None:
    """Kept from one block to the next, it does not go on using the pool of the first."""

    async def scenario() -> None:
        with http_server(echo) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)

            def get() -> bytes:
                connection.request("GET", "/")
                return connection.getresponse().read()

            for _ in range(2):
                async with open_pool() as pool:
                    with non_blocking_http(pool):
                        assert await spawn(get) == b"GET /"
                    assert leases(pool) == 1

    run(scenario)


def test_auto_open_is_kept_to() -> None:
    """A connection that may not open itself does not."""

    async def steps(_pool: Pool, server: HttpServer, _url: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.auto_open = 0
        with pytest.raises(http.client.NotConnected):
            await spawn(connection.request, "GET", "/")

    with_stand_in(steps)


def test_a_class_that_connects_in_its_own_way_is_left_alone() -> None:
    """A subclass for Unix sockets, say: the pool would take its request to another server."""

    class Own(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.create_connection((self.host, own_port))

    class OwnOfUrllib3(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return socket.create_connection((self.host, own_port))

    own_port = 0

    async def steps(pool: Pool, server: HttpServer, _url: str) -> None:
        nonlocal own_port
        own_port = server.port
        connection = Own("127.0.0.1", 1)
        await spawn(connection.request, "GET", "/own")
        assert connection.getresponse().read() == b"GET /own"
        connection.close()
        other = http.client.HTTPConnection("127.0.0.1", 1)
        other._create_connection = (  # type: ignore[attr-defined]
            lambda *_args: socket.create_connection(("127.0.0.1", own_port))
        )
        await spawn(other.request, "GET", "/other")
        assert other.getresponse().read() == b"GET /other"
        other.close()
        third = OwnOfUrllib3("127.0.0.1", 1)
        await spawn(third.request, "GET", "/third")
        assert third.getresponse().data == b"GET /third"
        third.close()
        assert leases(pool) == 0

    with_stand_in(steps)


def test_tunnels_and_source_addresses_are_refused() -> None:
    """The pool carries neither, and would go round them silently."""

    async def steps(_pool: Pool, server: HttpServer, _url: str) -> None:
        tunnel = http.client.HTTPConnection("127.0.0.1", server.port)
        tunnel.set_tunnel("elsewhere")
        source = http.client.HTTPConnection("127.0.0.1", server.port, source_address=("", 0))
        for connection in (tunnel, source):
            with pytest.raises(Unsupported):
                await spawn(connection.request, "GET", "/")
        assert server.requests == []

    with_stand_in(steps)


def test_urllib_over_https(tmp_path: Path) -> None:
    """curl makes TLS and verifies: a good certificate, a wrong name, and contexts of one's own."""
    authority = new_authority(tmp_path)
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    pinned = ssl.create_default_context(cafile=authority.ca_file)

    async def scenario() -> None:
        with http_server(Meeting(2), tls=authority.server_context("localhost")) as server:
            async with open_pool(ca_file=authority.ca_file) as pool:

                def refusals() -> None:
                    with pytest.raises(urllib.error.URLError) as caught:
                        urllib.request.urlopen(f"https://127.0.0.1:{server.port}/")
                    assert isinstance(caught.value.reason, ssl.SSLCertVerificationError)
                    for context in (unverified, pinned):
                        with pytest.raises(Unsupported, match="ca_file"):
                            urllib.request.urlopen(
                                f"https://localhost:{server.port}/", context=context
                            )

                with non_blocking_http(pool):
                    url = f"https://localhost:{server.port}/x"
                    both = (spawn(urllib_get, url), spawn(urllib_get, url))
                    assert await asyncio.gather(*both) == [b"/x"] * 2
                    await spawn(refusals)
        assert len(server.requests) == 2

    run(scenario)


def test_requests_over_https_needs_the_adapter(tmp_path: Path) -> None:
    """It is refused in a greenlet, rather than block everybody; outside it is as ever."""
    authority = new_authority(tmp_path)

    async def scenario() -> None:
        with http_server(echo, tls=authority.server_context("localhost")) as server:
            async with open_pool(ca_file=authority.ca_file) as pool:

                def get() -> str:
                    url = f"https://localhost:{server.port}/"
                    return requests.get(url, timeout=BOUND_S, verify=authority.ca_file).text

                with non_blocking_http(pool):
                    with pytest.raises(Unsupported, match="requests_adapter"):
                        await spawn(get)
                    assert await asyncio.to_thread(get) == "GET /"

    run(scenario)


def test_the_methods_are_put_back_whatever_happens() -> None:
    """An exception in the block, and blocks that overlap: the last one out puts them back."""

    def replaced() -> bool:
        return [owner.__dict__[name] for owner, name, _deed in REPLACED] != ORIGINALS

    async def scenario() -> None:
        async with open_pool() as pool:
            with pytest.raises(KeyError), non_blocking_http(pool):
                raise KeyError
            assert not replaced()
            first, second = non_blocking_http(pool), non_blocking_http(pool)
            first.__enter__()
            second.__enter__()
            first.__exit__(None, None, None)
            assert replaced()
            second.__exit__(None, None, None)
            assert not replaced()

    run(scenario)


def test_one_pool_a_loop() -> None:
    """A second pool in an overlapping block is refused: nobody could say which is meant."""

    async def scenario() -> None:
        async with open_pool() as pool, open_pool() as other:
            with non_blocking_http(pool):
                with pytest.raises(RuntimeError, match="another pool"), non_blocking_http(other):
                    pass
                with non_blocking_http(pool):
                    pass

    run(scenario)


def test_loops_in_other_threads_have_their_own() -> None:
    """Two loops in two threads, one with a stand-in: the other's functions are as ever."""
    counts: list[int] = []

    async def elsewhere(url: str) -> None:
        async with open_pool() as pool:
            with non_blocking_http(pool):
                await spawn(urllib_get, url)
                counts.append(leases(pool))

    async def steps(pool: Pool, server: HttpServer, url: str) -> None:
        await asyncio.to_thread(lambda: asyncio.run(elsewhere(url)))
        assert counts == [1]
        assert leases(pool) == 0
        await spawn(urllib_get, url)
        assert leases(pool) == 1

    with_stand_in(steps)


def test_a_method_that_others_wrapped_meanwhile_is_left_to_them() -> None:
    """Who patches http.client inside the block keeps the patch; ours under it does nothing then."""

    async def scenario() -> None:
        with http_server(echo) as server:
            url = f"http://127.0.0.1:{server.port}/"
            async with open_pool() as pool:
                with non_blocking_http(pool):
                    ours = http.client.HTTPConnection.send
                    http.client.HTTPConnection.send = lambda *args: ours(*args)  # type: ignore[method-assign] # noqa: PLW0108
                assert await spawn(urllib_get, url) == b"GET /"
                http.client.HTTPConnection.send = ours  # type: ignore[method-assign]
                with non_blocking_http(pool):
                    assert await spawn(urllib_get, url) == b"GET /"
                assert leases(pool) == 1

    run(scenario)


def test_a_request_under_way_at_the_end_of_the_block_goes_on() -> None:
    """The block says which requests begin in the pool; it does not break any off."""
    go = threading.Event()

    def answer(exchange: Exchange) -> None:
        go.wait(BOUND_S)
        echo(exchange)

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                with non_blocking_http(pool):
                    spawned = spawn(requests_get, f"http://127.0.0.1:{server.port}/")
                    while not server.requests:
                        await asyncio.sleep(0)
                go.set()
                assert await spawned == b"GET /"

    run(scenario)
