"""The figures of a queue, on a clock that is an argument."""

from botod.pool.queue import SlotQueue
from botod.pool.queue_stats import QueueStats, Tally
from botod.pool.waiter import Waiter


def waiter(*, deadline: float = 100.0, since: float = 0.0, is_poll: bool = False) -> Waiter:
    """One who waits, and whom nobody wakes."""
    return Waiter(lambda: None, since=since, deadline=deadline, is_poll=is_poll)


def full_queue(size: int = 1) -> SlotQueue:
    """A queue whose slots are all leased."""
    queue = SlotQueue(size=size, max_waiting=10)
    for _ in range(size):
        assert queue.acquire_nowait(now=0)
    return queue


def test_the_figures_say_how_long_the_oldest_waits() -> None:
    """Stats are about now: the longest wait is that of the first in the queue."""
    queue = full_queue()
    queue.join(waiter(since=3))
    queue.join(waiter(since=8))
    stats = queue.stats(now=10)
    assert (stats.waiting_num, stats.oldest_wait_s, stats.leases_total) == (2, 7, 1)


def test_polls_that_wait_for_each_other_are_not_the_oldest() -> None:
    """There may be more of them than slots for them, all day long; an alert looks at the rest."""
    queue = full_queue()
    queue.join(waiter(since=1, is_poll=True))
    assert queue.stats(now=10).oldest_wait_s == 0
    queue.join(waiter(since=4))
    assert queue.stats(now=10).oldest_wait_s == 6


def test_the_figures_tell_waits_holds_and_how_they_ended() -> None:
    """Two slots over ten seconds; one granted after 3 s, one gave up after 4, one ran late at 6."""
    queue = full_queue(size=2)
    served, gone, late = waiter(), waiter(), waiter(deadline=6)
    for one in (served, gone, late):
        queue.join(one)
    queue.release(now=3)
    queue.leave(gone, now=4)
    queue.expire(now=6)
    queue.release(now=6)
    assert queue.stats(now=10) == QueueStats(
        slots_num=2,
        leased_num=1,
        free_num=1,
        waiting_num=0,
        keys_waiting_num=0,
        polls_slots_num=1,
        polls_leased_num=0,
        polls_waiting_num=0,
        oldest_wait_s=0.0,
        longest_wait_s=6,
        leases_total=3,
        waits_total=3,
        waited_s_total=3 + 4 + 6,
        held_s_total=6 * 2 + 4 * 1,
        timeouts_total=1,
        refused_total=0,
        displaced_total=0,
        cancelled_total=1,
    )


def test_the_longest_wait_stays_the_longest() -> None:
    """A shorter one after it adds to the sum only."""
    tally = Tally()
    for wait_s in (1, 3, 2):
        tally.waited(wait_s)
    assert (tally.longest_wait_s, tally.waited_s_total) == (3, 6)
