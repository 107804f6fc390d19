"""Counts by bucket."""

import math

import pytest

from botod.daemon.metrics.histogram import ABOVE, BOUNDS_S, Histogram, bound_of, by_bound


def test_a_value_is_in_the_bucket_that_it_does_not_exceed() -> None:
    """A bound is of its own bucket; what is above all of them has the last."""
    counted = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        counted.observe(value)
    assert counted.plain() == {"counts": [2, 1, 1], "total": 6.0}


def test_what_was_told_does_not_change() -> None:
    """It is a copy, which is sent a moment later."""
    counted = Histogram()
    told = counted.plain()
    counted.observe(0.0)
    assert told == {"counts": [0] * (len(BOUNDS_S) + 1), "total": 0.0}


def test_counts_by_their_bounds_are_for_a_status() -> None:
    """Those of nought are left out; what is above all has a bound that a program reads, too."""
    assert by_bound([0, 2, 1], (0.5, 1.0)) == {"1.0": 2, ABOVE: 1}
    assert float(ABOVE) == math.inf


@pytest.mark.parametrize(
    ("found", "share", "bound"),
    [
        ({}, 0.95, None),
        ({"0.5": 1}, 0.95, 0.5),
        ({"10.0": 5, "0.5": 95}, 0.95, 0.5),
        ({"10.0": 6, "0.5": 94}, 0.95, 10.0),
        ({"0.5": 9, ABOVE: 1}, 0.95, math.inf),
    ],
)
def test_what_most_are_not_above(found: dict[str, int], share: float, bound: float | None) -> None:
    """Whatever the order in which workers told of the bounds."""
    assert bound_of(found, share) == bound
