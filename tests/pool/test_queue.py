"""Who gets a slot: deterministic, the time is an argument."""

from collections.abc import Hashable
from functools import partial

import pytest

from botod.pool.errors import PoolClosed, PoolFull, PoolTimeout
from botod.pool.queue import STALE_MAX, QueueState, SlotQueue
from botod.pool.total import Total
from botod.pool.waiter import Waiter, WaiterState


def waiter(*, deadline: float = 100.0, since: float = 0.0, key: Hashable = None) -> Waiter:
    """One who waits, and whom nobody wakes."""
    return Waiter(lambda: None, since=since, deadline=deadline, key=key)


def join(queue: SlotQueue, order: list[str], name: str, key: Hashable = None) -> None:
    """Wait for a slot; being woken puts the name into `order`."""
    queue.join(Waiter(lambda: order.append(name), since=0, deadline=100, key=key))


def full_queue(
    size: int = 1, max_waiting: int = 10, max_waiting_per_key: int | None = None
) -> SlotQueue:
    """A queue whose slots are all leased."""
    queue = SlotQueue(size=size, max_waiting=max_waiting, max_waiting_per_key=max_waiting_per_key)
    for _ in range(size):
        assert queue.acquire_nowait(now=0)
    return queue


def test_slots_are_given_until_there_are_none() -> None:
    """`size` slots can be had at once, not one more."""
    queue = SlotQueue(size=2, max_waiting=10)
    assert [queue.acquire_nowait(now=0) for _ in range(3)] == [True, True, False]
    assert repr(queue) == "<SlotQueue 2/2 leased, 0 waiting>"


def test_first_come_first_served() -> None:
    """With one key waiters get slots in the order in which they came."""
    queue = full_queue()
    order: list[str] = []
    for name in "abc":
        join(queue, order, name)
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
    assert not queue.acquire_nowait(now=0)
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
    with pytest.raises(PoolFull, match="1 wait for a slot already") as full:
        queue.join(waiter())
    assert full.value.limit == "max_waiting"
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
        queue.acquire_nowait(now=0)
    with pytest.raises(PoolClosed):
        queue.join(waiter())
    queue.release(now=0)
    assert queue.stats(now=0).leased_num == 0


def test_a_thousand_delay_one_by_one_turn() -> None:
    """A key with 1,000 waiters is served once before one that comes with a single waiter."""
    queue = full_queue(max_waiting=2000)
    order: list[str] = []
    for number in range(1000):
        join(queue, order, f"many {number}", (1, "a peer"))
    join(queue, order, "one", (2, "another"))
    for _ in range(4):
        queue.release(now=1)
    assert order == ["many 0", "one", "many 1", "many 2"]


def test_a_thousand_peers_of_one_user_delay_another_user_by_one_turn() -> None:
    """The first level counts: many keys of one user are no more than one of another."""
    queue = full_queue(max_waiting=2000)
    order: list[str] = []
    for number in range(1000):
        join(queue, order, f"many {number}", (1, number))
    join(queue, order, "one", (2, "a peer"))
    queue.release(now=1)
    queue.release(now=1)
    assert order == ["many 0", "one"]


def test_a_full_queue_makes_room_for_a_key_below_its_share() -> None:
    """Who filled the queue gives up its latest waiter; with equal shares the newcomer is told."""
    queue = full_queue(max_waiting=3)
    many = [waiter(key=1) for _ in range(3)]
    for one in many:
        queue.join(one)
    queue.join(waiter(key=2))
    assert [one.state for one in many] == [WaiterState.WAITING] * 2 + [WaiterState.REFUSED]
    assert isinstance(many[2].error, PoolFull)
    for key in (1, 2):
        with pytest.raises(PoolFull, match="3 wait for a slot already"):
            queue.join(waiter(key=key))
    stats = queue.stats(now=0)
    assert (stats.waiting_num, stats.keys_waiting_num) == (3, 2)
    assert (stats.refused_total, stats.displaced_total) == (3, 1)


def test_a_priority_orders_the_waiters_of_one_first_level_only() -> None:
    """The higher goes first among its own, and not a turn sooner than another's."""
    queue = full_queue()
    order: list[str] = []
    for name, key in (
        ("calm", (1, 0, "a")),
        ("other", (2, "a")),
        ("least", (1, -10, "a")),
        ("urgent", (1, 10, "b")),
        ("other again", (2, "a")),
    ):
        join(queue, order, name, key)
    for _ in range(5):
        queue.release(now=1)
    assert order == ["urgent", "other", "calm", "other again", "least"]


def test_so_many_may_wait_with_one_key_while_others_may_wait() -> None:
    """The bound on a first level counts all its second levels and priorities, and nobody else."""
    queue = full_queue(max_waiting_per_key=2)
    queue.join(waiter(key=(1, 5, "a")))
    queue.join(waiter(key=(1, "b")))
    with pytest.raises(PoolFull, match="2 with this key wait for a slot already") as full:
        queue.join(waiter(key=(1, "b")))
    assert full.value.limit == "max_waiting_per_key"
    queue.join(waiter(key=(2, "a")))
    stats = queue.stats(now=0)
    assert (stats.waiting_num, stats.refused_total, stats.displaced_total) == (3, 1, 0)


@pytest.mark.parametrize("newcomer", [(1, 5, "a"), (1, "b")])
def test_a_key_with_as_many_as_may_wait_makes_room_for_its_own(newcomer: Hashable) -> None:
    """Its latest goes for a higher priority, and for a second level with fewer."""
    queue = full_queue(max_waiting_per_key=3)
    many = [waiter(key=(1, "a")) for _ in range(3)]
    for one in many:
        queue.join(one)
    queue.join(waiter(key=(2, "a")))
    one = waiter(key=newcomer)
    queue.join(one)
    assert one.state is WaiterState.WAITING
    assert [one.state for one in many] == [WaiterState.WAITING] * 2 + [WaiterState.REFUSED]
    assert isinstance(many[2].error, PoolFull)
    assert many[2].error.limit == "max_waiting_per_key"
    stats = queue.stats(now=0)
    assert (stats.waiting_num, stats.refused_total, stats.displaced_total) == (4, 1, 1)


def test_nobody_may_wait_with_a_key_under_a_bound_of_none() -> None:
    """Nought is a bound: a slot that is free can be had, and no other."""
    queue = SlotQueue(size=1, max_waiting=10, max_waiting_per_key=0)
    assert queue.acquire_nowait(now=0)
    with pytest.raises(PoolFull, match="0 with this key wait"):
        queue.join(waiter(key=1))


def test_a_join_that_was_not_needed_is_served_at_once() -> None:
    """Nobody waits beside a free slot, even if it did not ask for one first."""
    queue = SlotQueue(size=1, max_waiting=10)
    one = waiter()
    queue.join(one)
    assert one.state is WaiterState.GRANTED


def test_more_slots_are_handed_out_at_once() -> None:
    """Growing serves as many of those who wait as there are new slots."""
    queue = full_queue()
    waiters = [waiter() for _ in range(3)]
    for one in waiters:
        queue.join(one)
    queue.resize(3, now=1)
    assert [one.state for one in waiters] == [WaiterState.GRANTED] * 2 + [WaiterState.WAITING]


def test_fewer_slots_come_about_as_they_are_given_back() -> None:
    """Shrinking robs nobody, and nothing is granted until there is a slot below the new size."""
    queue = full_queue(size=3)
    one = waiter()
    queue.join(one)
    queue.resize(1, now=1)
    stats = queue.stats(now=1)
    assert (stats.slots_num, stats.leased_num, stats.free_num) == (1, 3, 0)
    queue.release(now=2)
    queue.release(now=2)
    assert one.state is WaiterState.WAITING
    queue.release(now=2)
    assert one.state is WaiterState.GRANTED
    with pytest.raises(AssertionError, match="would serve nobody"):
        queue.resize(0, now=3)


def test_draining_serves_those_who_wait_and_refuses_those_who_come() -> None:
    """Who waits when a drain begins gets its turn; newcomers are told what goes on."""
    queue = full_queue()
    one = waiter()
    queue.join(one)
    queue.drain()
    with pytest.raises(PoolClosed, match="the pool is draining"):
        queue.acquire_nowait(now=0)
    with pytest.raises(PoolClosed, match="the pool is draining"):
        queue.join(waiter())
    queue.release(now=1)
    assert one.state is WaiterState.GRANTED
    assert not queue.idle
    queue.release(now=1)
    assert queue.idle


def test_a_closed_queue_is_not_opened_a_bit_by_draining() -> None:
    """Closed is the end: a drain after it changes nothing."""
    queue = full_queue()
    queue.close(now=0)
    queue.drain()
    assert queue.state is QueueState.CLOSED


def polled_queue(size: int, **bounds: int) -> SlotQueue:
    """A queue whose slots for polls are all leased, by polls."""
    queue = SlotQueue(size=size, **{"max_waiting": 10} | bounds)
    while queue.acquire_nowait(now=0, is_poll=True):
        pass
    return queue


def poll(*, key: Hashable = None) -> Waiter:
    """One who waits for a slot to poll."""
    return Waiter(lambda: None, since=0, deadline=100, key=key, is_poll=True)


@pytest.mark.parametrize(("size", "polls"), [(1, 1), (2, 1), (3, 2), (4, 3), (64, 48)])
def test_polls_have_three_quarters_of_the_slots_at_most(size: int, polls: int) -> None:
    """Rounded down, and one at least: of a single slot they have all."""
    stats = polled_queue(size).stats(now=0)
    assert (stats.polls_slots_num, stats.polls_leased_num, stats.leased_num) == (polls,) * 3


def test_polls_that_wait_delay_nobody_else() -> None:
    """A slot that polls may not have is free for all else, however many of them wait."""
    queue = polled_queue(4)
    waiting = [poll() for _ in range(10)]
    for one in waiting:
        queue.join(one)
    assert queue.acquire_nowait(now=0)
    late = waiter()
    queue.join(late)
    queue.release(now=1)
    assert late.state is WaiterState.GRANTED
    assert {one.state for one in waiting} == {WaiterState.WAITING}
    queue.release(now=2, is_poll=True)
    assert [one.state for one in waiting].count(WaiterState.GRANTED) == 1


def test_a_key_s_polls_take_turns_as_a_key_of_their_own() -> None:
    """A slot that both tracks may have goes to them in turn, however much waits in one."""
    queue = SlotQueue(size=4, max_waiting=10)
    for is_poll in (True, False, False, False):
        assert queue.acquire_nowait(now=0, is_poll=is_poll)
    order: list[str] = []
    for name, is_poll in (("1", False), ("2", False), ("poll 1", True), ("poll 2", True)):
        wake = partial(order.append, name)
        queue.join(Waiter(wake, since=0, deadline=9, key=1, is_poll=is_poll))
    for _ in range(3):
        queue.release(now=1)
    assert order == ["1", "poll 1", "2"]


def test_a_crowd_of_polls_shuts_out_nobody_else() -> None:
    """The bounds on those who wait count polls apart, those of one key too."""
    queue = polled_queue(1, max_waiting=2, max_waiting_per_key=1)
    queue.join(poll(key=1))
    with pytest.raises(PoolFull, match="1 with this key wait"):
        queue.join(poll(key=1))
    queue.join(poll(key=2))
    with pytest.raises(PoolFull, match="2 wait for a slot"):
        queue.join(poll(key=3))
    queue.join(waiter(key=1))
    stats = queue.stats(now=0)
    assert (stats.waiting_num, stats.polls_waiting_num) == (3, 2)


def test_a_paused_queue_gives_nothing_and_loses_nobody() -> None:
    """Who comes waits beside free slots; on resume all go, in the order in which they came."""
    queue = SlotQueue(size=2, max_waiting=10)
    order: list[str] = []
    assert queue.acquire_nowait(now=0)
    queue.pause(now=0)
    assert not queue.acquire_nowait(now=0)
    for name in "abc":
        join(queue, order, name)
    queue.release(now=1)
    assert (order, queue.leased_num) == ([], 0)
    queue.resume(now=1)
    assert order == ["a", "b"]
    queue.release(now=2)
    assert order == ["a", "b", "c"]


def test_a_pause_is_no_part_of_the_wait() -> None:
    """Nobody's time runs out meanwhile; afterwards there is as much left as before."""
    queue = full_queue()
    early, late = waiter(deadline=10, since=0), waiter(deadline=1010, since=1000)
    queue.join(early)
    queue.pause(now=4)
    queue.pause(now=5)
    queue.join(late)
    assert queue.next_deadline() is None
    queue.expire(now=2000)
    assert (early.state, late.state) == (WaiterState.WAITING, WaiterState.WAITING)
    queue.resume(now=2000)
    queue.resume(now=3000)
    assert (early.deadline, late.deadline) == (2006, 2010)
    assert queue.next_deadline() == 2006
    queue.expire(now=2006)
    assert (early.state, late.state) == (WaiterState.REFUSED, WaiterState.WAITING)


def test_a_paused_queue_keeps_no_permit_from_others() -> None:
    """Of a total that is scarce the others have all, though somebody waits here."""
    total = Total(1)
    paused, other = (SlotQueue(size=1, max_waiting=10, total=total) for _ in range(2))
    assert other.acquire_nowait(now=0)
    order: list[str] = []
    join(paused, order, "here")
    paused.pause(now=0)
    join(other, order, "there")
    other.release(now=1)
    assert order == ["there"]
    other.release(now=2)
    assert (order, total.stats().leased_num) == (["there"], 0)
    paused.resume(now=3)
    assert order == ["there", "here"]


def test_a_paused_queue_can_be_closed() -> None:
    """Those who wait are told at once."""
    queue = SlotQueue(size=1, max_waiting=10)
    queue.pause(now=0)
    one = waiter()
    queue.join(one)
    queue.close(now=1)
    assert isinstance(one.error, PoolClosed)
    assert queue.idle
