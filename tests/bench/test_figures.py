"""Medians, spread, ratios, and the line a work ends with."""

import pytest

from harness.figures import (
    Figure,
    Row,
    as_json,
    best_peer,
    closing_line,
    digits,
    row_from,
    row_of,
    summed_up,
)
from harness.work import Column, Contender, Kind
from support.bench import WORK, row


def test_a_figure_is_the_median_with_its_extremes() -> None:
    """One round out of five that was disturbed does not move it."""
    rounds = [{"cpu_us": value} for value in (30.0, 10.0, 20.0, 500.0, 25.0)]
    assert summed_up(rounds) == {"cpu_us": Figure(25.0, 10.0, 500.0)}


def test_a_median_of_two_is_their_middle() -> None:
    """As with --quick."""
    assert summed_up([{"cpu_us": 10.0}, {"cpu_us": 20.0}])["cpu_us"].median == 15.0


def test_a_key_that_one_round_lacks_is_taken_from_the_others() -> None:
    """A program that tells no percentiles once does not end the run."""
    assert summed_up([{"a": 1.0}, {"a": 3.0, "b": 2.0}])["b"] == Figure(2.0, 2.0, 2.0)


def test_spread_is_a_part_of_the_median() -> None:
    """From the lowest to the highest; 0 where the median is."""
    assert Figure(20.0, 15.0, 25.0).spread == 0.5
    assert Figure(0.0, 0.0, 4.0).spread == 0.0


def test_who_fails_once_has_no_figures() -> None:
    """Half a measurement would look like a whole one."""
    contender = Contender("x", Kind.PEER, dict)
    failed = row_of("x", contender, [{"cpu_us": 1.0}], "it crashed")
    assert failed == Row("x", "x", Kind.PEER, {}, "it crashed")


def test_the_best_peer_is_no_limit_and_none_of_ours() -> None:
    """What signs nothing does not do the work."""
    rows = [row("botod", 80), row("botod-pool", 20, Kind.OURS), row("slow", 300, Kind.PEER),
            row("fast", 200, Kind.PEER), row("wrk", 5, Kind.LIMIT)]  # fmt: skip
    best = best_peer(rows, WORK.columns[0])
    assert best is not None
    assert (best.ours, best.peer.name, best.theirs, best.ratio) == (80.0, "fast", 200.0, 0.4)


def test_where_more_is_better_the_best_peer_has_the_most() -> None:
    """As with bytes a second."""
    rows = [row("botod", 80), row("slow", 50, Kind.PEER), row("fast", 200, Kind.PEER)]
    best = best_peer(rows, Column("cpu_us", "speed", "MB/s", more=True))
    assert best is not None
    assert best.peer.name == "fast"


def test_the_closing_line_has_both_figures_and_their_ratio() -> None:
    """In ASCII, for who greps it."""
    rows = [row("botod", 80), row("boto2-16", 213, Kind.PEER)]
    assert closing_line(WORK, rows) == ("get: botod 80.0 us, best peer boto2-16 213 us, ratio 0.38")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("botod", 80), row("wrk", 5, Kind.LIMIT)], "get: botod 80.0 us, no peer was measured"),
        ([row("fast", 200, Kind.PEER)], "get: botod was not measured"),
    ],
)
def test_the_closing_line_says_what_is_missing(rows: list[Row], said: str) -> None:
    """It never leaves out a work."""
    assert closing_line(WORK, rows) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.1234, "0.12"), (3.14159, "3.14"), (36.66, "36.7"), (123.4, "123"),
     (12345.6, "12,346")],
)  # fmt: skip
def test_three_digits_are_shown(value: float, shown: str) -> None:
    """More would be noise."""
    assert digits(value) == shown


def test_a_row_survives_the_results_file() -> None:
    """So that the page can be made again from it."""
    one = row("fast", 200, Kind.PEER)
    assert row_from(as_json(one)) == one
