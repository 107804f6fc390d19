"""Who gets the next slot of a host, and who waited too long. No I/O; the time is an argument.

A slot is a permit for one transfer. Handing one over is a handshake: the queue grants it and wakes
the waiter, and a waiter that no longer wants it by then gives it back by `leave`, as it would have
left the queue. A slot is free, leased or granted, and each of these has one way on: none is lost.

After every step: nobody waits while a slot and a permit of the total are free. So whoever finds
both free overtakes nobody, and whoever does not waits its turn, as `fairness` has it; which queue's
turn it is where the total is what is missing, `total` says.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum
from itertools import count

from botod.pool.errors import PoolClosed, PoolError, PoolFull, PoolTimeout
from botod.pool.fairness import Path, Ring, path_of, two_level_ring
from botod.pool.queue_stats import QueueStats, Tally
from botod.pool.total import Total

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
    since: the time at which it began to wait.
    deadline: the time at which it has waited long enough.
    key: for whom; the queue is fair between keys. A pair is (first level, second level), a triple
        (first level, priority, second level): see `fairness`.
    """

    __slots__ = ("deadline", "error", "path", "since", "state", "wake")

    def __init__(
        self, wake: Callable[[], None], *, since: float, deadline: float, key: Hashable = None
    ) -> None:
        self.wake = wake
        self.since = since
        self.deadline = deadline
        self.path = path_of(key)
        self.state = WaiterState.NEW
        self.error: PoolError | None = None

    def __repr__(self) -> str:
        return (
            f"<Waiter {self.state.value} path={self.path} since={self.since} "
            f"deadline={self.deadline}>"
        )


class QueueState(Enum):
    """Whom a queue serves: everyone, those it has, nobody."""

    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


class SlotQueue:
    """The slots of one host, and those who wait for one.

    size: how many slots there are.
    max_waiting: how many may wait.
    max_waiting_per_key: how many may wait under one first level; None: as many as all.
    total: the bound that this queue shares with others.
    """

    def __init__(
        self,
        *,
        size: int,
        max_waiting: int,
        max_waiting_per_key: int | None = None,
        total: Total | None = None,
        state: QueueState = QueueState.OPEN,
    ) -> None:
        assert size > 0, "a queue without slots would serve nobody"
        self.size = size
        self.max_waiting = max_waiting
        self.max_waiting_per_key = max_waiting_per_key
        self.state = state
        self._total = total or Total()
        self._leased = 0
        self._waiting: OrderedDict[Waiter, None] = OrderedDict()  # as they came
        self._turns: Ring[Waiter] = two_level_ring()  # as they are served
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._tickets = count()
        self._tally = Tally()

    def __repr__(self) -> str:
        return f"<SlotQueue {self._leased}/{self.size} leased, {len(self._waiting)} waiting>"

    @property
    def idle(self) -> bool:
        """Whether nobody has or waits for a slot."""
        return self._leased == 0 and not self._waiting

    def acquire_nowait(self, *, now: float) -> bool:
        """Take a slot if one is free, and then nobody waits for it. False: join the queue."""
        self._check_open()
        if self._leased >= self.size or not self._total.spare():
            return False
        self._take(now)
        return True

    def join(self, waiter: Waiter) -> None:
        """Wait for a turn. Raises PoolFull when too many wait already, in all or with its key.

        One key could fill the queue and shut everyone else out. So a newcomer to a full queue is
        refused only if its key has its share; else the latest of the key with most waiting is. So
        it is inside one first level that waits in as many as it may: for a second level with fewer,
        and for a higher priority, one of its own makes room.
        """
        assert waiter.state is WaiterState.NEW, f"{waiter} joins twice"
        self._check_open()
        self._make_room(waiter)
        waiter.state = WaiterState.WAITING
        self._waiting[waiter] = None
        self._turns.push(waiter.path, waiter)
        self._total.joined(waiter.path)
        if len(self._deadlines) > 2 * len(self._waiting) + STALE_MAX:
            self._deadlines = [entry for entry in self._deadlines if entry[2] in self._waiting]
            heapq.heapify(self._deadlines)
        heapq.heappush(self._deadlines, (waiter.deadline, next(self._tickets), waiter))
        self._tally.waits_total += 1
        self._hand_out(waiter.since)

    def leave(self, waiter: Waiter, *, now: float) -> None:
        """Give up waiting, or give back what was granted meanwhile."""
        state, waiter.state = waiter.state, WaiterState.LEFT
        if state is WaiterState.WAITING:
            self._tally.cancelled_total += 1
            self._forget(waiter, now)
            self._claim()
        elif state is WaiterState.GRANTED:
            self._tally.cancelled_total += 1
            self.release(now=now)

    def release(self, *, now: float) -> None:
        """Give a slot back: to whose turn it is, else to the free ones."""
        assert self._leased > 0, "a slot came back that was not leased"
        self._count_leased(-1, now)
        self._total.give_back()
        self._hand_out(now)

    def resize(self, size: int, *, now: float) -> None:
        """Have more slots, which are handed out now, or fewer: what is leased runs out."""
        assert size > 0, "a queue without slots would serve nobody"
        self.size = size
        self._hand_out(now)

    def expire(self, *, now: float) -> None:
        """Refuse those whose deadline has passed."""
        while (due := self.next_deadline()) is not None and due <= now:
            waiter = heapq.heappop(self._deadlines)[2]
            self._tally.timeouts_total += 1
            waited_s = now - waiter.since
            self._refuse(waiter, PoolTimeout(f"no slot became free in {waited_s:.1f} s"), now)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do next; None if nobody waits."""
        while self._deadlines and self._deadlines[0][2].state is not WaiterState.WAITING:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def drain(self) -> None:
        """Refuse everyone who comes; serve those who wait."""
        if self.state is QueueState.OPEN:
            self.state = QueueState.DRAINING

    def close(self, *, now: float) -> None:
        """Refuse everyone who waits, and everyone who comes. Leased slots still come back."""
        self.state = QueueState.CLOSED
        for waiter in list(self._waiting):
            self._refuse(waiter, PoolClosed("the pool was closed"), now)

    def next_up(self) -> tuple[Path, float]:
        """Whose turn it is: the path of its key, and since when it waits. The total asks this."""
        waiter = self._turns.first()
        return waiter.path, waiter.since

    def defer(self, path: Path) -> None:
        """Count a turn that the key at `path` had in another queue under the total."""
        self._turns.defer(path)

    def serve_next(self, *, now: float) -> None:
        """Grant a slot to whose turn it is. The total calls this, when it has a permit."""
        waiter = self._turns.pop()
        self._no_longer_waits(waiter, now)
        self._take(now)
        self._claim()
        waiter.state = WaiterState.GRANTED
        waiter.wake()

    def stats(self, *, now: float) -> QueueStats:
        oldest = next(iter(self._waiting), None)
        tally = self._tally
        tally.held(self._leased, until=now)
        return QueueStats(
            slots_num=self.size,
            leased_num=self._leased,
            free_num=max(0, self.size - self._leased),
            waiting_num=len(self._waiting),
            keys_waiting_num=self._turns.lines_num(),
            oldest_wait_s=0.0 if oldest is None else now - oldest.since,
            longest_wait_s=tally.longest_wait_s,
            leases_total=tally.leases_total,
            waits_total=tally.waits_total,
            waited_s_total=tally.waited_s_total,
            held_s_total=tally.held_s_total,
            timeouts_total=tally.timeouts_total,
            refused_total=tally.refused_total,
            displaced_total=tally.displaced_total,
            cancelled_total=tally.cancelled_total,
        )

    def _check_open(self) -> None:
        if self.state is not QueueState.OPEN:
            raise PoolClosed(f"the pool is {self.state.value}")

    def _make_room(self, waiter: Waiter) -> None:
        """Have one more wait within the bounds. Raises PoolFull if nobody waits who should go."""
        per_key = self.max_waiting_per_key
        if per_key is not None and self._turns.waiting_num(waiter.path) >= per_key:
            words, limit = f"{per_key} with this key wait for a slot", "max_waiting_per_key"
        elif len(self._waiting) >= self.max_waiting:
            words, limit = f"{self.max_waiting} wait for a slot", "max_waiting"
        else:
            return
        self._tally.refused_total += 1
        # Of a key that has as many as it may no other has more: only its own make room for it.
        displaced = self._turns.crowded_out_by(waiter.path)
        if displaced is None:
            raise PoolFull(f"{words} already", limit=limit)
        self._tally.displaced_total += 1
        error = PoolFull(f"{words}; this one made room for another", limit=limit)
        self._refuse(displaced, error, waiter.since)

    def _take(self, now: float) -> None:
        self._count_leased(1, now)
        self._tally.leases_total += 1
        self._total.take()

    def _count_leased(self, step: int, now: float) -> None:
        self._tally.held(self._leased, until=now)
        self._leased += step

    def _claim(self) -> None:
        self._total.claim(self, claims=bool(self._waiting) and self._leased < self.size)

    def _hand_out(self, now: float) -> None:
        self._claim()
        self._total.hand_out(now=now)

    def _refuse(self, waiter: Waiter, error: PoolError, now: float) -> None:
        self._forget(waiter, now)
        self._claim()
        waiter.state = WaiterState.REFUSED
        waiter.error = error
        waiter.wake()

    def _forget(self, waiter: Waiter, now: float) -> None:
        self._turns.remove(waiter.path, waiter)
        self._no_longer_waits(waiter, now)

    def _no_longer_waits(self, waiter: Waiter, now: float) -> None:
        del self._waiting[waiter]
        self._total.left(waiter.path)
        self._tally.waited(now - waiter.since)
