"""Many requests at once: in threads, or in asyncio's tasks."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from load.meter import Meter

Ask = Callable[[], Any]


def shares(number: int, of: int) -> list[int]:
    """The number in so many nearly equal parts."""
    return [number // of + (part < number % of) for part in range(of)]


def by_threads(meter: Meter, make_ask: Callable[[], Ask], threads: int) -> Meter:
    """So many threads, each with what `make_ask` gives it."""
    task = meter.task
    warm = threading.Barrier(threads, action=meter.begin)

    def work(warm_up: int, number: int) -> None:
        ask = make_ask()
        for _ in range(warm_up):
            ask()
        warm.wait()
        for _ in range(number):
            meter.one(ask)

    with ThreadPoolExecutor(threads) as pool:
        counts = zip(shares(task.warm_up, threads), shares(task.number, threads), strict=True)
        jobs = [pool.submit(_or_abort, warm, work, *count) for count in counts]
        for job in jobs:
            job.result()
    meter.end()
    return meter


def _or_abort(barrier: threading.Barrier, work: Callable[..., None], *args: int) -> None:
    """Nobody waits for one that failed."""
    try:
        work(*args)
    except BaseException:
        barrier.abort()
        raise


async def by_tasks(meter: Meter, ask: Callable[[], Awaitable[Any]]) -> Meter:
    """As many tasks as are to be in flight."""

    async def warm_up(number: int) -> None:
        for _ in range(number):
            await ask()

    async def work(number: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(number):
            began = loop.time()
            await ask()
            meter.took_s.append(loop.time() - began)

    task = meter.task
    await _all(warm_up, shares(task.warm_up, task.in_flight))
    meter.begin()
    await _all(work, shares(task.number, task.in_flight))
    meter.end()
    return meter


async def _all(work: Callable[[int], Awaitable[None]], numbers: Sequence[int]) -> None:
    await asyncio.gather(*(work(number) for number in numbers))
