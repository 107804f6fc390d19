"""Who gets a slot: deterministic, the time is an argument."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.pool.errors import PoolClosed, PoolFull, PoolTimeout
from botod.pool.queue import STALE_MAX, SlotQueue, Waiter, WaiterState


def waiter(*, deadline: float = 100.0, since: float = 0.0) -> Waiter:
    """One who waits, and whom nobody wakes."""
    return Waiter(lambda: None, since=since, deadline=deadline)


def full_queue(size: int = 1, max_waiting: int = 10) -> SlotQueue:
    """A queue whose slots are all leased."""
    queue = SlotQueue(size=size, max_waiting=max_waiting)
    for _ in range(size):
        assert queue.acquire_nowait()
    return queue


def test_slots_are_given_until_there_are_none() -> None:
    """`size` slots can be had at once, not one more."""
    queue = SlotQueue(size=2, max_waiting=10)
    assert [queue.acquire_nowait() for _ in range(3)] == [True, True, False]
    assert repr(queue) == "<SlotQueue 2/2 leased, 0 waiting>"


def test_first_come_first_served() -> None:
    """Waiters get slots in the order in which they came."""
    queue = full_queue()
    order: list[str] = []
    for name in "abc":
        queue.join(Waiter(lambda name=name: order.append(name), since=0, deadline=100))  # type: ignore[misc]
    for _ in range(3):
        queue.release(now=1)
    assert order == ["a", "b", "c"]


def test_a_newcomer_does_not_overtake() -> None:
    """A slot that is free while somebody waits is not for who comes later."""
    queue = full_queue(size=2)
    first, second = waiter(), waiter()
    queue.join(first)
    queue.join(second)
    queue.release(now=0)
    assert not queue.acquire_nowait()
    assert (first.state, second.state) == (WaiterState.GRANTED, WaiterState.WAITING)


def test_a_granted_slot_whose_waiter_left_goes_to_the_next() -> None:
    """The hand-off is a handshake: who was granted a slot and is gone gives it to the next."""
    queue = full_queue()
    gone, next_one = waiter(), waiter()
    queue.join(gone)
    queue.join(next_one)
    queue.release(now=0)
    assert gone.state is WaiterState.GRANTED
    queue.leave(gone, now=0)
    assert next_one.state is WaiterState.GRANTED
    assert queue.stats(now=0).leased_num == 1


def test_leaving_the_queue_leaves_no_trace() -> None:
    """A waiter that gave up is passed over."""
    queue = full_queue()
    gone, stays = waiter(), waiter()
    queue.join(gone)
    queue.join(stays)
    queue.leave(gone, now=0)
    queue.release(now=0)
    assert (gone.state, stays.state) == (WaiterState.LEFT, WaiterState.GRANTED)


def test_too_many_waiters_are_refused_at_once() -> None:
    """Beyond `max_waiting` one is told PoolFull instead of waiting."""
    queue = full_queue(max_waiting=1)
    queue.join(waiter())
    with pytest.raises(PoolFull):
        queue.join(waiter())
    assert queue.stats(now=0).refused_total == 1


def test_a_deadline_refuses_the_waiter() -> None:
    """When its time has come a waiter is told PoolTimeout; those with more time stay."""
    queue = full_queue()
    patient, hasty = waiter(deadline=50), waiter(deadline=10)
    queue.join(patient)
    queue.join(hasty)
    assert queue.next_deadline() == 10
    queue.expire(now=10)
    assert isinstance(hasty.error, PoolTimeout)
    assert patient.state is WaiterState.WAITING
    assert queue.next_deadline() == 50


def test_deadlines_of_those_gone_do_not_pile_up() -> None:
    """Waiters that come and go quickly leave the list of deadlines bounded."""
    queue = full_queue()
    for _ in range(10 * STALE_MAX):
        one = waiter()
        queue.join(one)
        queue.leave(one, now=0)
    assert len(queue._deadlines) <= STALE_MAX + 2


def test_closing_refuses_everyone() -> None:
    """At the end waiters and newcomers are told PoolClosed; leased slots still come back."""
    queue = full_queue()
    one = waiter()
    queue.join(one)
    queue.close(now=0)
    assert isinstance(one.error, PoolClosed)
    with pytest.raises(PoolClosed):
        queue.acquire_nowait()
    with pytest.raises(PoolClosed):
        queue.join(waiter())
    queue.release(now=0)
    assert queue.stats(now=0).leased_num == 0


def test_the_figures_say_how_long_the_oldest_waits() -> None:
    """Stats are about now: the longest wait is that of the first in the queue."""
    queue = full_queue()
    queue.join(waiter(since=3))
    queue.join(waiter(since=8))
    stats = queue.stats(now=10)
    assert (stats.waiting_num, stats.oldest_wait_s, stats.leases_total) == (2, 7, 1)


class QueueMachine(RuleBasedStateMachine):
    """Any order of acquiring, waiting, leaving, releasing and running out of time."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SlotQueue(size=3, max_waiting=5)
        self.now = 0.0
        self.held = 0
        self.waiters: list[Waiter] = []
        self.granted: list[Waiter] = []

    def _sort_out(self) -> None:
        self.granted += [one for one in self.waiters if one.state is WaiterState.GRANTED]
        self.waiters = [one for one in self.waiters if one.state is WaiterState.WAITING]

    @rule()
    def acquire(self) -> None:
        waiting = bool(self.waiters)
        if self.queue.acquire_nowait():
            assert not waiting, "a newcomer overtook a waiter"
            self.held += 1

    @rule(patience=st.floats(0.1, 20))
    def wait(self, patience: float) -> None:
        if self.held + len(self.granted) < 3:
            return
        one = Waiter(lambda: None, since=self.now, deadline=self.now + patience)
        try:
            self.queue.join(one)
        except PoolFull:
            assert len(self.waiters) == 5
        else:
            self.waiters.append(one)

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        self.held -= 1
        first = self.waiters[0] if self.waiters else None
        self.queue.release(now=self.now)
        assert first is None or first.state is WaiterState.GRANTED, "not the first was served"
        self._sort_out()

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def leave_waiting(self, data: st.DataObject) -> None:
        self.queue.leave(self.waiters.pop(data.draw(st.integers(0, len(self.waiters) - 1))), now=0)

    @precondition(lambda self: self.granted)
    @rule()
    def leave_granted(self) -> None:
        self.queue.leave(self.granted.pop(0), now=self.now)
        self._sort_out()

    @precondition(lambda self: self.granted)
    @rule()
    def take_up_granted(self) -> None:
        self.granted.pop(0)
        self.held += 1

    @rule(step=st.floats(0, 10))
    def pass_time(self, step: float) -> None:
        self.now += step
        self.queue.expire(now=self.now)
        for one in self.waiters:
            assert (one.state is WaiterState.REFUSED) == (one.deadline <= self.now)
        self._sort_out()

    @invariant()
    def nothing_is_lost(self) -> None:
        stats = self.queue.stats(now=self.now)
        assert stats.leased_num == self.held + len(self.granted) <= 3
        assert stats.waiting_num == len(self.waiters)
        assert stats.leased_num == 3 or not self.waiters, "a slot is free and somebody waits"


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueMachine = QueueMachine.TestCase
"""After every step each slot is free, held or granted, and nobody waits beside a free one."""
