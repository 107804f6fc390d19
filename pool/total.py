"""One bound over the slots of many queues, and which of them is next when it is reached.

Permits are counted here, and nobody waits here: a queue takes a slot of its own and a permit of
the total in one step, or neither. So nobody holds the one while it waits for the other, and two
queues cannot block each other.

A queue claims while somebody waits in it for whom a slot of its own is free: then the total is all
that is missing. Of those whose turn it is in such queues, a permit goes to the one whose first
level goes longest without a turn at any host; inside one first level to the highest priority, then
to whose key goes longest without a turn, then to who waits longest. That turn counts in each queue
that claims: there, too, the key goes to the back. So however many wait with one key, at however
many hosts, they delay another key whose queue claims by one turn.

In a queue that does not claim it does not count. What is scarce there is the host's own slots, and
a key that is busy elsewhere keeps its place among those who wait for these.

Long polls have the same share of the permits at most as of a host's slots (see `tracks`): several
hosts' polls together would have all of them else. A queue in which only they wait is passed over
while they have it.

A permit handed out costs two looks at each queue that claims, however many wait in them: 5 µs for
one, as always without a bound, some 60 µs for fifty, 2 ms for a thousand.
"""

from dataclasses import dataclass
from typing import Protocol

from botod.pool.fairness import Path, Turns
from botod.pool.tracks import Permits


class Claimant(Protocol):
    """A queue, as the total sees it."""

    def next_up(self) -> tuple[Path, float] | None:
        """Whose turn it is: the path of its key, and since when it waits.

        None: of those for whom a permit is spare nobody could have a slot.
        """

    def serve_next(self, *, now: float) -> None:
        """Grant a slot to whose turn it is, and claim again if that leaves cause to."""

    def defer(self, path: Path) -> None:
        """Count a turn that the key at `path` had in another queue."""


@dataclass(frozen=True)
class TotalStats:
    """The bound over all queues; None: there is none. `claiming_num`: queues kept back by it."""

    slots_num: int | None
    leased_num: int
    polls_leased_num: int
    claiming_num: int


class Total:
    """The permits of all queues, and who lacks one.

    size: how many slots may be leased in all queues together; None: no bound.
    permits: each slot of a queue takes one of these; `hand_out` passes on what came back.
    """

    def __init__(self, size: int | None = None) -> None:
        self.permits = Permits(size)
        self._claiming: dict[Claimant, None] = {}
        self._turns = Turns()

    def __repr__(self) -> str:
        permits = self.permits
        return f"<Total {permits.leased_num}/{permits.size} leased, {len(self._claiming)} claiming>"

    def joined(self, path: Path) -> None:
        """Somebody with the key at `path` waits in one of the queues."""
        self._turns.joined(path)

    def left(self, path: Path) -> None:
        """Somebody with the key at `path` waits no more."""
        self._turns.left(path)

    def claim(self, queue: Claimant, *, claims: bool) -> None:
        """Say whether `queue` could use a permit."""
        if claims:
            self._claiming.setdefault(queue)
        else:
            self._claiming.pop(queue, None)

    def hand_out(self, *, now: float) -> None:
        """Serve those who claim, in turn, while there are permits."""
        while self._claiming and self.permits.spare(is_poll=False):
            queue = self._next()
            if queue is None:
                return
            self._serve(queue, now)

    def resize(self, size: int | None, *, now: float) -> None:
        """Have another bound. A larger one is handed out now, a smaller one comes about."""
        self.permits.resize(size)
        self.hand_out(now=now)

    def stats(self) -> TotalStats:
        permits = self.permits
        return TotalStats(
            permits.size, permits.leased_num, permits.polls_leased_num, len(self._claiming)
        )

    def _next(self) -> Claimant | None:
        """Whose turn it is; None if only polls wait, and have as many as they may."""
        ranks = {
            queue: (self._turns.rank(up[0]), up[1])
            for queue in self._claiming
            if (up := queue.next_up()) is not None
        }
        return min(ranks, key=ranks.__getitem__, default=None)

    def _serve(self, queue: Claimant, now: float) -> None:
        up = queue.next_up()
        assert up is not None, "nobody is served there"
        path, _since = up
        self._turns.had(path)
        del self._claiming[queue]
        queue.serve_next(now=now)
        for other in self._claiming:
            other.defer(path)
