"""Counts by bucket."""

from botod.daemon.metrics.histogram import BOUNDS_S, Histogram


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
