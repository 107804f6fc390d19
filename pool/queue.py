"""Who gets the next slot of a host, and who waited too long. No I/O; the time is an argument.

A slot is a permit for one transfer. Handing one over is a handshake: the queue grants it and wakes
the waiter, and a waiter that no longer wants it by then gives it back by `leave`, as it would have
left the queue. A slot is free, leased or granted, and each of these has one way on: none is lost.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import count

from botod.pool.errors import PoolClosed, PoolError, PoolFull, PoolTimeout

STALE_MAX = 64
"""Entries of waiters long gone that the heap of deadlines may hold beside as many as wait."""


class WaiterState(Enum):
    """How far a waiter has come."""

    NEW = "new"
    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    LEFT = "left"


class Waiter:
    """One who waits for a slot.

    wake: called once when the wait is over, by grant or by refusal; must not run the queue again.
    deadline: the time at which it has waited long enough.
    since: the time at which it began to wait.
    """

    __slots__ = ("deadline", "error", "since", "state", "wake")

    def __init__(self, wake: Callable[[], None], *, since: float, deadline: float) -> None:
        self.wake = wake
        self.since = since
        self.deadline = deadline
        self.state = WaiterState.NEW
        self.error: PoolError | None = None

    def __repr__(self) -> str:
        return f"<Waiter {self.state.value} since={self.since} deadline={self.deadline}>"


@dataclass(frozen=True)
class QueueStats:
    """The figures of one queue. Slots and waiters are counts now, `*_total` since the start."""

    slots_num: int
    leased_num: int
    waiting_num: int
    oldest_wait_s: float
    leases_total: int
    waits_total: int
    waited_s_total: float
    timeouts_total: int
    refused_total: int


class SlotQueue:
    """The slots of one host, and those who wait for one, first come first served.

    size: how many slots there are.
    max_waiting: how many may wait; one more is refused at once.
    """

    def __init__(self, *, size: int, max_waiting: int) -> None:
        assert size > 0, "a queue without slots would serve nobody"
        self.size = size
        self.max_waiting = max_waiting
        self._leased = 0
        self._closed = False
        self._waiting: dict[Waiter, None] = {}
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._tickets = count()
        self._leases_total = 0
        self._waits_total = 0
        self._waited_s_total = 0.0
        self._timeouts_total = 0
        self._refused_total = 0

    def __repr__(self) -> str:
        return f"<SlotQueue {self._leased}/{self.size} leased, {len(self._waiting)} waiting>"

    def acquire_nowait(self) -> bool:
        """Take a slot if one is free, and then nobody waits for it. False: join the queue."""
        if self._closed:
            raise PoolClosed("the pool is closed")
        if self._leased >= self.size:
            return False
        self._leased += 1
        self._leases_total += 1
        return True

    def join(self, waiter: Waiter) -> None:
        """Wait behind everyone else. Raises PoolFull when too many wait already."""
        assert waiter.state is WaiterState.NEW, f"{waiter} joins twice"
        if self._closed:
            raise PoolClosed("the pool is closed")
        if len(self._waiting) >= self.max_waiting:
            self._refused_total += 1
            raise PoolFull(f"{self.max_waiting} wait for a slot already")
        waiter.state = WaiterState.WAITING
        self._waiting[waiter] = None
        if len(self._deadlines) > 2 * len(self._waiting) + STALE_MAX:
            self._deadlines = [entry for entry in self._deadlines if entry[2] in self._waiting]
            heapq.heapify(self._deadlines)
        heapq.heappush(self._deadlines, (waiter.deadline, next(self._tickets), waiter))
        self._waits_total += 1

    def leave(self, waiter: Waiter, *, now: float) -> None:
        """Give up waiting, or give back what was granted meanwhile."""
        state, waiter.state = waiter.state, WaiterState.LEFT
        if state is WaiterState.WAITING:
            self._forget(waiter, now)
        elif state is WaiterState.GRANTED:
            self.release(now=now)

    def release(self, *, now: float) -> None:
        """Give a slot back: to the first who waits, else to the free ones."""
        assert self._leased > 0, "a slot came back that was not leased"
        self._leased -= 1
        while self._waiting and self._leased < self.size:
            self._grant(next(iter(self._waiting)), now)

    def expire(self, *, now: float) -> None:
        """Refuse those whose deadline has passed."""
        while (due := self.next_deadline()) is not None and due <= now:
            waiter = heapq.heappop(self._deadlines)[2]
            self._timeouts_total += 1
            waited_s = now - waiter.since
            self._refuse(waiter, PoolTimeout(f"no slot became free in {waited_s:.1f} s"), now)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do next; None if nobody waits."""
        while self._deadlines and self._deadlines[0][2].state is not WaiterState.WAITING:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def close(self, *, now: float) -> None:
        """Refuse everyone who waits, and everyone who comes. Leased slots still come back."""
        self._closed = True
        for waiter in list(self._waiting):
            self._refuse(waiter, PoolClosed("the pool was closed"), now)

    def stats(self, *, now: float) -> QueueStats:
        oldest = next(iter(self._waiting), None)
        return QueueStats(
            slots_num=self.size,
            leased_num=self._leased,
            waiting_num=len(self._waiting),
            oldest_wait_s=0.0 if oldest is None else now - oldest.since,
            leases_total=self._leases_total,
            waits_total=self._waits_total,
            waited_s_total=self._waited_s_total,
            timeouts_total=self._timeouts_total,
            refused_total=self._refused_total,
        )

    def _grant(self, waiter: Waiter, now: float) -> None:
        self._forget(waiter, now)
        waiter.state = WaiterState.GRANTED
        self._leased += 1
        self._leases_total += 1
        waiter.wake()

    def _refuse(self, waiter: Waiter, error: PoolError, now: float) -> None:
        self._forget(waiter, now)
        waiter.state = WaiterState.REFUSED
        waiter.error = error
        waiter.wake()

    def _forget(self, waiter: Waiter, now: float) -> None:
        del self._waiting[waiter]
        self._waited_s_total += now - waiter.since
