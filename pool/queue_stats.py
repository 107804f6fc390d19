"""The figures of a slot queue, and what has to be counted for them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QueueStats:
    """The figures of one queue. `*_num` are counts now, `*_total` since the start.

    leased_num: more than `slots_num` while a queue made smaller has not come down to it yet.
    free_num: slots of this host; the pool's total may be used up all the same.
    polls_slots_num: how many slots long polls may have at once; `polls_leased_num` and
        `polls_waiting_num` are those of `leased_num` and `waiting_num` that are polls.
    oldest_wait_s: of the first that waits now, polls aside: more of those than there are slots for
        wait by design, and nobody minds.
    longest_wait_s: of those waits that are over.
    held_s_total: how long slots were leased, all together; the share of its growth in
        `slots_num` times the time that passed is the utilisation.
    refused_total: told PoolFull; of these `displaced_total` had been waiting.
    cancelled_total: gave up themselves while they waited, or just after they were granted a slot.
    """

    slots_num: int
    leased_num: int
    free_num: int
    waiting_num: int
    keys_waiting_num: int
    polls_slots_num: int
    polls_leased_num: int
    polls_waiting_num: int
    oldest_wait_s: float
    longest_wait_s: float
    leases_total: int
    waits_total: int
    waited_s_total: float
    held_s_total: float
    timeouts_total: int
    refused_total: int
    displaced_total: int
    cancelled_total: int


@dataclass(slots=True)
class Tally:
    """What came about in a queue since its start: those of `QueueStats` that only grow.

    held_s: the times at which slots were given back, less those at which they were leased, all
    added up; `held_s_total` looks at those, too, that are leased now.
    """

    longest_wait_s: float = 0.0
    leases_total: int = 0
    waits_total: int = 0
    waited_s_total: float = 0.0
    held_s: float = 0.0
    timeouts_total: int = 0
    refused_total: int = 0
    displaced_total: int = 0
    cancelled_total: int = 0

    def waited(self, wait_s: float) -> None:
        """A wait is over, however it ended."""
        self.waited_s_total += wait_s
        self.longest_wait_s = max(self.longest_wait_s, wait_s)

    def held_s_total(self, leased_num: int, *, now: float) -> float:
        """How long slots were leased until now, of which so many are."""
        return self.held_s + leased_num * now
