"""A crew: greenlets that do one thing together."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from botod.pool import Crew, DeadlineExceeded, sleep, spawn, spawn_until, wait
from support.loops import run


def in_greenlet(call: Callable[[], Any]) -> None:
    """Run a test where it can park."""

    async def scenario() -> None:
        await spawn(call)

    run(scenario)


def test_so_many_run_at_once_and_all_do() -> None:
    """The next begins as one has ended."""
    now: list[int] = []
    most: list[int] = []

    def one(number: int) -> None:
        now.append(number)
        most.append(len(now))
        sleep(0)
        now.remove(number)

    def call() -> None:
        with Crew(3) as crew:
            for number in range(10):
                crew.start(one, number)
            crew.join()
            assert crew.running_num == 0

    in_greenlet(call)
    assert (len(most), max(most)) == (10, 3)


def fail() -> None:
    """One that fails at once."""
    raise ValueError("one failed")


def work(*calls: Callable[[], Any]) -> None:
    """A block of a crew that does these."""
    with Crew(3) as crew:
        for one in calls:
            crew.start(one)
        crew.join()


def endless(ended: list[str]) -> Callable[[], None]:
    """One that never ends by itself, and tells when it ends."""

    def wait_for_nothing() -> None:
        try:
            wait(asyncio.get_running_loop().create_future())
        finally:
            ended.append("ended")

    return wait_for_nothing


def test_an_error_ends_all() -> None:
    """It is raised where the block waits; the others end before anything that is spawned later."""
    order: list[str] = []

    def call() -> None:
        with pytest.raises(ValueError, match="one failed"):
            work(endless(order), fail)
        wait(spawn(order.append, "next"))

    in_greenlet(call)
    assert order == ["ended", "next"]


def test_two_errors_are_one() -> None:
    """The second is not told to anybody, not even as never retrieved."""

    def call() -> None:
        with pytest.raises(ValueError, match="one failed"):
            work(fail, fail)

    in_greenlet(call)


def test_an_error_keeps_others_from_starting() -> None:
    """Whoever starts one more is told of it."""
    done: list[int] = []

    def call() -> None:
        crew = Crew(1)
        crew.start(fail)
        with pytest.raises(ValueError, match="one failed"):
            crew.start(done.append, 1)

    in_greenlet(call)
    assert not done


def test_a_deadline_reaches_the_crew() -> None:
    """That of whoever starts it."""
    ended: list[str] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(DeadlineExceeded):
            await spawn_until(loop.time() + 0.01, work, endless(ended))
        await asyncio.sleep(0)

    run(scenario)
    assert ended == ["ended"]


def test_one_that_was_cancelled_by_others_ends_all() -> None:
    """What it was to do is not done."""

    def call() -> None:
        crew = Crew(2)
        crew.start(endless([]))
        (one,) = crew._running
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            crew.join()

    in_greenlet(call)
