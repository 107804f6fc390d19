"""How many connections each worker has, in a file that all of them have mapped.

Each number has one writer, so nobody waits for a lock; who leaves writes no more, as the row is the
next one's. A connection that one worker has handed to another counts there from that moment on:
what was given is counted by the giver, what was taken by the taker, and the difference is on its
way. So a burst that one worker accepts is divided evenly before another one has run at all.
"""

import mmap
import os
import time

from botod.daemon.share import WORKERS_MAX, Share

_OPEN, _SEEN_MS, _GIVEN, _TAKEN = 0, 1, 2, 2 + WORKERS_MAX
_ROW = 2 + 2 * WORKERS_MAX
"""A worker's numbers: its connections, when its loop turned at last (the host's monotonic clock; 0:
it takes nothing), and what it gave to each and took from each. A new file has noughts."""

_NUMBER_BYTES = 8

BEAT_S = 1.0
"""How often a worker's loop says that it turns."""

STUCK_S = 3.0
"""Who has not said so for so long is given nothing: it would lie there. A visit of more than 0.1 s
is a mistake."""


class Balance:
    """The table at `path`, as the worker of this share sees it; made if missing. Raises OSError."""

    def __init__(self, path: str, share: Share) -> None:
        self.has_left = False
        self._own = share.number
        self._everybody = range(share.workers_num)
        self._others = [one for one in range(share.workers_num) if one != share.number]
        size = WORKERS_MAX * _ROW * _NUMBER_BYTES
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._numbers = memoryview(self._map).cast("Q")

    def come(self) -> None:
        """Take connections from now on; what was on its way to the one before is lost with it."""
        self.has_left = False
        for other in self._others:
            self._note(_TAKEN + other, self._get(other, _GIVEN + self._own))
        self.count(0)
        self.beat()

    def beat(self) -> None:
        """Say that this worker's loop turns."""
        self._note(_SEEN_MS, time.monotonic_ns() // 1_000_000)

    def leave(self, *, is_succeeded: bool = False) -> None:
        """Take none and count nothing any more. is_succeeded: the row is the next one's by now."""
        if not is_succeeded:
            self._note(_SEEN_MS, 0)
        self.has_left = True

    def is_gone(self, other: int) -> None:
        """Another worker takes nothing, though it has not said so."""
        self._put(other, _SEEN_MS, 0)

    def count(self, number: int) -> None:
        """So many connections are open here."""
        self._note(_OPEN, number)

    def gave(self, other: int) -> None:
        self._note(_GIVEN + other, self._get(self._own, _GIVEN + other) + 1)

    def gave_not(self, other: int) -> None:
        """What was counted as given could not be."""
        self._note(_GIVEN + other, self._get(self._own, _GIVEN + other) - 1)

    def took(self, other: int) -> None:
        self._note(_TAKEN + other, self._get(self._own, _TAKEN + other) + 1)

    def of(self, number: int) -> int:
        """The connections that a worker has, with those on their way to it."""
        on_their_way = sum(
            self._get(other, _GIVEN + number) - self._get(number, _TAKEN + other)
            for other in self._everybody
            if other != number
        )
        return self._get(number, _OPEN) + max(0, on_their_way)

    def least(self) -> int | None:
        """The other worker with the fewest, if it has fewer than this one; None: there is none.

        To one that has left, who has come in its place is another one.
        """
        others = self._everybody if self.has_left else self._others
        here = [(self.of(one), one) for one in others if self._is_here(one)]
        if not here:
            return None
        load, number = min(here)
        return number if self.has_left or load < self.of(self._own) else None

    def close(self) -> None:
        self._numbers.release()
        self._map.close()

    def _is_here(self, number: int) -> bool:
        return time.monotonic_ns() // 1_000_000 < self._get(number, _SEEN_MS) + STUCK_S * 1000

    def _note(self, field: int, value: int) -> None:
        """Write into our row, while it is ours."""
        if not self.has_left:
            self._put(self._own, field, value)

    def _get(self, number: int, field: int) -> int:
        return self._numbers[number * _ROW + field]

    def _put(self, number: int, field: int, value: int) -> None:
        self._numbers[number * _ROW + field] = value
