"""Sockets that stay warm."""

import asyncio
import socket
import threading

import pytest

from botod.pool import spawn
from botod.pool.origin import Origin
from botod.pool.warmth import keep_warm
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run, until
from support.pools import ask, open_pool


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look a hundred times a second."""
    monkeypatch.setattr("botod.pool.warmth.CHECK_S", 0.01)
    monkeypatch.setattr("botod.pool.warmth.LONGEST_PAUSE_S", 0.05)


def test_missing_sockets_are_opened_and_used() -> None:
    """Three are there before anybody asks; requests at once use them and open no others."""
    together = threading.Barrier(3, timeout=BOUND_S)

    def answer(exchange: Exchange) -> None:
        if exchange.method == "GET":
            together.wait()
        exchange.ok(b"fine")

    async def scenario() -> None:
        with http_server(answer) as server:
            origin = Origin("http", "127.0.0.1", server.port)
            async with open_pool() as pool:
                task = asyncio.create_task(keep_warm(pool, origin, 3))
                await until(lambda: pool.client.socket_stats(origin).open_num == 3)
                await until(lambda: not pool.client.running_num())
                asked = (spawn(ask, pool, server.port) for _ in range(3))
                assert await asyncio.gather(*asked) == [b"fine"] * 3
                assert pool.client.socket_stats(origin).opened_total == 3
                task.cancel()
                await asyncio.wait([task])
        assert {request.headers["host"] for request in server.requests} == {
            f"127.0.0.1:{server.port}"
        }

    run(scenario)


def test_sockets_that_were_idle_for_long_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon curl would not take them, though the server keeps them; none is opened beside them."""
    monkeypatch.setattr("botod.pool.warmth.WARM_S", 0.05)

    async def scenario() -> None:
        with http_server() as server:
            origin = Origin("http", "127.0.0.1", server.port)
            async with open_pool() as pool:
                task = asyncio.create_task(keep_warm(pool, origin, 1))
                await until(lambda: len(server.requests) >= 3)
                assert pool.client.socket_stats(origin).opened_total == 1
                task.cancel()
                await asyncio.wait([task])

    run(scenario)


def test_sockets_that_the_server_closed_are_replaced() -> None:
    """A quiet spell that was too long for the server does not show to the next job."""
    idle: list[Exchange] = []

    def answer(exchange: Exchange) -> None:
        exchange.ok()
        idle.append(exchange)

    async def scenario() -> None:
        with http_server(answer) as server:
            origin = Origin("http", "127.0.0.1", server.port)
            async with open_pool() as pool:
                task = asyncio.create_task(keep_warm(pool, origin, 2))
                await until(lambda: len(idle) == 2)
                for exchange in idle:
                    exchange.cut()
                await until(lambda: len(idle) == 4)
                await until(lambda: pool.client.socket_stats(origin).open_num == 2)
                task.cancel()
                await asyncio.wait([task])

    run(scenario)


def test_a_host_that_takes_none_is_asked_less_and_less_often() -> None:
    """It goes on trying, with longer pauses, and ends with the pool."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        origin = Origin("http", "127.0.0.1", port)
        async with open_pool() as pool:
            task = asyncio.create_task(keep_warm(pool, origin, 1))
            await until(lambda: pool.client.socket_stats(origin).opened_total >= 2)
            with http_server(port=port):
                pool._hosts[origin].health._rests_until = 0.0
                await until(lambda: pool.client.socket_stats(origin).open_num == 1)
            await until(lambda: not pool.client.running_num())
            task.cancel()
            await asyncio.wait([task])
        async with open_pool() as pool:
            task = asyncio.create_task(keep_warm(pool, origin, 1))
            await until(lambda: pool.client.socket_stats(origin).opened_total)
            await until(lambda: not pool.client.running_num())
            pool.close()
            await asyncio.wait([task])
            assert task.exception() is None

    run(scenario)
