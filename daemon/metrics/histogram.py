"""How many of something took how long, in plain fields: 0.2 us to count one."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0,
)  # fmt: skip
"""Upper bounds of the buckets: from a warm answer next door to a long poll and a large object."""

ABOVE = "Infinity"
"""The bound of what is above all others, as Python and JavaScript read it."""


class Histogram:
    """Counts by bucket; one more holds what is above all bounds."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS_S) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def plain(self) -> dict[str, Any]:
        """As it goes to another worker."""
        return {"counts": list(self.counts), "total": self.total}


def by_bound(counts: Sequence[int], bounds: Sequence[float] = BOUNDS_S) -> dict[str, int]:
    """Counts by their bucket's upper bound, as text; those of nought are left out.

    So a status says by itself what they are, and those of several workers add up.
    """
    names = [*map(str, bounds), ABOVE]
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def bound_of(found: Mapping[str, int], share: float) -> float | None:
    """The bound that a share of all are not above, of `by_bound`; None: there are none."""
    left = sum(found.values()) * share
    for name in sorted(found, key=float):
        left -= found[name]
        if left <= 0:
            return float(name)
    return None
