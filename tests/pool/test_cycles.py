"""Nothing of the pool is left to the collector: what it would keep may hold a slot."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pycurl
import pytest

from botod.pool import Pool, Terms, on_terms, sleep, spawn, spawn_until
from botod.pool.connection import HTTPConnection
from botod.pool.origin import Origin
from support.http_server import Exchange, http_server
from support.loops import run, until
from support.pools import ask, assert_idle, open_pool, s3_connection

import boto.connection


@contextmanager
def no_cycles() -> Iterator[None]:
    """At the end of the block the collector finds no object of the pool."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        found = Counter(type(thing).__qualname__ for thing in gc.garbage if is_ours(thing))
        assert not found, f"left to the collector: {found}"
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def is_ours(thing: Any) -> bool:
    """Whether an object's class is the pool's."""
    return type(thing).__module__.startswith("botod.pool")


def fine_or_not(exchange: Exchange) -> None:
    """Answer, or not, by what is asked for."""
    if "cut" in exchange.target or ("odd" in exchange.target and exchange.number % 2):
        exchange.cut()
    elif "error" in exchange.target:
        exchange.ok(b"", status="503 Slow Down")
    elif "long" in exchange.target:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        exchange.sock.recv(1)
    elif "silent" in exchange.target:
        exchange.sock.recv(1)
    else:
        exchange.ok(b"fine")


async def fails(pool: Pool, port: int) -> None:
    """A function that ends with an error, and whose error nobody keeps."""
    job = spawn(ask, pool, port, "/cut")
    await asyncio.wait([job])
    assert job.exception() is not None


async def cancelled(pool: Pool, port: int) -> None:
    """A function that is cancelled while it waits for an answer."""
    job = spawn(ask, pool, port, "/silent")
    await until(pool.client.running_num)
    job.cancel()
    await asyncio.wait([job])


async def too_late(pool: Pool, port: int) -> None:
    """A function whose deadline passes."""
    job = spawn_until(asyncio.get_running_loop().time() + 0.05, ask, pool, port, "/silent")
    await asyncio.wait([job])
    assert job.exception() is not None


async def tried_again(pool: Pool, port: int) -> None:
    """boto's own loop, over failures and 5xx."""
    connection = s3_connection(pool, port)
    connection.num_retries = 2
    for key in ("cut", "error"):
        with on_terms(Terms(idempotent=True)):
            job = spawn(connection.make_request, "GET", "b", key)
        await asyncio.wait([job])
        assert job.exception() is not None


async def works_at_last(pool: Pool, port: int) -> None:
    """boto's own loop, where a later try succeeds: boto keeps the error of the one before."""
    connection = s3_connection(pool, port)
    for _ in range(2):
        with on_terms(Terms(idempotent=True)):
            await spawn(lambda: connection.make_request("GET", "b", "odd").read())


async def works(pool: Pool, port: int) -> None:
    """A function that ends well."""
    assert await spawn(ask, pool, port, "/") == b"fine"


@pytest.mark.parametrize("case", [works, fails, cancelled, too_late, tried_again, works_at_last])
def test_no_object_of_the_pool_is_in_a_cycle(
    case: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a function ends, what it had is free as it ends, not when the collector runs."""
    monkeypatch.setattr(boto.connection.random, "random", lambda: 0.001)

    async def scenario() -> None:
        with http_server(fine_or_not) as server:
            async with open_pool(slots=2) as pool:
                await case(pool, server.port)  # whatever is made once is made
                with no_cycles():
                    for _ in range(3):
                        await case(pool, server.port)

    run(scenario)


def test_a_response_let_go_inside_a_callback_of_curl_s() -> None:
    """As when the collector runs there: its transfer is stopped, and its slot comes back."""

    async def scenario() -> None:
        with http_server(fine_or_not) as server:
            async with open_pool(slots=2) as pool:
                held: list[Any] = []

                def begin() -> None:
                    connection = HTTPConnection(pool, Origin("http", "127.0.0.1", server.port))
                    connection.request("GET", "/long")
                    held.append(connection.getresponse())
                    assert held[0].read(4) == b"some"

                def drop_in_callback() -> bytes:
                    connection = HTTPConnection(pool, Origin("http", "127.0.0.1", server.port))
                    connection.request("GET", "/")
                    take_header = connection.started().curl_header

                    def take_and_drop(line: bytes) -> None:
                        held.clear()
                        take_header(line)

                    handle = pool.client._handle_of[connection.started()]
                    handle.curl.setopt(handle.curl.HEADERFUNCTION, take_and_drop)
                    return connection.getresponse().read()

                await spawn(begin)
                assert await spawn(drop_in_callback) == b"fine"
                assert held == []
                await spawn(sleep, 0)
                await assert_idle(pool)

    run(scenario)


def test_a_response_let_go_while_curl_takes_a_handle() -> None:
    """As when the collector runs inside add_handle, or in another thread: no slot is lost."""

    async def scenario() -> None:
        with http_server(fine_or_not) as server:
            async with open_pool(slots=3) as pool:
                held: list[Any] = []

                def begin() -> None:
                    connection = HTTPConnection(pool, Origin("http", "127.0.0.1", server.port))
                    connection.request("GET", "/long")
                    held.append(connection.getresponse())

                client = pool.client

                def drop_and_set(msecs: int) -> None:
                    held.clear()
                    client._set_timeout(msecs)

                await spawn(begin)
                client._multi.setopt(pycurl.M_TIMERFUNCTION, drop_and_set)
                assert await spawn(ask, pool, server.port, "/") == b"fine"
                await assert_idle(pool)
                await spawn(begin)
                await asyncio.to_thread(held.clear)
                await until(lambda: not pool.client.running_num())
                await assert_idle(pool)

    run(scenario)
