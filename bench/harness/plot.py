"""Plots as SVG, in plain Python: bars of one figure, and curves."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from harness.figures import Row, digits
from harness.work import Column, Kind

WIDTH = 720
BAR, GAP = 18, 8
LABELS, NUMBERS = 250, 90
COLOURS = {Kind.OURS: "#1a6fb5", Kind.PEER: "#9aa5b1", Kind.LIMIT: "#d8cfa8"}
CURVES = ("#1a6fb5", "#c2571a", "#3d8a4e", "#7a4fa3", "#9aa5b1")
HEIGHT, MARGIN = 360, 60
TICKS = 5


def bars(title: str, column: Column, rows: Sequence[Row]) -> str:
    """One bar a row that has the figure, from the least to the most, its spread as a line."""
    shown = sorted(
        (row for row in rows if column.key in row.figures),
        key=lambda row: row.figures[column.key].median,
    )
    most = max((row.figures[column.key].high for row in shown), default=0.0) or 1.0
    scale = (WIDTH - LABELS - NUMBERS) / most
    parts = [text(0, 16, f"{title}: {column.head}, {column.unit}", weight="bold")]
    for number, row in enumerate(shown):
        figure, top = row.figures[column.key], 32 + number * (BAR + GAP)
        middle = top + BAR / 2
        end = LABELS + figure.high * scale
        parts += [
            text(LABELS - 8, middle + 4, row.label, anchor="end"),
            _bar(top, figure.median * scale, COLOURS[row.kind]),
            path([(LABELS + figure.low * scale, middle), (end, middle)], "#333"),
            text(end + 6, middle + 4, digits(figure.median)),
        ]
    return document(WIDTH, 40 + len(shown) * (BAR + GAP), parts)


class Axes(NamedTuple):
    """What a curve is drawn in: its words, and the highest of each."""

    x: str
    y: str
    x_most: float
    y_most: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where on the picture."""
        across = MARGIN + x / self.x_most * (WIDTH - 3 * MARGIN)
        return across, HEIGHT - MARGIN - y / self.y_most * (HEIGHT - 2 * MARGIN)


def curves(title: str, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """One line a name through its points."""
    points = [point for line in lines.values() for point in line]
    x_most = max((point[0] for point in points), default=0.0) or 1.0
    y_most = max((point[1] for point in points), default=0.0) or 1.0
    axes = Axes(x, y, x_most, y_most)
    parts = [text(0, 16, title, weight="bold"), *_frame(axes)]
    for number, (name, line) in enumerate(lines.items()):
        colour = CURVES[number % len(CURVES)]
        parts.append(path([axes.place(*point) for point in line], colour, 2))
        across, down = axes.place(*line[-1]) if line else (MARGIN, MARGIN)
        parts.append(text(across + 6, down + 4, name, colour=colour))
    return document(WIDTH, HEIGHT, parts)


def _frame(axes: Axes) -> list[str]:
    """Axes, ticks and words."""
    corner = axes.place(0, 0)
    ends = axes.place(axes.x_most, 0), axes.place(0, axes.y_most)
    parts = [path([ends[1], corner, ends[0]], "#333")]
    for tick in range(TICKS + 1):
        x, y = axes.x_most * tick / TICKS, axes.y_most * tick / TICKS
        parts.append(text(axes.place(x, 0)[0], corner[1] + 18, digits(x), anchor="middle"))
        parts.append(text(corner[0] - 6, axes.place(0, y)[1] + 4, digits(y), anchor="end"))
    parts.append(text((corner[0] + ends[0][0]) / 2, HEIGHT - 12, axes.x, anchor="middle"))
    parts.append(text(8, MARGIN - 16, axes.y))
    return parts


def _bar(top: float, length: float, colour: str) -> str:
    where = f'x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}"'
    return f'<rect {where} fill="{colour}"/>'


def text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "", colour: str = "#222"
) -> str:
    """Words at a place, one line."""
    bold = f' font-weight="{weight}"' if weight else ""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} fill="{colour}"{bold}>{escape(words)}</text>'


def path(points: Sequence[tuple[float, float]], colour: str, width: int = 1) -> str:
    """A line through points."""
    where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def document(width: int, height: int, parts: Sequence[str]) -> str:
    """The whole picture."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="13">\n<rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([head, *parts, "</svg>\n"])
