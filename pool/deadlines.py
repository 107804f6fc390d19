"""The deadlines of what one loop runs, under one timer.

Nearly everything ends long before its deadline. A timer of the loop's for each would be made and
taken back: 4 us of asyncio's, one of uvloop's. So deadlines are rounded up to steps; who has one
stands in the set of its step while it lasts, and the timer is set for the first step of all. What
is done for each is to enter a set and to leave it.
"""

import asyncio
import heapq
from contextvars import Context
from typing import Protocol

STEP_S = 0.01
"""A deadline is told late by so much at most, and no earlier than the loop's timers go off: little
beside what any request takes, and with a hundred steps a second there is hardly ever a new one."""

EMPTY_MAX = 64
"""Steps kept that nobody stands in any more, beside as many as somebody does."""


class Expiring(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """The deadline has passed. Called by the loop."""


class Deadlines:
    """Those of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._steps: dict[int, set[Expiring]] = {}
        self._order: list[int] = []  # the same steps, as a heap
        self._kept_max = EMPTY_MAX
        self._timer: asyncio.TimerHandle | None = None

    def at(self, deadline: float) -> set[Expiring]:
        """The set to stand in until the deadline, in seconds of the loop's clock; enter it now.

        Who stands in it by then expires. Leave it by `discard`.
        """
        step = int(deadline / STEP_S) + 1
        standing = self._steps.get(step)
        return self._new(step) if standing is None else standing

    def _new(self, step: int) -> set[Expiring]:
        if len(self._steps) >= self._kept_max:
            self._steps = {one: standing for one, standing in self._steps.items() if standing}
            self._order = sorted(self._steps)
            self._kept_max = 2 * len(self._steps) + EMPTY_MAX
        standing = self._steps[step] = set()
        heapq.heappush(self._order, step)
        if self._order[0] == step:
            self._arm()
        return standing

    def _arm(self) -> None:
        """Have the timer tell when the first step is over."""
        if self._timer is not None:
            self._timer.cancel()
        step = self._order[0]
        # In nobody's context, which would be kept until then.
        self._timer = self.loop.call_at(step * STEP_S, self._on_timer, step, context=Context())

    def _on_timer(self, step: int) -> None:
        """Step `step` is over, by the loop's word, and whatever else is by its clock."""
        self._timer = None
        over = max(step, int(self.loop.time() / STEP_S))
        while self._order and (self._order[0] <= over or not self._steps[self._order[0]]):
            for one in self._steps.pop(heapq.heappop(self._order)):
                one.expire()
        if self._order:
            self._arm()
