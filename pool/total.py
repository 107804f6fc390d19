"""One bound over the slots of many queues, and which of them is next when it is reached.

Permits are counted here, and nobody waits here: a queue takes a slot of its own and a permit of
the total in one step, or neither. So nobody holds the one while it waits for the other, and two
queues cannot block each other.

A queue claims while somebody waits in it and a slot of its own is free: then the total is all that
is missing. Queues that claim take turns, one permit each.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol


class Claimant(Protocol):
    """A queue, as the total sees it."""

    def serve_next(self, *, now: float) -> None:
        """Grant a slot to whose turn it is, and claim again if that leaves cause to."""


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
        self._claiming: OrderedDict[Claimant, None] = OrderedDict()

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

    def claim(self, queue: Claimant, *, claims: bool) -> None:
        """Say whether `queue` could use a permit. Who claims anew stands behind the others."""
        if claims:
            self._claiming.setdefault(queue)
        else:
            self._claiming.pop(queue, None)

    def hand_out(self, *, now: float) -> None:
        """Serve those who claim, in turn, while there are permits."""
        while self._claiming and self.spare():
            queue, _ = self._claiming.popitem(last=False)
            queue.serve_next(now=now)

    def resize(self, size: int | None, *, now: float) -> None:
        """Have another bound. A larger one is handed out now, a smaller one comes about."""
        assert size is None or size > 0, "a total of no slots would serve nobody"
        self.size = size
        self.hand_out(now=now)

    def stats(self) -> TotalStats:
        return TotalStats(self.size, self._leased, len(self._claiming))
