"""Rows as a table in Markdown."""

from collections.abc import Sequence

from harness.figures import Figure, Row, best_peer, digits
from harness.work import Column, Kind, Work

WIDE_SPREAD = 0.10
"""Rounds that differ by more than this have it beside the median."""


def table(work: Work, rows: Sequence[Row]) -> str:
    """Ours first, then who is best by the first column, limits and those not measured last."""
    first = work.columns[0]
    ours = _ours(rows, first)
    heads = ["", *(_head(column) for column in work.columns), f"{first.head} / ours"]
    lines = [_line(heads), _line(["---", *["--:"] * (len(heads) - 1)])]
    for row in sorted(rows, key=lambda row: _order(row, first)):
        if row.not_measured:
            cells = [f"not measured: {row.not_measured}", *[""] * len(work.columns)]
        else:
            cells = [_cell(row.figures.get(column.key)) for column in work.columns]
            cells.append(_ratio(row, first, ours))
        lines.append(_line([_label(row), *cells]))
    return "\n".join(lines)


def _ours(rows: Sequence[Row], column: Column) -> float:
    best = best_peer(rows, column)
    if best is not None:
        return best.ours
    ours = (row for row in rows if row.kind is Kind.OURS and column.key in row.figures)
    return next((row.figures[column.key].median for row in ours), 0.0)


def _head(column: Column) -> str:
    return f"{column.head}, {column.unit}" if column.unit else column.head


def _order(row: Row, column: Column) -> tuple[bool, int, float]:
    value = row.figures[column.key].median if column.key in row.figures else 0.0
    place = {Kind.OURS: 0, Kind.PEER: 1, Kind.LIMIT: 2}[row.kind]
    return bool(row.not_measured), place, -value if column.more else value


def _label(row: Row) -> str:
    if row.kind is Kind.OURS:
        return f"**{row.label}**"
    return f"_{row.label}_" if row.kind is Kind.LIMIT else row.label


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    if figure.spread > WIDE_SPREAD:
        return f"{digits(figure.median)} ({digits(figure.low)} to {digits(figure.high)})"
    return digits(figure.median)


def _ratio(row: Row, column: Column, ours: float) -> str:
    if not ours or column.key not in row.figures:
        return "-"
    return f"{row.figures[column.key].median / ours:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
