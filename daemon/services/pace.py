"""How many parts of one object are under way at once: more for as long as more bring more.

A link to S3 is filled by several connections, of 50 to 100 MB/s each. Where the host itself is what
limits, each one more only costs: of 1 GiB from a server on the same machine, eight came at 0.8 of
the speed of one request for all of it.
"""

import time
from collections.abc import Callable

FIRST = 2
"""Parts at once to begin with."""

WINDOW_S = 0.1
"""For which a speed is looked at, at the least: a part takes that from S3, and the first window of
a number has those that began before it."""

GAIN = 1.25
"""As much faster has twice the number to be for it to stay."""

AGAIN_S = 10.0
"""After this more are tried once more: others may have had the link."""


class Pace:
    """Says how many, up to `most`, from what has come so far."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.at_once = self._before = min(FIRST, most)
        self._most = most
        self._clock = clock
        self._best = 0.0  # bytes a second, with as many as before
        self._settled_at: float | None = None
        self._begin(ignored=self.at_once)

    def came(self, size_bytes: int) -> None:
        """One more part is here."""
        now = self._clock()
        if self._settled_at is not None:
            if now - self._settled_at >= AGAIN_S:
                self._settled_at = None
                self._begin(ignored=0)
            return
        if self._ignored:
            self._ignored -= 1
            self._began_at = now
            return
        self._parts += 1
        self._bytes += size_bytes
        if self._parts >= self.at_once and now - self._began_at >= WINDOW_S:
            self._decide(self._bytes / (now - self._began_at), now)

    def _decide(self, speed: float, now: float) -> None:
        """Go on with twice as many, or stay; go back if the last step has brought too little."""
        is_worth = speed >= GAIN * self._best
        if is_worth and self.at_once < self._most:
            self._best = speed
            self._before = self.at_once
            self.at_once = min(2 * self.at_once, self._most)
            self._begin(ignored=self.at_once)
            return
        if not is_worth:
            self.at_once = self._before
        self._best = 0.0
        self._settled_at = now

    def _begin(self, *, ignored: int) -> None:
        """Look at what comes from now on, but for the parts that are under way."""
        self._ignored = ignored
        self._began_at = self._clock()
        self._parts = self._bytes = 0
