"""Rows as text."""

from operator import itemgetter

from botod.daemon.columns import aligned

COLUMNS = [("name", itemgetter("name")), ("n", itemgetter("n")), ("x", itemgetter("x"))]


def test_a_table() -> None:
    """Texts at the left, numbers at the right; what is not there is empty."""
    rows = [{"name": "a", "n": 5, "x": 1.25}, {"name": "long one", "n": 1234, "x": None}]
    assert list(aligned(COLUMNS, rows)) == [
        "name     |    n |   x",
        "---------+------+----",
        "a        |    5 | 1.2",
        "long one | 1234 |",
        "(2 rows)",
    ]


def test_an_empty_table() -> None:
    """It has its titles."""
    assert list(aligned(COLUMNS, [])) == ["name | n | x", "-----+---+--", "(0 rows)"]


def test_nothing_in_it_moves_the_terminal() -> None:
    """What a peer chose may hold control characters."""
    lines = list(aligned(COLUMNS[:1], [{"name": "a\x1b[2J\nb"}]))
    assert lines[2] == "a?[2J?b"
    assert lines[-1] == "(1 row)"
