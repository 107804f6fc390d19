"""Contenders in turn."""

import pytest

from harness.rounds import measured
from harness.work import Contender, Kind, NotMeasuredError


def test_contenders_take_turns_round_by_round() -> None:
    """What slows the machine for a while slows them alike."""
    order: list[str] = []

    def contender(name: str) -> Contender:
        return Contender(name, Kind.PEER, lambda: order.append(name) or {"n": len(order)})

    rows = measured({name: contender(name) for name in "ab"}, 2)
    assert order == ["a", "b", "a", "b"]
    assert [row.figures["n"].median for row in rows] == [2.0, 3.0]


def test_who_cannot_be_measured_is_named_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is asked once, and stays in the table."""
    asked = []

    def fails() -> dict[str, float]:
        asked.append(1)
        raise NotMeasuredError("no such program")

    (row,) = measured({"a": Contender("A", Kind.PEER, fails)}, 3)
    assert (row.not_measured, row.figures, len(asked)) == ("no such program", {}, 1)
    assert "no such program" in capsys.readouterr().err
