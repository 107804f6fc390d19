"""From rounds to rows: medians, spread, ratios, and who is best."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.work import Column, Contender, Figures, Kind, Work

OURS = "botod"


class Figure(NamedTuple):
    """A figure over all rounds."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """From the lowest to the highest, as a part of the median; 0 if that is 0."""
        return (self.high - self.low) / self.median if self.median else 0.0


class Row(NamedTuple):
    """What became of a contender: its figures by column, or why there are none."""

    name: str
    label: str
    kind: Kind
    figures: Mapping[str, Figure]
    not_measured: str = ""


class Best(NamedTuple):
    """Ours beside the best peer. ratio: below 1 if ours is less, so ahead where less is better."""

    ours: float
    peer: Row
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def summed_up(rounds: Sequence[Figures]) -> dict[str, Figure]:
    """Each key's median and extremes; a key that is missing in a round is taken from the others."""
    keys = dict.fromkeys(key for one in rounds for key in one)
    return {key: _figure([one[key] for one in rounds if key in one]) for key in keys}


def _figure(values: Sequence[float]) -> Figure:
    return Figure(statistics.median(values), min(values), max(values))


def row_of(name: str, contender: Contender, rounds: Sequence[Figures], why_not: str) -> Row:
    """why_not: what kept it from being measured; then what it gave before is dropped."""
    figures = {} if why_not else summed_up(rounds)
    return Row(name, contender.label, contender.kind, figures, why_not)


def best_peer(rows: Iterable[Row], column: Column) -> Best | None:
    """None if ours was not measured, or no peer was. Limits are no peers."""
    measured = [row for row in rows if column.key in row.figures]
    ours = next((row for row in measured if row.name == OURS), None)
    peers = [row for row in measured if row.kind is Kind.PEER]
    if ours is None or not peers:
        return None
    pick = max if column.more else min
    peer = pick(peers, key=lambda row: row.figures[column.key].median)
    return Best(ours.figures[column.key].median, peer, peer.figures[column.key].median)


def closing_line(work: Work, rows: Sequence[Row]) -> str:
    """`get: botod 80 us, best peer boto2-16 213 us, ratio 0.38`."""
    column = work.columns[0]
    best = best_peer(rows, column)
    if best is not None:
        unit = column.unit.replace("µ", "u")
        return (
            f"{work.name}: botod {digits(best.ours)} {unit}, best peer {best.peer.name} "
            f"{digits(best.theirs)} {unit}, ratio {best.ratio:.2f}"
        )
    ours = next((row for row in rows if row.name == OURS and row.figures), None)
    if ours is None:
        return f"{work.name}: botod was not measured"
    value = digits(ours.figures[column.key].median)
    return f"{work.name}: botod {value} {column.unit.replace('µ', 'u')}, no peer was measured"


def digits(value: float) -> str:
    """Three digits, and all of those before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def as_json(row: Row) -> dict[str, Any]:
    """A row as it stands in bench/results/."""
    figures = {key: figure._asdict() for key, figure in row.figures.items()}
    return {
        "name": row.name,
        "label": row.label,
        "kind": row.kind.value,
        "figures": figures,
        "not_measured": row.not_measured,
    }


def row_from(told: Mapping[str, Any]) -> Row:
    """The same, read again."""
    figures = {key: Figure(**figure) for key, figure in told["figures"].items()}
    return Row(told["name"], told["label"], Kind(told["kind"]), figures, told["not_measured"])
