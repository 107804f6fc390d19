"""Many deadlines under one timer, on a clock of the test's own."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from botod.pool.deadlines import EMPTY_MAX, STEP_S, Deadlines


class Timer:
    """One that the loop was asked for."""

    def __init__(self, due: float, call: Callable[[], object]) -> None:
        self.due = due
        self.call = call
        self.is_over = False

    def cancel(self) -> None:
        self.is_over = True


class Clock:
    """What a loop has of time; it goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []
        self.set_total = 0

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, call: Callable[..., None], *args: int, context: object) -> Timer:
        assert context is not None, "it would keep the context of whoever set it"
        self.timers.append(Timer(due, partial(call, *args)))
        self.set_total += 1
        return self.timers[-1]

    def ahead(self) -> list[Timer]:
        """Those that are still to come."""
        return [timer for timer in self.timers if not timer.is_over]

    def go_to(self, now: float) -> None:
        """Let time pass; timers come when they are due."""
        while timers := [timer for timer in self.ahead() if timer.due <= now]:
            first = min(timers, key=lambda timer: timer.due)
            self.now = max(self.now, first.due)
            first.is_over = True
            first.call()
        self.now = now


class Job:
    """Has a deadline, and notes when it was told of it."""

    def __init__(self, clock: Clock, deadlines: Deadlines, deadline: float) -> None:
        self.deadline = deadline
        self.expired_at = math.inf
        self._clock = clock
        self.standing = deadlines.at(deadline)
        self.standing.add(self)

    def expire(self) -> None:
        assert self.expired_at == math.inf, "told twice"
        self.expired_at = self._clock.now


def begun() -> tuple[Clock, Deadlines]:
    """A clock, and deadlines on it."""
    clock = Clock()
    return clock, Deadlines(cast("Any", clock))


@given(st.lists(st.floats(-1, 100), min_size=1, max_size=30))
def test_each_is_told_never_early_and_at_most_a_step_late(after: list[float]) -> None:
    """In whatever order they come; one that is over already is told in the next step."""
    clock, deadlines = begun()
    jobs = [Job(clock, deadlines, clock.now + seconds) for seconds in after]
    clock.go_to(clock.now + 101)
    for job in jobs:
        latest = max(job.deadline, 1000.0) + STEP_S
        assert job.deadline <= job.expired_at <= latest + 1e-9
    assert not clock.ahead()


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=30))
def test_who_has_left_is_told_nothing(given_out: list[tuple[float, bool]]) -> None:
    """Whoever stands in the same step, or before it."""
    clock, deadlines = begun()
    jobs = [(Job(clock, deadlines, clock.now + after), leaves) for after, leaves in given_out]
    for job, leaves in jobs:
        if leaves:
            job.standing.discard(job)
    clock.go_to(clock.now + 11)
    assert [job.expired_at == math.inf for job, _ in jobs] == [leaves for _, leaves in jobs]


def test_there_is_one_timer() -> None:
    """Set again for an earlier deadline only, and off once nobody is left."""
    clock, deadlines = begun()
    jobs = [Job(clock, deadlines, clock.now + after) for after in (5, 6, 7, 4)]
    assert (clock.set_total, len(clock.ahead())) == (2, 1)
    for job in jobs:
        job.standing.discard(job)
    clock.go_to(clock.now + 4 + STEP_S)
    assert not clock.ahead()


def test_little_is_kept_of_those_who_left() -> None:
    """Of thousands with deadlines far apart, and far away."""
    clock, deadlines = begun()
    stays = Job(clock, deadlines, clock.now + 9999.5)
    for number in range(10_000):
        job = Job(clock, deadlines, clock.now + 10_000 - number)
        job.standing.discard(job)
        assert len(deadlines._steps) <= 2 + EMPTY_MAX
        assert len(deadlines._order) <= 2 + EMPTY_MAX
    clock.go_to(clock.now + 10_001)
    assert stays.expired_at < math.inf
