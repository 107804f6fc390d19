"""One greenlet at a time."""

import asyncio

import pytest

from botod.pool import sleep, spawn
from botod.pool.locks import GreenletLock
from support.loops import run


def test_one_at_a_time_in_turn() -> None:
    """Those who wait get it in the order in which they came."""

    async def scenario() -> None:
        lock = GreenletLock()
        events: list[str] = []

        def work(name: str) -> None:
            with lock:
                events.append(f"{name} in")
                sleep(0)
                events.append(f"{name} out")

        await asyncio.gather(*(spawn(work, name) for name in "abc"))
        assert events == ["a in", "a out", "b in", "b out", "c in", "c out"]

    run(scenario)


@pytest.mark.parametrize("cancel_first", [False, True])
def test_a_waiter_that_is_cancelled_does_not_take_it_along(cancel_first: bool) -> None:
    """Handed over and cancelled in one turn of the loop, in either order: the next one has it."""

    async def scenario() -> None:
        lock = GreenletLock()
        lock.acquire()
        cancelled, follower = spawn(lock.acquire), spawn(lock.acquire)
        for _ in range(3):
            await asyncio.sleep(0)
        steps = [lock.release, cancelled.cancel]
        for step in reversed(steps) if cancel_first else steps:
            step()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await follower is True
        lock.release()
        assert lock.acquire()

    run(scenario)
