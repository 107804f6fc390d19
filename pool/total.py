"""One bound over the slots of many queues, and which of them is next when it is reached.

Permits are counted here, and nobody waits here: a queue takes a slot of its own and a permit of
the total in one step, or neither. So nobody holds the one while it waits for the other, and two
queues cannot block each other.

A queue claims while somebody waits in it and a slot of its own is free: then the total is all that
is missing. Of those whose turn it is in such queues, a permit goes to the one whose first level
goes longest without a turn at any host; inside one first level to the highest priority, then to
whose key goes longest without a turn, then to who waits longest. That turn counts in each queue
that claims: there, too, the key goes to the back. So however many wait with one key, at however
many hosts, they delay another key whose queue claims by one turn.

In a queue that does not claim it does not count. What is scarce there is the host's own slots, and
a key that is busy elsewhere keeps its place among those who wait for these.

A permit handed out costs two looks at each queue that claims, however many wait in them: 5 µs for
one, as always without a bound, some 60 µs for fifty, 2 ms for a thousand.
"""

from dataclasses import dataclass
from typing import Protocol

from botod.pool.fairness import Path, Turns


class Claimant(Protocol):
    """A queue, as the total sees it."""

    def next_up(self) -> tuple[Path, float]:
        """Whose turn it is: the path of its key, and since when it waits."""

    def serve_next(self, *, now: float) -> None:
        """Grant a slot to whose turn it is, and claim again if that leaves cause to."""

    def defer(self, path: Path) -> None:
        """Count a turn that the key at `path` had in another queue."""


@dataclass(frozen=True)
class TotalStats:
    """The bound over all queues; None: there is none. `claiming_num`: queues kept back by it."""

    slots_num: int | None
    leased_num: int
    claiming_num: int


class Total:
    """The permits of all queues.

    size: how many slots may be leased in all queues together; None: no bound.
    """

    def __init__(self, size: int | None = None) -> None:
        assert size is None or size > 0, "a total of no slots would serve nobody"
        self.size = size
        self._leased = 0
        self._claiming: dict[Claimant, None] = {}
        self._turns = Turns()

    def __repr__(self) -> str:
        return f"<Total {self._leased}/{self.size} leased, {len(self._claiming)} claiming>"

    def spare(self) -> bool:
        return self.size is None or self._leased < self.size

    def take(self) -> None:
        self._leased += 1

    def give_back(self) -> None:
        """Put a permit back; `hand_out` passes it on."""
        assert self._leased > 0, "a permit came back that was not taken"
        self._leased -= 1

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
        while self._claiming and self.spare():
            self._serve(min(self._claiming, key=self._rank), now)

    def resize(self, size: int | None, *, now: float) -> None:
        """Have another bound. A larger one is handed out now, a smaller one comes about."""
        assert size is None or size > 0, "a total of no slots would serve nobody"
        self.size = size
        self.hand_out(now=now)

    def stats(self) -> TotalStats:
        return TotalStats(self.size, self._leased, len(self._claiming))

    def _rank(self, queue: Claimant) -> tuple[tuple[int, int, int], float]:
        path, since = queue.next_up()
        return self._turns.rank(path), since

    def _serve(self, queue: Claimant, now: float) -> None:
        path, _ = queue.next_up()
        self._turns.had(path)
        del self._claiming[queue]
        queue.serve_next(now=now)
        for other in self._claiming:
            other.defer(path)
