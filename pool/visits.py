"""How long greenlets keep the loop.

A visit is one stretch of a greenlet between two parks: time in which the loop serves nobody else.
Wall time is what others lose, CPU time what the visit itself used; on a busy machine they differ.

A visit over the bound is logged when it ends, and the last few are remembered. `Watchdog`, a
thread, logs it also while it lasts, with the stack: one that never ends would else never be told.
"""

import contextlib
import logging
import math
import sys
import threading
import time
import traceback
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any

from botod.pool.slow_visits import SLOW_KEPT, STACK_FRAMES, SlowVisit, places

if TYPE_CHECKING:
    from botod.pool.spawned import Spawned

logger = logging.getLogger(__name__)

BOUNDS_S = (0.0001, 0.001, 0.010, 0.100)
"""Upper bounds of the histogram's buckets; one more bucket holds what is longer."""

WARN_OVER_S = 0.100
"""A visit longer than this is logged: it delayed every other job by as much."""

NAMES_MAX = 256
"""Names that are counted apart; those that come later are counted together, under OTHERS."""

OTHERS = "…"

CPU_STALE_S = 0.001
"""A reading of the CPU clock, which is a system call of half a microsecond, serves the beginnings
of all visits for so long. What a visit used is therefore told too high by as much, at most."""

clock = time.perf_counter
cpu_clock = time.thread_time


@dataclass(frozen=True)
class NamedVisits:
    """What the visits of one job or function took."""

    visits_num: int
    total_s: float
    longest_s: float
    over_10ms_num: int
    over_100ms_num: int
    buckets_num: tuple[int, ...]


@dataclass(frozen=True)
class VisitStats:
    """What all visits of this process took so far.

    `buckets_num[i]` counts visits of at most `BOUNDS_S[i]` seconds, the last one the longer ones.
    longest_cpu_s: too high by `CPU_STALE_S` at most, never too low.
    by_name: the same by what ran.
    """

    visits_num: int
    total_s: float
    longest_s: float
    longest_cpu_s: float
    over_10ms_num: int
    over_100ms_num: int
    buckets_num: tuple[int, ...]
    by_name: Mapping[str, NamedVisits]


class _Count:
    """The visits of one name."""

    __slots__ = ("buckets", "longest_s", "total_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0
        self.longest_s = 0.0

    def stats(self) -> NamedVisits:
        return NamedVisits(
            visits_num=sum(self.buckets),
            total_s=self.total_s,
            longest_s=self.longest_s,
            over_10ms_num=sum(self.buckets[-2:]),
            over_100ms_num=self.buckets[-1],
            buckets_num=tuple(self.buckets),
        )


class VisitingThread:
    """A thread that has a loop, and its latest visit.

    lasts: whether it is under way. cpu_s: what the thread had used at `cpu_read`. seen: when a
    visit began that the watchdog saw, and in which stack.
    """

    __slots__ = ("began", "cpu_read", "cpu_s", "lasts", "name", "seen")

    def __init__(self) -> None:
        self.name = ""
        self.seen: tuple[float, tuple[str, ...]] = (-math.inf, ())
        self.lasts = False
        self.began = self.cpu_read = self.cpu_s = -math.inf


class Visits:
    """Counts visits; knows which one is under way in each thread that has a loop.

    warn_over_s: a longer one is logged. awaited: set once the next visit begins; None: nobody waits
    for it.
    """

    def __init__(self, *, warn_over_s: float = WARN_OVER_S) -> None:
        self.warn_over_s = warn_over_s
        self.awaited: threading.Event | None = None
        self.threads: dict[int, VisitingThread] = {}
        self.slow: deque[SlowVisit] = deque(maxlen=SLOW_KEPT)
        self._counts: dict[str, _Count] = {}
        self._longest_cpu_s = 0.0

    def begin(self, name: str) -> VisitingThread:
        """A visit of `name` begins in this thread; `end` wants what this returns."""
        thread = self.threads.get(get_ident()) or self._new_thread()
        thread.name, thread.began, thread.lasts = name, clock(), True
        if thread.began - thread.cpu_read > CPU_STALE_S:
            thread.cpu_read, thread.cpu_s = thread.began, cpu_clock()
        awaited = self.awaited
        if awaited is not None:
            self.awaited = None
            awaited.set()
        return thread

    def end(self, thread: VisitingThread, visited: "Spawned[Any]") -> None:
        """Count the visit of `visited` that was under way.

        No visit used more CPU than it took time: one too short for it is not asked what it used.
        """
        assert thread.lasts, "a visit ends that did not begin"
        wall_s = clock() - thread.began
        thread.lasts = False
        if wall_s > self._longest_cpu_s or wall_s > self.warn_over_s:
            cpu_s = min(wall_s, cpu_clock() - thread.cpu_s)
            seen = thread.seen[1] if thread.seen[0] == thread.began else ()
            self.note_long(thread.name, wall_s, cpu_s, visited.frame, seen)
        count = self._counts.get(thread.name) or self._new_count(thread.name)
        count.buckets[bisect_left(BOUNDS_S, wall_s)] += 1
        count.total_s += wall_s
        if wall_s > count.longest_s:  # noqa: PLR1730 - max() takes as long as the rest: 0.2 us
            count.longest_s = wall_s

    def note_long(
        self,
        name: str,
        wall_s: float,
        cpu_s: float,
        frame: FrameType | None,
        seen: tuple[str, ...] = (),
    ) -> None:
        """Take what a long visit used, remember it and log it.

        It ended at `frame`, or with its function. seen: the stack in which the watchdog saw it.
        """
        self._longest_cpu_s = max(self._longest_cpu_s, cpu_s)
        if wall_s > self.warn_over_s:
            stack = seen or tuple(places(frame))
            self.slow.append(SlowVisit(time.time(), name, wall_s, cpu_s, stack))
            logger.warning(
                "a visit of %s kept the loop for %.0f ms (%.0f ms of CPU); it ended %s",
                name, wall_s * 1000, cpu_s * 1000, _where(frame),
            )  # fmt: skip

    def stats(self) -> VisitStats:
        by_name = {name: count.stats() for name, count in self._counts.items()}
        counts = self._counts.values()
        buckets = tuple(
            sum(count.buckets[index] for count in counts) for index in range(len(BOUNDS_S) + 1)
        )
        return VisitStats(
            visits_num=sum(buckets),
            total_s=sum(named.total_s for named in by_name.values()),
            longest_s=max((named.longest_s for named in by_name.values()), default=0.0),
            longest_cpu_s=self._longest_cpu_s,
            over_10ms_num=sum(buckets[-2:]),
            over_100ms_num=buckets[-1],
            buckets_num=buckets,
            by_name=by_name,
        )

    def _new_thread(self) -> VisitingThread:
        return self.threads.setdefault(get_ident(), VisitingThread())

    def _new_count(self, name: str) -> _Count:
        if len(self._counts) >= NAMES_MAX:
            name = OTHERS
        return self._counts.setdefault(name, _Count())


VISITS = Visits()
"""Those of this process, in all its threads."""


class Watchdog:
    """A thread that logs a visit over the bound while it lasts, once, with its stack.

    It rests while there is no visit: a process that has nothing to do is to use no CPU.
    """

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._told: tuple[int, float] | None = None
        self._watchdog = threading.Thread(target=self._watch, name="visits-watchdog", daemon=True)

    def start(self) -> None:
        self._watchdog.start()

    def stop(self) -> None:
        """End the thread; returns once it has ended."""
        self._stop.set()
        self._begun.set()
        self._watchdog.join()

    def _watch(self) -> None:
        looked = clock()
        # Half the bound, so that a visit of one and a half of it is surely seen.
        while not self._stop.wait(self._visits.warn_over_s / 2):
            before, looked = looked, clock()
            for ident, thread in list(self._visits.threads.items()):
                self._look(ident, thread)
            if self._is_quiet(before):
                self._rest(before)

    def _rest(self, since: float) -> None:
        """Wait for a visit, or for the end."""
        self._begun.clear()
        self._visits.awaited = self._begun
        # One that began before it could know of us, or an end that was asked for: look again.
        if self._is_quiet(since) and not self._stop.is_set():
            self._begun.wait()

    def _is_quiet(self, since: float) -> bool:
        """Whether no visit lasts or has begun since: a loop with jobs is not asked to wake us."""
        threads = list(self._visits.threads.values())
        return not any(thread.lasts or thread.began >= since for thread in threads)

    def _look(self, ident: int, thread: VisitingThread) -> None:
        if not thread.lasts:  # asked first: a visit that begins now has a beginning by then
            return
        name, began = thread.name, thread.began
        lasts_s = clock() - began
        if lasts_s <= self._visits.warn_over_s or self._told == (ident, began):
            return
        frame = sys._current_frames().get(ident)  # noqa: SLF001 - there is no other way to see it
        if frame is None:
            return
        self._told = ident, began
        thread.seen = began, tuple(places(frame))
        stack = "".join(traceback.format_stack(frame)[-STACK_FRAMES:])
        logger.warning(
            "a visit of %s has kept the loop for %.0f ms and lasts; it is %s\n%s",
            name, lasts_s * 1000, _where(frame), stack,
        )  # fmt: skip


def slow_visits() -> list[SlowVisit]:
    """The last visits of this process that were over the bound, the latest last."""
    return list(VISITS.slow)


def visit_stats() -> VisitStats:
    """What the visits of this process took so far."""
    return VISITS.stats()


@contextlib.contextmanager
def watched_visits(bound_s: float = WARN_OVER_S) -> Iterator[None]:
    """Inside the block, log visits of more than `bound_s` seconds, with their stack as they last.

    Blocking the loop for longer is a mistake of whatever the log names. Blocks do not nest.
    """
    VISITS.warn_over_s = bound_s
    watchdog = Watchdog(VISITS)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()
        VISITS.warn_over_s = WARN_OVER_S


def _where(frame: FrameType | None) -> str:
    """Name the boto frame a greenlet is in, or its innermost one."""
    if frame is None:
        return "with the function's return"
    innermost = frame
    while frame is not None and "/boto/" not in frame.f_code.co_filename:
        frame = frame.f_back
    chosen = frame or innermost
    return f"in {chosen.f_code.co_qualname} ({chosen.f_code.co_filename}:{chosen.f_lineno})"
