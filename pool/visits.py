"""How long greenlets keep the loop.

A visit is one stretch of a greenlet between two parks: time in which the loop serves nobody else.
Wall time is what others lose, CPU time what the visit itself used; on a busy machine they differ.
"""

import logging
import time
from bisect import bisect_left
from dataclasses import dataclass
from types import FrameType

logger = logging.getLogger(__name__)

BOUNDS_S = (0.0001, 0.001, 0.010, 0.100)
"""Upper bounds of the histogram's buckets; one more bucket holds what is longer."""

WARN_OVER_S = 0.100
"""A visit longer than this is logged: it delayed every other job by as much."""


@dataclass(frozen=True)
class VisitStats:
    """What all visits of this process took so far.

    `buckets_num[i]` counts visits of at most `BOUNDS_S[i]` seconds, the last one the longer ones.
    """

    visits_num: int
    total_s: float
    longest_s: float
    longest_cpu_s: float
    over_10ms_num: int
    over_100ms_num: int
    buckets_num: tuple[int, ...]


class Visits:
    """Counts visits. One loop a process, so one instance a process."""

    def __init__(self) -> None:
        self._total_s = 0.0
        self._longest_s = 0.0
        self._longest_cpu_s = 0.0
        self._buckets = [0] * (len(BOUNDS_S) + 1)

    def record(self, name: str, wall_s: float, cpu_s: float, frame: FrameType | None) -> None:
        """Count one visit of `name`, which ended at `frame` (None: the greenlet is done)."""
        self._total_s += wall_s
        self._longest_s = max(self._longest_s, wall_s)
        self._longest_cpu_s = max(self._longest_cpu_s, cpu_s)
        self._buckets[bisect_left(BOUNDS_S, wall_s)] += 1
        if wall_s > WARN_OVER_S:
            logger.warning(
                "a visit of %s kept the loop for %.0f ms (%.0f ms of CPU); it ended %s",
                name, wall_s * 1000, cpu_s * 1000, _where(frame),
            )  # fmt: skip

    def stats(self) -> VisitStats:
        buckets = tuple(self._buckets)
        return VisitStats(
            visits_num=sum(buckets),
            total_s=self._total_s,
            longest_s=self._longest_s,
            longest_cpu_s=self._longest_cpu_s,
            over_10ms_num=sum(buckets[-2:]),
            over_100ms_num=buckets[-1],
            buckets_num=buckets,
        )


def _where(frame: FrameType | None) -> str:
    """Name the boto frame a greenlet is parked in, or its innermost one."""
    if frame is None:
        return "with the function's return"
    innermost = frame
    while frame is not None and "/boto/" not in frame.f_code.co_filename:
        frame = frame.f_back
    chosen = frame or innermost
    return f"in {chosen.f_code.co_qualname} ({chosen.f_code.co_filename}:{chosen.f_lineno})"


clock = time.perf_counter
cpu_clock = time.thread_time
