"""What is remembered of visits that kept the loop for too long."""

import asyncio
import re
import sys
import time
from pathlib import Path

import pytest

from botod.pool import slow_visits, spawn, wait, watched_visits
from botod.pool.slow_visits import SLOW_KEPT, STACK_FRAMES
from botod.pool.visits import Visits


def secret_keeping(secret: str) -> None:
    """Keep the loop for long, with a secret at hand."""
    assert secret
    time.sleep(0.1)  # the mistake that is remembered


def test_the_last_slow_visits_are_remembered_with_their_stacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By the name of the code where each was, so that no value is ever told; so many at most."""

    async def scenario() -> None:
        with watched_visits(0.01):
            for _ in range(SLOW_KEPT + 2):
                await spawn(secret_keeping, "sesame")

    with pytest.MonkeyPatch.context() as patch:
        visits = Visits()
        patch.setattr("botod.pool.spawned.VISITS", visits)
        patch.setattr("botod.pool.visits.VISITS", visits)
        began = time.time()
        asyncio.run(scenario())
        slow = slow_visits()
    assert len(slow) == SLOW_KEPT
    times = [visit.at_s for visit in slow]
    assert times == sorted(times)
    assert began < times[0] <= times[-1] <= time.time()
    last = slow[-1]
    assert last.name == "secret_keeping"
    assert last.wall_s > 0.1 > last.cpu_s
    file, line, function = re.split("[: ]", last.stack[-1])
    assert (file, function) == ("pool/test_slow_visits.py", "secret_keeping")
    assert "time.sleep(0.1)" in Path(__file__).read_text().splitlines()[int(line) - 1]
    assert len(last.stack) > 1
    assert "sesame" not in str(slow)
    caplog.clear()


def test_where_it_parked_is_where_it_was_called_from(caplog: pytest.LogCaptureFixture) -> None:
    """Not the place in which all park."""

    def works() -> None:
        time.sleep(0.01)
        wait(asyncio.sleep(0))

    async def scenario() -> None:
        await spawn(works)

    with pytest.MonkeyPatch.context() as patch:
        visits = Visits(warn_over_s=0.005)
        patch.setattr("botod.pool.spawned.VISITS", visits)
        asyncio.run(scenario())
    assert visits.slow[0].stack[-1].endswith(f".{works.__name__}")
    caplog.clear()


def test_one_that_ended_unseen_has_the_place_where_it_ended() -> None:
    """The watchdog looks now and then, and told nothing of the one before."""
    visits = Visits(warn_over_s=0.0)
    visits.note_long("job", 1.0, 0.5, sys._getframe())
    (slow,) = visits.slow
    assert (slow.wall_s, slow.cpu_s) == (1.0, 0.5)
    assert slow.stack[-1].endswith(" test_one_that_ended_unseen_has_the_place_where_it_ended")
    assert len(slow.stack) <= STACK_FRAMES
