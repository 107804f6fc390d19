"""How many retries a host may get: a share of its requests, so that retries never are a storm.

No I/O; the time is an argument.
"""

from collections import Counter

SHARE = 0.2
"""Retries a request, over time: what fails more often than that is not mended by asking again."""

LEAST = 3.0
"""Retries that are there for a host that is asked seldom."""

LEAST_PER_S = 0.5
"""So fast these come back: one job after the other, each with three retries, is no storm."""

MOST = 100.0
"""What a host that was well for long has saved: a short failure under load is bridged by it."""


class Budget:
    """One host's. Begins with the least.

    by_cause: how often something was tried again, also where that spends nothing: keys or a clock
    were mended.
    """

    def __init__(self, *, now: float) -> None:
        self._tokens = LEAST
        self._since = now
        self.spent_total = 0
        self.refused_total = 0
        self.by_cause: Counter[str] = Counter()

    @property
    def tokens(self) -> float:
        """Retries that there are now."""
        return self._tokens

    def __repr__(self) -> str:
        return f"<Budget of {self._tokens:.1f} retries>"

    def earn(self) -> None:
        """A request was begun, which is no retry."""
        if self._tokens < MOST:
            self._tokens = min(MOST, self._tokens + SHARE)

    def spend(self, *, now: float) -> bool:
        """Whether there may be one retry more."""
        if self._tokens < LEAST:
            self._tokens = min(LEAST, self._tokens + LEAST_PER_S * (now - self._since))
        self._since = now
        if self._tokens < 1:
            self.refused_total += 1
            return False
        self._tokens -= 1
        self.spent_total += 1
        return True
