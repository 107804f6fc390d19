"""What is counted of visits, and when one is named in the log."""

import asyncio
import sys
import time
from types import FrameType

import pytest

from botod.pool import spawn, wait
from botod.pool.visits import Visits


def test_the_histogram_puts_each_visit_in_its_bucket() -> None:
    """A visit counts in the first bucket whose bound it does not exceed."""
    visits = Visits()
    for wall_s in (0.00005, 0.0001, 0.0005, 0.005, 0.05):
        visits.record("job", wall_s, wall_s / 2, None)
    stats = visits.stats()
    assert stats.buckets_num == (2, 1, 1, 1, 0)
    assert (stats.visits_num, stats.over_10ms_num, stats.over_100ms_num) == (5, 1, 0)
    assert (stats.longest_s, stats.longest_cpu_s) == (0.05, 0.025)


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
    Visits().record("job", 1.0, 1.0, scope["inner"]())  # type: ignore[operator]
    assert "in inner (/lib/boto/connection.py:" in caplog.text
