"""Many requests at once."""

import asyncio
import threading

import pytest

from load.drivers import by_tasks, by_threads, shares
from load.meter import Meter
from load.task import Task

TASK = Task("get", "localhost", 1, "", number=10, in_flight=4, warm_up=6)


def test_shares_add_up() -> None:
    """Nearly equal, none lost."""
    assert shares(10, 4) == [3, 3, 2, 2]


def test_threads_do_the_warm_up_and_the_task() -> None:
    """Only the task is timed, each thread with what was made for it."""
    asked: list[int] = []
    made: list[int] = []

    def make() -> object:
        made.append(threading.get_ident())
        return lambda: asked.append(threading.get_ident())

    meter = by_threads(Meter(TASK), make, 4)
    assert (len(asked), len(meter.took_s), len(set(made))) == (16, 10, 4)
    assert meter.figures()["sent"] == 16


def test_a_thread_that_fails_ends_the_task() -> None:
    """The others do not wait for it until the run times out."""

    def make() -> object:
        raise ConnectionError("no server")

    with pytest.raises((ConnectionError, threading.BrokenBarrierError)):
        by_threads(Meter(TASK), make, 4)


def test_tasks_do_the_same() -> None:
    """As many at once as are to be in flight."""
    now = most = 0

    async def ask() -> None:
        nonlocal now, most
        now += 1
        most = max(now, most)
        await asyncio.sleep(0)
        now -= 1

    meter = asyncio.run(by_tasks(Meter(TASK), ask))
    assert (len(meter.took_s), most) == (10, 4)
