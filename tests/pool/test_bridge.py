"""Blocking style over the loop: what `spawn`, `wait` and `sleep` promise."""

import asyncio
import gc
import traceback
from typing import Any

import pytest

from botod.pool import (
    DeadlineExceeded,
    NotInGreenlet,
    in_greenlet,
    sleep,
    spawn,
    spawn_apart,
    spawn_until,
    wait,
)
from botod.pool.bridge import current_deadline
from botod.pool.spawned import live_num
from support.spawning import VAR, Boom, value


def test_the_value_comes_back() -> None:
    """A spawned function's return value is the awaitable's result."""

    async def scenario() -> None:
        assert await spawn(lambda a, *, b: a + b, 1, b=2) == 3

    asyncio.run(scenario())
    assert live_num() == 0


def test_wait_gives_what_a_coroutine_returns() -> None:
    """`wait` parks for a coroutine, a future or another spawned function."""

    def work() -> list[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        loop.call_soon(future.set_result, "future")
        return [wait(value("coroutine")), wait(future), wait(spawn(wait, value("nested")))]

    async def scenario() -> None:
        assert await spawn(work) == ["coroutine", "future", "nested"]

    asyncio.run(scenario())


def test_an_exception_goes_out_with_its_traceback() -> None:
    """What the function raises is raised where it is awaited, and names the line it came from."""

    def deep() -> None:
        raise Boom

    async def scenario() -> None:
        with pytest.raises(Boom) as caught:
            await spawn(deep)
        assert "deep" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]

    asyncio.run(scenario())


def test_an_exception_goes_in() -> None:
    """What an awaited coroutine raises can be caught in the blocking code."""

    async def fail() -> None:
        raise Boom

    def work() -> str:
        try:
            wait(fail())
        except Boom:
            return "caught"
        return "missed"

    async def scenario() -> None:
        assert await spawn(work) == "caught"

    asyncio.run(scenario())


def test_cancelling_the_awaitable_reaches_the_cleanup() -> None:
    """Cancel raises CancelledError where the function is parked; its `finally` runs first."""
    seen: list[str] = []

    def work() -> None:
        try:
            sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("cleaned up")

    async def scenario() -> None:
        spawned = spawn(work)
        await asyncio.sleep(0)
        spawned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawned
        assert seen == ["cancelled", "cleaned up"]
        assert live_num() == 0

    asyncio.run(scenario())


def test_cancelling_a_task_that_awaits_cancels_the_function() -> None:
    """A coroutine that awaits spawn(...) passes its own cancel on, as it would to a task."""
    seen: list[str] = []

    def work() -> None:
        try:
            sleep(60)
        finally:
            seen.append("cleaned up")

    async def scenario() -> None:
        async def outer() -> None:
            await spawn(work)

        task = asyncio.create_task(outer())
        while not live_num():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cleaned up"]

    asyncio.run(scenario())


def test_misuse_says_what_to_do() -> None:
    """Blocking style outside a greenlet raises NotInGreenlet, which names spawn; nothing leaks."""

    async def scenario() -> None:
        assert not in_greenlet()
        with pytest.raises(NotInGreenlet, match="spawn"):
            wait(value(1))  # closed, so that Python does not warn that it was never awaited
        with pytest.raises(NotInGreenlet, match="spawn"):
            sleep(0)

    asyncio.run(scenario())
    gc.collect()


def test_another_thread_is_no_greenlet() -> None:
    """A thread that a spawned function uses is outside: it cannot park the function's stack."""

    def in_thread() -> str:
        try:
            sleep(0)
        except NotInGreenlet:
            return "refused"
        return "parked"

    def work() -> str:
        return wait(asyncio.get_running_loop().run_in_executor(None, in_thread))

    async def scenario() -> None:
        assert await spawn(work) == "refused"

    asyncio.run(scenario())


def test_context_variables_carry_over() -> None:
    """A spawned function sees its spawner's variables; its own changes stay its own."""

    def work() -> tuple[str, str]:
        before = VAR.get()
        VAR.set("inner")
        wait(value(None))
        return before, VAR.get()

    async def scenario() -> None:
        VAR.set("outer")
        assert await spawn(work) == ("outer", "inner")
        assert VAR.get() == "outer"

    asyncio.run(scenario())


def test_functions_interleave_while_one_sleeps() -> None:
    """While one function sleeps the others run: order of events, not of calls."""
    events: list[str] = []

    def work(name: str, pause_s: float) -> None:
        events.append(f"{name} begins")
        sleep(pause_s)
        events.append(f"{name} ends")

    async def scenario() -> None:
        await asyncio.gather(spawn(work, "long", 0.05), spawn(work, "short", 0.001))

    asyncio.run(scenario())
    assert events == ["long begins", "short begins", "short ends", "long ends"]


def test_a_deadline_ends_every_wait() -> None:
    """When the deadline passes the wait is broken off, and each later one at once."""

    def work() -> list[str]:
        ends = []
        for _ in range(3):
            try:
                sleep(60)
            except DeadlineExceeded:
                ends.append("deadline")
        return ends

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            assert await spawn_until(loop.time() + 0.01, work) == ["deadline"] * 3

    asyncio.run(scenario())


def test_a_deadline_holds_although_what_is_awaited_resists() -> None:
    """A coroutine that swallows its cancel does not hold a function beyond its deadline."""
    released = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await released.wait()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            with pytest.raises(DeadlineExceeded):
                await spawn_until(loop.time() + 0.01, lambda: wait(stubborn()))
        released.set()
        await asyncio.sleep(0)

    asyncio.run(scenario())


def test_a_nested_function_inherits_the_earlier_deadline() -> None:
    """What a spawned function spawns cannot outlive its deadline."""

    def work() -> float | None:
        return wait(spawn_until(asyncio.get_running_loop().time() + 1000, current_deadline))

    async def scenario() -> None:
        deadline = asyncio.get_running_loop().time() + 5
        assert await spawn_until(deadline, work) == deadline
        assert current_deadline() is None

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_what_is_spawned_apart_goes_on(how: str) -> None:
    """What ends who spawned it does not reach it; its own deadline does."""
    done: list[str] = []

    def tidy() -> None:
        sleep(0.01)
        done.append("tidied")
        with pytest.raises(DeadlineExceeded):
            sleep(60)
        done.append("ended")

    def work() -> None:
        loop = asyncio.get_running_loop()
        try:
            sleep(60)
        finally:
            apart.append(spawn_apart(loop.time() + 0.05, tidy))

    apart: list[Any] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        spawned = spawn_until(loop.time() + (0 if how == "deadline" else 60), work)
        await asyncio.sleep(0)
        if how == "cancel":
            spawned.cancel()
        with pytest.raises((DeadlineExceeded, asyncio.CancelledError)):
            await spawned
        await apart[0]

    asyncio.run(scenario())
    assert done == ["tidied", "ended"]
