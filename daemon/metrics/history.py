"""What was done in the last minutes, a few numbers each 5 seconds, so that a page shows it at once.

Each worker keeps its own, cut at the same seconds of the clock, so that those of all add up and
nobody is asked for it meanwhile. It outlives a change of the leader, not of the worker.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from botod.daemon.metrics.histogram import by_bound
from botod.daemon.metrics.job_figures import JobFigures

STEP_S = 5
EARLY_S = 0.01
"""That a timer may come before its time; then it is not set for the rest of it once more."""

SAMPLES_MAX = 180
"""15 minutes: who is woken looks at what came before. 40 KB at most."""


class History:
    """Notes what `figures` gained, each STEP_S. clock: seconds since the epoch."""

    def __init__(self, figures: JobFigures, clock: Callable[[], float] = time.time) -> None:
        self._figures = figures
        self._clock = clock
        self._before = figures.totals()
        self._samples: deque[dict[str, Any]] = deque(maxlen=SAMPLES_MAX)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Needs the running loop."""
        wait_s = STEP_S - (self._clock() + EARLY_S) % STEP_S + EARLY_S
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def plain(self) -> list[dict[str, Any]]:
        """The samples, the oldest first. at_s: the end of its interval.

        Those of intervals in which nothing ended are left out.
        """
        return [dict(sample) for sample in self._samples if sample["jobs_num"]]

    def sample(self) -> None:
        """Note what was done since the last time: under 0.2 ms."""
        before, now = self._before, self._figures.totals()
        self._before = now
        took = [more - less for more, less in zip(now.took, before.took, strict=True)]
        self._samples.append({
            "at_s": round(self._clock() / STEP_S) * STEP_S,  # a timer may come a little early
            "jobs_num": now.jobs - before.jobs,
            "failed_num": now.failed - before.failed,
            "took_s": round(now.took_s - before.took_s, 6),
            "took_by_s": by_bound(took),
        })

    def _tick(self) -> None:
        self.sample()
        self.start()
