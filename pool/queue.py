"""Who gets the next slot of a host, and who waited too long. No I/O; the time is an argument.

A slot is a permit for one transfer. Handing one over is a handshake: the queue grants it and wakes
the waiter, and a waiter that no longer wants it by then gives it back by `leave`, as it would have
left the queue. A slot is free, leased or granted, and each of these has one way on: none is lost.

After every step: nobody waits while a slot and a permit of the total are free for it, unless the
queue is paused. So whoever finds both free overtakes nobody, and whoever does not waits its turn,
as `fairness` has it. Long polls may have a share of the slots only: see `tracks`. Which queue's
turn it is where the total is what is missing, `total` says; where nobody waits it is not asked.
"""

import heapq
from collections import OrderedDict
from enum import Enum
from itertools import count

from botod.pool.errors import PoolClosed, PoolError, PoolFull, PoolTimeout
from botod.pool.fairness import Path
from botod.pool.queue_stats import QueueStats, Tally
from botod.pool.total import Total
from botod.pool.tracks import Permits, Tracks, polls_max
from botod.pool.waiter import Waiter, WaiterState

STALE_MAX = 64
"""Entries of waiters long gone that the heap of deadlines may hold beside as many as wait."""


class QueueState(Enum):
    """Whom a queue serves: everyone, those it has, nobody."""

    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


class SlotQueue:
    """The slots of one host, and those who wait for one.

    size: how many slots there are.
    max_waiting: how many may wait; polls are counted apart, so that a crowd of them shuts out
        nobody else.
    max_waiting_per_key: how many may wait under one first level, polls apart; None: as many as all.
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
        self.max_waiting = max_waiting
        self.max_waiting_per_key = max_waiting_per_key
        self.state = state
        self._total = total or Total()
        self._permits = Permits(size, within=self._total.permits)
        self._waiting: OrderedDict[Waiter, None] = OrderedDict()  # as they came
        self._tracks: Tracks[Waiter] = Tracks()  # as they are served
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._tickets = count()
        self._paused_at: float | None = None
        self._tally = Tally()

    def __repr__(self) -> str:
        leased_num, waiting_num = self._permits.leased_num, len(self._waiting)
        return f"<SlotQueue {leased_num}/{self.size} leased, {waiting_num} waiting>"

    @property
    def size(self) -> int:
        """How many slots there are."""
        assert self._permits.size is not None, "a host has so many slots"
        return self._permits.size

    @property
    def idle(self) -> bool:
        """Whether nobody has or waits for a slot."""
        return self._permits.leased_num == 0 and not self._waiting

    @property
    def leased_num(self) -> int:
        """How many slots somebody has."""
        return self._permits.leased_num

    def acquire_nowait(self, *, now: float, is_poll: bool = False) -> bool:
        """Take a slot if one is free, and then nobody waits for it. False: join the queue."""
        if self.state is not QueueState.OPEN:
            raise self._closed()
        if not self._is_free(is_poll):
            return False
        self._take(now, is_poll=is_poll)
        if self._waiting:  # polls, for which there may be no slot now
            self._claim()
        return True

    def join(self, waiter: Waiter) -> None:
        """Wait for a turn. Raises PoolFull when too many wait already, in all or with its key.

        One key could fill the queue and shut everyone else out. So a newcomer to a full queue is
        refused only if its key has its share; else the latest of the key with most waiting is. So
        it is inside one first level that waits in as many as it may: for a second level with fewer,
        and for a higher priority, one of its own makes room.
        """
        assert waiter.state is WaiterState.NEW, f"{waiter} joins twice"
        if self.state is not QueueState.OPEN:
            raise self._closed()
        self._make_room(waiter)
        waiter.state = WaiterState.WAITING
        self._waiting[waiter] = None
        self._tracks.push(waiter)
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
            self.release(now=now, is_poll=waiter.is_poll)

    def release(self, *, now: float, is_poll: bool = False) -> None:
        """Give a slot back: to whose turn it is, else to the free ones."""
        self._tally.held_s += now
        self._permits.give_back(is_poll=is_poll)
        self._hand_out(now)

    def resize(self, size: int, *, now: float) -> None:
        """Have more slots, which are handed out now, or fewer: what is leased runs out."""
        self._permits.resize(size)
        self._hand_out(now)

    def pause(self, *, now: float) -> None:
        """Give nobody a slot until `resume`; who comes waits. What is leased stays so.

        The time does not count: nobody's wait runs out meanwhile.
        """
        if self._paused_at is None:
            self._paused_at = now
            self._claim()

    def resume(self, *, now: float) -> None:
        """Give slots again, to those who wait in their turn."""
        if self._paused_at is None:
            return
        for waiter in self._waiting:
            waiter.deadline += now - max(self._paused_at, waiter.since)
        self._paused_at = None
        self._deadlines = [(one.deadline, next(self._tickets), one) for one in self._waiting]
        heapq.heapify(self._deadlines)
        self._hand_out(now)

    def expire(self, *, now: float) -> None:
        """Refuse those whose deadline has passed."""
        while (due := self.next_deadline()) is not None and due <= now:
            waiter = heapq.heappop(self._deadlines)[2]
            self._tally.timeouts_total += 1
            waited_s = now - waiter.since
            self._refuse(waiter, PoolTimeout(f"no slot became free in {waited_s:.1f} s"), now)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do next; None if nobody waits, or it is paused."""
        if self._paused_at is not None:
            return None
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

    def next_up(self) -> tuple[Path, float] | None:
        """Whose turn it is: the path of its key, and since when it waits. The total asks this.

        None: who waits here could have a slot, but not a permit of the total.
        """
        waiter = self._next()
        return None if waiter is None else (waiter.path, waiter.since)

    def defer(self, path: Path) -> None:
        """Count a turn that the key at `path` had in another queue under the total."""
        self._tracks.defer(path)

    def serve_next(self, *, now: float) -> None:
        """Grant a slot to whose turn it is. The total calls this, when it has a permit."""
        waiter = self._next()
        assert waiter is not None, "nobody here could have what the total has"
        self._tracks.pop(waiter)
        self._no_longer_waits(waiter, now)
        self._take(now, is_poll=waiter.is_poll)
        self._claim()
        waiter.state = WaiterState.GRANTED
        waiter.wake()

    def stats(self, *, now: float) -> QueueStats:
        oldest = next((waiter for waiter in self._waiting if not waiter.is_poll), None)
        tally, permits = self._tally, self._permits
        return QueueStats(
            slots_num=self.size,
            leased_num=permits.leased_num,
            free_num=max(0, self.size - permits.leased_num),
            waiting_num=len(self._waiting),
            keys_waiting_num=self._tracks.lines_num(),
            polls_slots_num=polls_max(self.size),
            polls_leased_num=permits.polls_leased_num,
            polls_waiting_num=len(self._tracks.ring(is_poll=True)),
            oldest_wait_s=0.0 if oldest is None else now - oldest.since,
            longest_wait_s=tally.longest_wait_s,
            leases_total=tally.leases_total,
            waits_total=tally.waits_total,
            waited_s_total=tally.waited_s_total,
            held_s_total=tally.held_s_total(permits.leased_num, now=now),
            timeouts_total=tally.timeouts_total,
            refused_total=tally.refused_total,
            displaced_total=tally.displaced_total,
            cancelled_total=tally.cancelled_total,
        )

    def _closed(self) -> PoolClosed:
        return PoolClosed(f"the pool is {self.state.value}")

    def _make_room(self, waiter: Waiter) -> None:
        """Have one more wait within the bounds. Raises PoolFull if nobody waits who should go."""
        track = self._tracks.ring(is_poll=waiter.is_poll)
        per_key = self.max_waiting_per_key
        if per_key is not None and track.waiting_num(waiter.path) >= per_key:
            words, limit = f"{per_key} with this key wait for a slot", "max_waiting_per_key"
        elif len(track) >= self.max_waiting:
            words, limit = f"{self.max_waiting} wait for a slot", "max_waiting"
        else:
            return
        self._tally.refused_total += 1
        # Of a key that has as many as it may no other has more: only its own make room for it.
        displaced = track.crowded_out_by(waiter.path)
        if displaced is None:
            raise PoolFull(f"{words} already", limit=limit)
        self._tally.displaced_total += 1
        error = PoolFull(f"{words}; this one made room for another", limit=limit)
        self._refuse(displaced, error, waiter.since)

    def _is_open(self, is_poll: bool) -> bool:  # noqa: FBT001 - as `tracks` asks it
        """Whether there is a slot for one of a track, as far as this host goes."""
        return self._paused_at is None and self._permits.spare(is_poll=is_poll)

    def _is_free(self, is_poll: bool) -> bool:  # noqa: FBT001 - likewise
        """Whether there is a slot and a permit of the total for one of a track."""
        return self._is_open(is_poll) and self._total.permits.spare(is_poll=is_poll)

    def _next(self) -> Waiter | None:
        """Whose turn it is, of those for whom the total has a permit."""
        return self._tracks.first(self._is_free)

    def _take(self, now: float, *, is_poll: bool) -> None:
        self._tally.held_s -= now
        self._permits.take(is_poll=is_poll)
        self._tally.leases_total += 1

    def _claim(self) -> None:
        self._total.claim(self, claims=self._tracks.any_in_open(self._is_open))

    def _hand_out(self, now: float) -> None:
        if self._waiting:  # else no claim stands
            self._claim()
        self._total.hand_out(now=now)

    def _refuse(self, waiter: Waiter, error: PoolError, now: float) -> None:
        self._forget(waiter, now)
        self._claim()
        waiter.state = WaiterState.REFUSED
        waiter.error = error
        waiter.wake()

    def _forget(self, waiter: Waiter, now: float) -> None:
        self._tracks.remove(waiter)
        self._no_longer_waits(waiter, now)

    def _no_longer_waits(self, waiter: Waiter, now: float) -> None:
        del self._waiting[waiter]
        self._total.left(waiter.path)
        self._tally.waited(now - waiter.since)
