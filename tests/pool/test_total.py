"""One bound over many queues: permits are passed on in turn, and none is lost."""

from collections.abc import Hashable

import pytest

from botod.pool.queue import SlotQueue
from botod.pool.total import Total, TotalStats
from botod.pool.waiter import Waiter, WaiterState


def queues(total: Total, sizes: tuple[int, ...], waiting_num: int = 3) -> list[SlotQueue]:
    """Queues under `total`; the first leases all permits, then `waiting_num` wait in each."""
    made = [SlotQueue(size=size, max_waiting=10, total=total) for size in sizes]
    while made[0].acquire_nowait(now=0):
        pass
    for queue in made:
        for _ in range(waiting_num):
            queue.join(Waiter(lambda: None, since=0, deadline=100))
    return made


def join(queue: SlotQueue, order: list[str], name: str, key: Hashable, since: float = 0) -> None:
    """Wait for a slot; being woken puts the name into `order`."""
    queue.join(Waiter(lambda: order.append(name), since=since, deadline=100, key=key))


def used_up(hosts: int) -> tuple[Total, list[SlotQueue]]:
    """A total of one, used up elsewhere, and queues with slots enough."""
    total = Total(1)
    assert SlotQueue(size=1, max_waiting=0, total=total).acquire_nowait(now=0)
    return total, [SlotQueue(size=50, max_waiting=100, total=total) for _ in range(hosts)]


def leased(made: list[SlotQueue]) -> list[int]:
    """How many slots of each are leased."""
    return [queue.stats(now=0).leased_num for queue in made]


def test_all_queues_together_have_no_more_than_the_total() -> None:
    """A slot of its own helps a queue nothing while the others have all permits."""
    total = Total(2)
    first, second = (SlotQueue(size=2, max_waiting=10, total=total) for _ in range(2))
    assert first.acquire_nowait(now=0)
    assert second.acquire_nowait(now=0)
    assert not second.acquire_nowait(now=0)
    assert not first.acquire_nowait(now=0)
    assert repr(total) == "<Total 2/2 leased, 0 claiming>"


def test_permits_go_from_queue_to_queue_in_turn() -> None:
    """With one key, and waits as long, the queues share them evenly."""
    total = Total(6)
    made = queues(total, (6, 6, 6))
    order = []
    for _ in range(6):
        before = leased(made)
        made[0].release(now=1)
        before[0] -= 1
        order.append([now - then for now, then in zip(leased(made), before, strict=True)].index(1))
    assert order == [1, 2, 0, 1, 2, 0]


def test_a_thousand_at_fifty_hosts_delay_one_by_one_turn() -> None:
    """However many hosts a key waits at: it is served once before one with a single waiter."""
    total, made = used_up(hosts=50)
    order: list[str] = []
    for number in range(1000):
        join(made[number % 50], order, f"many {number}", (1, "a peer"))
    join(made[49], order, "one", (2, "another"))
    total.resize(1 + 3, now=1)
    assert order == ["many 0", "one", "many 1"]


def test_peers_of_one_user_take_turns_over_all_hosts() -> None:
    """The second level too: a peer at two hosts has no more turns than one at a third."""
    total, made = used_up(hosts=3)
    order: list[str] = []
    for number in range(4):
        join(made[number % 2], order, f"many {number}", (1, "a"))
    join(made[2], order, "one", (1, "b"))
    join(made[2], order, "other", (2, "c"))
    total.resize(1 + 4, now=1)
    assert order == ["many 0", "other", "one", "many 1"]


def test_a_priority_orders_one_user_s_waiters_over_all_hosts() -> None:
    """Before the turns of its peers, and without a turn more than another user has."""
    total, made = used_up(hosts=3)
    order: list[str] = []
    join(made[0], order, "low", (1, -1, "a"))
    join(made[1], order, "plain", (1, "a"))
    join(made[2], order, "high", (1, 5, "a"))
    join(made[0], order, "other", (2, "c"))
    join(made[1], order, "high too", (1, 5, "b"))
    total.resize(1 + 5, now=1)
    assert order == ["high", "other", "high too", "plain", "low"]


def test_with_one_key_the_first_come_is_the_first_served_over_all_hosts() -> None:
    """A turn of a key goes to the one of its waiters that has waited longest."""
    total, made = used_up(hosts=3)
    order: list[str] = []
    for since, number in enumerate((2, 0, 1, 2, 0)):
        join(made[number], order, f"{since}", (1, "a"), since=since)
    total.resize(1 + 5, now=5)
    assert order == ["0", "1", "2", "3", "4"]


def test_a_turn_elsewhere_does_not_count_while_a_host_s_own_slots_are_what_is_scarce() -> None:
    """A key that is busy at a quick host is not shut out of a slow one by a key that is not."""
    total = Total(2)
    slow, quick = (SlotQueue(size=1, max_waiting=100, total=total) for _ in range(2))
    order: list[str] = []
    for queue in (slow, quick):
        assert queue.acquire_nowait(now=0)
    for number in range(50):
        join(quick, [], f"{number}", (1, "busy"))
    for _ in range(2):
        join(slow, order, "busy", (1, "busy"))
        join(slow, order, "calm", (2, "calm"))
    for _ in range(4):
        for _ in range(5):
            quick.release(now=1)
        slow.release(now=1)
    assert order == ["busy", "calm", "busy", "calm"]


def test_a_queue_whose_slots_are_all_leased_is_passed_over() -> None:
    """A permit goes where it can be used: not to a queue that lacks slots of its own."""
    total = Total(3)
    made = queues(total, (3, 1, 1))
    for _ in range(3):
        made[0].release(now=1)
    assert leased(made) == [1, 1, 1]
    assert total.stats() == TotalStats(3, leased_num=3, polls_leased_num=0, claiming_num=1)


def test_a_queue_in_which_nobody_waits_any_more_claims_nothing() -> None:
    """A permit is not offered to a queue whose waiters gave up; the next one gets it."""
    total = Total(1)
    first, second, third = (SlotQueue(size=1, max_waiting=10, total=total) for _ in range(3))
    assert first.acquire_nowait(now=0)
    gone, stays = (Waiter(lambda: None, since=0, deadline=100) for _ in range(2))
    second.join(gone)
    third.join(stays)
    second.leave(gone, now=1)
    first.release(now=2)
    assert stays.state is WaiterState.GRANTED
    assert total.stats().claiming_num == 0


def test_a_granted_permit_whose_waiter_left_goes_to_another_queue() -> None:
    """The handshake holds across queues: what one does not take up the next one gets."""
    total = Total(1)
    made = queues(total, (1, 1, 1), waiting_num=0)
    gone, next_one = (Waiter(lambda: None, since=0, deadline=100) for _ in range(2))
    made[1].join(gone)
    made[2].join(next_one)
    made[0].release(now=1)
    assert gone.state is WaiterState.GRANTED
    made[1].leave(gone, now=1)
    assert next_one.state is WaiterState.GRANTED


def test_a_larger_total_is_handed_out_at_once_and_a_smaller_one_comes_about() -> None:
    """Growing serves in turn; shrinking takes nothing from anybody, but passes on nothing."""
    total = Total(2)
    made = queues(total, (4, 4))
    total.resize(4, now=1)
    assert leased(made) == [3, 1]
    total.resize(2, now=1)
    assert leased(made) == [3, 1]
    made[0].release(now=2)
    made[0].release(now=2)
    assert leased(made) == [1, 1]
    made[0].release(now=2)
    assert sum(leased(made)) == 2
    total.resize(None, now=3)
    assert leased(made) == [2, 3]
    assert not any(queue.stats(now=3).waiting_num for queue in made)


@pytest.mark.parametrize("size", [0, -1])
def test_a_total_of_nothing_is_refused(size: int) -> None:
    """Nobody would ever be served."""
    with pytest.raises(AssertionError, match="would serve nobody"):
        Total(size)
    with pytest.raises(AssertionError, match="would serve nobody"):
        Total().resize(size, now=0)


def test_polls_at_many_hosts_leave_a_quarter_of_the_total() -> None:
    """Each host's own share would together be all of it; who polls there waits, nobody else."""
    total = Total(4)
    first, second = (SlotQueue(size=4, max_waiting=10, total=total) for _ in range(2))
    for queue in (first, second, second):
        assert queue.acquire_nowait(now=0, is_poll=True)
    assert not first.acquire_nowait(now=0, is_poll=True)
    polls = [Waiter(lambda: None, since=0, deadline=100, is_poll=True) for _ in range(2)]
    first.join(polls[0])
    second.join(polls[1])
    assert first.acquire_nowait(now=0)
    late = Waiter(lambda: None, since=0, deadline=100)
    second.join(late)
    first.release(now=1)
    assert late.state is WaiterState.GRANTED
    assert total.stats() == TotalStats(4, leased_num=4, polls_leased_num=3, claiming_num=2)
    second.release(now=2, is_poll=True)
    assert [one.state for one in polls] == [WaiterState.GRANTED, WaiterState.WAITING]
