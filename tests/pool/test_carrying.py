"""Exceptions that leave a greenlet: they hold nothing that was in it."""

import asyncio
import weakref

import pytest

from botod.pool import (
    spawn,
    wait,
)
from support.spawning import Boom


def test_stop_iteration_does_not_vanish() -> None:
    """A future cannot hold StopIteration; the caller gets a RuntimeError that names it."""

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await spawn(next, iter(()))

    asyncio.run(scenario())


def test_a_kept_exception_holds_no_locals() -> None:
    """An exception that somebody keeps lets the function's variables go, a lease among them."""

    class Lease:
        pass

    leases: list[weakref.ref[Lease]] = []

    def work() -> None:
        lease = Lease()
        leases.append(weakref.ref(lease))
        try:
            raise KeyError
        except KeyError as cause:
            raise Boom from cause

    async def scenario() -> None:
        spawned = spawn(work)
        with pytest.raises(Boom):
            await spawned
        assert leases[0]() is None
        assert isinstance(spawned.exception(), Boom)

    asyncio.run(scenario())


def test_an_error_that_came_through_a_coroutine_does_not_end_it() -> None:
    """A task hands an error on and goes on itself, while a function ends with that error."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        handed: asyncio.Future[None] = loop.create_future()
        go_on = asyncio.Event()

        async def fails() -> None:
            raise Boom

        async def worker() -> str:
            try:
                await fails()
            except Boom as error:
                handed.set_exception(error)
            await go_on.wait()
            return "went on"

        task = asyncio.create_task(worker())
        with pytest.raises(Boom):
            await spawn(wait, handed)
        go_on.set()
        assert await task == "went on"

    asyncio.run(scenario())
