"""The client for asyncio: one connection, many requests, bodies both ways, and cancel."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import aio
from botod.ipc.errors import MethodNotFound
from support.ipc import Daemon, limits, run
from support.stores import Store

LARGE = bytes(range(256)) * 4 * 1024 * 3
"""3 MiB of every byte: some windows of a stream."""


def test_many_requests_on_one_connection(path: Path) -> None:
    """Each gets its own answer, in whatever order they come."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            echo = connection.client("s3").echo
            answers = await asyncio.gather(*(echo(N=number) for number in range(50)))
        assert [answer["N"] for answer in answers] == list(range(50))

    with Daemon(path, Store()):
        run(scenario())


def test_a_body_there_and_back(path: Path) -> None:
    """Small ones beside the line, large ones by streams; every byte."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            for body in (b"", bytes(range(256)), LARGE):
                await s3.put_object(Key="k", Body=body)
                got = (await s3.get_object(Key="k"))["Body"]
                assert await got.read() == body
                assert await got.read() == b""

    with Daemon(path, Store()):
        run(scenario())


def test_cancelling_the_task_cancels_the_request(path: Path) -> None:
    """The daemon is told, and the connection goes on."""

    async def scenario(store: Store) -> None:
        async with await aio.connect(str(path)) as connection:
            task = asyncio.create_task(connection.call("s3.hold"))
            while not store.held:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while not store.held[0].is_cancelled:
                await asyncio.sleep(0)
            assert await connection.call("s3.echo", {"N": 1}) == {"N": 1}

    with Daemon(path, store := Store()):
        run(scenario(store))


def test_a_batch(path: Path) -> None:
    """Results and errors, in order, however many there are."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            calls: list[Any] = [("s3.echo", {"N": number}) for number in range(130)]
            outcomes = await connection.batch([*calls, ("s3.none", {})])
        assert outcomes[:-1] == [{"N": number} for number in range(130)]
        assert isinstance(outcomes[-1], MethodNotFound)

    with Daemon(path, Store(), limits(in_flight_per_peer=256)):
        run(scenario())
