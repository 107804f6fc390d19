"""The table in Markdown."""

from harness.figures import Row
from harness.table import table
from harness.work import Kind
from support.bench import WORK, row


def test_the_table_has_ours_first_then_the_best() -> None:
    """Limits after the peers, each with its ratio to ours."""
    rows = [row("wrk", 5, Kind.LIMIT), row("slow", 400, Kind.PEER), row("fast", 200, Kind.PEER),
            row("botod", 100)]  # fmt: skip
    assert table(WORK, rows).splitlines() == [
        "|  | CPU a request, µs | CPU a request / ours |",
        "| --- | --: | --: |",
        "| **botod** | 100 | 1.00 |",
        "| fast | 200 | 2.00 |",
        "| slow | 400 | 4.00 |",
        "| _wrk_ | 5.00 | 0.05 |",
    ]


def test_who_was_not_measured_stands_last_with_the_reason() -> None:
    """Never left out."""
    lost = Row("awscrt", "awscrt", Kind.PEER, {}, "it crashed")
    lines = table(WORK, [lost, row("botod", 100)]).splitlines()
    assert lines[-1] == "| awscrt | not measured: it crashed |  |"


def test_a_wide_spread_is_shown() -> None:
    """Rounds that agree within a tenth have the median alone."""
    wide, narrow = row("wide", 100, Kind.PEER, spread=0.4), row("narrow", 90, spread=0.08)
    lines = table(WORK, [narrow, wide]).splitlines()
    assert lines[2:] == ["| **narrow** | 90.0 | 1.00 |", "| wide | 100 (80.0 to 120) | 1.11 |"]
