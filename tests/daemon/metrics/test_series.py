"""The definition of all series."""

import pytest

from botod.daemon.metrics.series import SERIES, Kind, Series


@pytest.mark.parametrize("series", SERIES, ids=lambda one: one.name)
def test_names_are_as_prometheus_has_them(series: Series) -> None:
    """A counter ends in _total, nothing else does; a histogram has bounds, nothing else has."""
    assert series.name.startswith("botod_")
    assert series.name.endswith("_total") == (series.kind is Kind.COUNTER)
    assert bool(series.bounds) == (series.kind is Kind.HISTOGRAM)
    assert series.words.endswith((".", ")."))


def test_no_name_is_there_twice() -> None:
    """Nor is a label that each has anyway."""
    assert len({one.name for one in SERIES}) == len(SERIES)
    assert not any("worker" in one.labels for one in SERIES)
