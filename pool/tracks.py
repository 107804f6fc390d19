"""Two tracks for those who wait for the slots of a host: long polls, and all else.

A poll has its slot for as long as the server has nothing to tell, up to 20 s at SQS. As many of
them as there are slots would keep every other request waiting for so long, however short it is. So
polls have a share of the slots at most, and wait in a track of their own, which is passed over
while they have it. The rest is never theirs: who else comes there waits for requests that do not
wait.

A key's polls take turns as a key of their own, `Polls` of its first level: what else it does does
not put them to the back. A track is open while somebody in it could have a slot. Of the open ones
that is next whose own next key goes longest without a turn. A turn elsewhere counts in a closed
track too: else that key would come first with the next slot, and keep one in the other track
waiting that has been there longer.
"""

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, Protocol, TypeVar

from botod.pool.fairness import Path, Ring, Turns, two_level_ring

POLL_SHARE = 0.75
"""Of the slots. A quarter is plenty for what takes milliseconds, where a poll takes seconds."""


class Polls(NamedTuple):
    """The first level of a key's polls."""

    of: Hashable


class Placed(Hashable, Protocol):
    """One who waits in a track."""

    path: Path
    is_poll: bool


T = TypeVar("T", bound=Placed)


def poll_path(path: Path) -> Path:
    """The path of a key's polls."""
    return path._replace(first=Polls(path.first))


def polls_max(size: int) -> int:
    """How many of so many slots polls may have. Of a single one all: else none was ever served."""
    return max(1, int(size * POLL_SHARE))


class Permits:
    """So many may be had at once, and of these polls so many.

    size: None: any number. within: those that each of these takes one of, too.
    """

    def __init__(self, size: int | None, within: "Permits | None" = None) -> None:
        assert size is None or size > 0, "no slots at all would serve nobody"
        self.size = size
        self.leased_num = 0
        self.polls_leased_num = 0
        self._taken_from = (self,) if within is None else (self, within)

    def spare(self, *, is_poll: bool) -> bool:
        """Whether one more may be had, as far as these go."""
        size = self.size
        if size is None:
            return True
        if is_poll and self.polls_leased_num >= polls_max(size):
            return False
        return self.leased_num < size

    def take(self, *, is_poll: bool) -> None:
        for permits in self._taken_from:
            permits.leased_num += 1
            permits.polls_leased_num += is_poll

    def give_back(self, *, is_poll: bool) -> None:
        for permits in self._taken_from:
            permits.leased_num -= 1
            permits.polls_leased_num -= is_poll
            assert 0 <= permits.polls_leased_num <= permits.leased_num, "one was not taken"

    def resize(self, size: int | None) -> None:
        """Have more or fewer from now on; what is leased beyond comes back in its time."""
        assert size is None or size > 0, "no slots at all would serve nobody"
        self.size = size


IsOpen = Callable[[bool], bool]
"""Whether a track is open; that of the polls is True's."""


class Tracks(Generic[T]):
    """Those who wait, as they are served."""

    def __init__(self) -> None:
        self._rings: dict[bool, Ring[T]] = {False: two_level_ring(), True: two_level_ring()}
        self._turns = Turns()

    def ring(self, *, is_poll: bool) -> Ring[T]:
        """Those in one track."""
        return self._rings[is_poll]

    def push(self, waiter: T) -> None:
        """Stand at the end of one's line."""
        self._turns.joined(waiter.path)
        self._rings[waiter.is_poll].push(waiter.path, waiter)

    def first(self, is_open: IsOpen) -> T | None:
        """Whose turn it is; None if all tracks in which somebody waits are closed."""
        heads = [
            ring.first() for is_poll, ring in self._rings.items() if len(ring) and is_open(is_poll)
        ]
        return min(heads, key=lambda head: self._turns.rank(head.path), default=None)

    def pop(self, waiter: T) -> None:
        """Take out the one whose turn it is; its key goes to the back."""
        self._turns.had(waiter.path)
        popped = self._rings[waiter.is_poll].pop()
        assert popped is waiter, "it was not its turn"
        self._turns.left(waiter.path)

    def remove(self, waiter: T) -> None:
        """Take out one who stands anywhere; the turns stay as they are."""
        self._rings[waiter.is_poll].remove(waiter.path, waiter)
        self._turns.left(waiter.path)

    def defer(self, path: Path) -> None:
        """Count a turn that the key at `path` had elsewhere."""
        self._rings[isinstance(path.first, Polls)].defer(path)
        self._turns.had(path)

    def any_in_open(self, is_open: IsOpen) -> bool:
        """Whether somebody waits in an open track."""
        return any(len(ring) and is_open(is_poll) for is_poll, ring in self._rings.items())

    def lines_num(self) -> int:
        return sum(ring.lines_num() for ring in self._rings.values())
