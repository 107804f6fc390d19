"""Rows as aligned columns of text, as psql has them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Column = tuple[str, Callable[[Mapping[str, Any]], object]]
"""A title, and what stands there of a row; numbers stand at the right."""


def aligned(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a table: titles, a rule, the rows and their number."""
    cells = [[_text(tell(row)) for _title, tell in columns] for row in rows]
    numeric = [
        bool(rows) and all(_is_number(tell(row)) for row in rows) for _title, tell in columns
    ]
    titles = [title for title, _tell in columns]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    yield _line(titles, widths, numeric)
    yield "-+-".join("-" * width for width in widths)
    for line in cells:
        yield _line(line, widths, numeric)
    yield f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})"


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    places = zip(cells, widths, numeric, strict=True)
    return " | ".join(
        cell.rjust(width) if is_number else cell.ljust(width) for cell, width, is_number in places
    ).rstrip()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "".join(one if one.isprintable() else "?" for one in str(value))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
