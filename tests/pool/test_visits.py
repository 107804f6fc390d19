"""What is counted of visits, and when one is named in the log."""

import asyncio
import logging
import math
import sys
import threading
import time
from types import FrameType, SimpleNamespace
from typing import cast

import pytest

from botod.pool import sleep, spawn, wait, watched_visits
from botod.pool.spawned import Spawned
from botod.pool.visits import CPU_STALE_S, OTHERS, VISITS, Visits, Watchdog, clock
from support.loops import BOUND_S


def visit(visits: Visits, wall_s: float, name: str = "job") -> None:
    """Have one visit, of so long."""
    thread = visits.begin(name)
    thread.began = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botod.pool.visits.clock", lambda: wall_s)
        visits.end(thread, cast("Spawned[None]", SimpleNamespace(frame=None)))


def test_the_histogram_puts_each_visit_in_its_bucket() -> None:
    """A visit counts in the first bucket whose bound it does not exceed."""
    visits = Visits()
    for wall_s in (0.00005, 0.0001, 0.0005, 0.005, 0.05):
        visit(visits, wall_s)
    stats = visits.stats()
    assert stats.buckets_num == (2, 1, 1, 1, 0)
    assert (stats.visits_num, stats.over_10ms_num, stats.over_100ms_num) == (5, 1, 0)
    assert stats.longest_s == 0.05


def spin(seconds: float) -> float:
    """Use CPU for so long; how much it was."""
    began = time.thread_time()
    while (used_s := time.thread_time() - began) < seconds:
        pass
    return used_s


def test_the_longest_visit_by_cpu_is_never_told_too_low() -> None:
    """Of visits of which most are not asked what they used, and too high by a millisecond at most.

    One that waits takes time, and uses none.
    """

    def works() -> float:
        used_s = 0.0
        for seconds in (0.0001, 0.004, 0.0002, 0.008, 0.002):
            wait(asyncio.sleep(0))
            used_s = max(used_s, spin(seconds))
        wait(asyncio.sleep(0))
        time.sleep(0.05)
        return used_s

    async def scenario() -> float:
        return await spawn(works)

    visits = Visits()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botod.pool.spawned.VISITS", visits)
        used_s = asyncio.run(scenario())
    stats = visits.stats()
    assert used_s <= stats.longest_cpu_s <= used_s + CPU_STALE_S + 0.005
    assert stats.longest_s >= 0.05


def test_a_long_visit_is_named_with_the_frame_it_ended_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A function that keeps the loop for long is logged with its name and where it parked."""

    def blocks() -> None:
        time.sleep(0.12)  # the mistake that the log line is about
        wait(asyncio.sleep(0))

    async def scenario() -> None:
        await spawn(blocks)

    asyncio.run(scenario())
    assert "blocks kept the loop" in caplog.text
    assert "Spawned.park" in caplog.text


def test_the_frame_of_boto_is_preferred(caplog: pytest.LogCaptureFixture) -> None:
    """Where boto stands on the stack, its innermost frame is the one that is named."""

    def frame() -> FrameType:
        return sys._getframe()

    scope: dict[str, FrameType] = {"frame": frame}  # type: ignore[dict-item]
    exec(compile("def inner():\n    return frame()\n", "/lib/boto/connection.py", "exec"), scope)
    Visits().note_long("job", 1.0, 1.0, scope["inner"]())  # type: ignore[operator]
    assert "in inner (/lib/boto/connection.py:" in caplog.text


def test_visits_are_counted_by_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name has figures of its own, up to a bound; then they share one."""
    monkeypatch.setattr("botod.pool.visits.NAMES_MAX", 2)
    visits = Visits()
    for name, wall_s in (("a", 0.005), ("b", 0.05), ("a", 0.2), ("c", 0.001), ("d", 0.001)):
        visit(visits, wall_s, name)
    stats = visits.stats()
    assert set(stats.by_name) == {"a", "b", OTHERS}
    assert stats.by_name["a"].visits_num == 2
    assert (stats.by_name["a"].over_10ms_num, stats.by_name["a"].over_100ms_num) == (1, 1)
    assert (stats.by_name["b"].longest_s, stats.by_name[OTHERS].visits_num) == (0.05, 2)
    assert (stats.visits_num, stats.longest_s) == (5, 0.2)


def test_without_visits_everything_is_nought() -> None:
    """Figures can be asked for before anything ran."""
    stats = Visits().stats()
    assert (stats.visits_num, stats.longest_s, stats.buckets_num) == (0, 0.0, (0, 0, 0, 0, 0))


@pytest.mark.parametrize("rests", [False, True])
def test_the_watchdog_shows_a_visit_while_it_lasts(
    caplog: pytest.LogCaptureFixture, *, rests: bool
) -> None:
    """A function that blocks is named with its stack before it has ended; and once.

    Also after there was nothing to do, for which the watchdog rests.
    """
    told = threading.Event()
    handler = logging.Handler()
    handler.emit = lambda record: told.set()  # type: ignore[method-assign]
    logging.getLogger("botod.pool.visits").addHandler(handler)

    def blocks() -> bool:
        return told.wait(BOUND_S)  # blocks the loop until the watchdog has spoken

    async def scenario() -> None:
        with watched_visits(0.01):
            async with asyncio.timeout(BOUND_S):
                while rests and VISITS.awaited is None:
                    await asyncio.sleep(0.001)
            assert await spawn(blocks), "the watchdog said nothing"

    try:
        asyncio.run(scenario())
    finally:
        logging.getLogger("botod.pool.visits").removeHandler(handler)
    lasting = [
        record.getMessage() for record in caplog.records if "and lasts" in record.getMessage()
    ]
    assert len(lasting) == 1
    assert "blocks has kept the loop" in lasting[0]
    assert "return told.wait(BOUND_S)" in lasting[0]
    assert "kept the loop for" in caplog.records[-1].getMessage()


def test_the_watchdog_rests_only_once_there_was_no_visit() -> None:
    """A loop with jobs wakes it once, and not each time it looks while none of them runs."""
    visits = Visits(warn_over_s=math.inf)
    watchdog, before = Watchdog(visits), clock()
    assert watchdog._is_quiet(before)
    thread = visits.begin("job")
    assert not watchdog._is_quiet(math.inf)
    visits.end(thread, cast("Spawned[None]", SimpleNamespace(frame=None)))
    assert not watchdog._is_quiet(before)
    assert watchdog._is_quiet(clock())


def test_the_watchdog_is_quiet_about_short_visits(caplog: pytest.LogCaptureFixture) -> None:
    """Waiting is no visit, however long it takes."""

    async def scenario() -> None:
        with watched_visits(5.0):
            await asyncio.gather(*(spawn(sleep, 0.01) for _ in range(10)))

    asyncio.run(scenario())
    assert caplog.records == []
    assert "visits-watchdog" not in {thread.name for thread in threading.enumerate()}
