"""Curves over time as SVG: a panel each, one below the other. No more than soak's report needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 120
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 30, 20
COLOURS = ("#1f6f8b", "#c8553d", "#6b8e23")


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis. marks: (x, word) of what happened, as thin lines."""

    title: str
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    marks: Sequence[tuple[float, str]] = ()


def svg(panels: Sequence[Panel], x_title: str) -> str:
    """The document. Axes begin at nought."""
    step = TOP + HEIGHT + BOTTOM
    most_x = max((x for one in panels for _name, line in one.curves for x, _y in line), default=1)
    parts = [_panel(one, number * step, most_x or 1) for number, one in enumerate(panels)]
    height = step * len(panels) + BOTTOM
    parts.append(_text(LEFT, height - 6, x_title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="11">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _panel(panel: Panel, top: float, most_x: float) -> str:
    most_y = max((y for _name, line in panel.curves for _x, y in line), default=1) or 1
    bottom = top + TOP + HEIGHT

    def at(x: float, y: float) -> str:
        across = LEFT + x / most_x * (WIDTH - LEFT - RIGHT)
        return f"{across:.1f},{bottom - y / most_y * HEIGHT:.1f}"

    parts = [_text(LEFT, top + TOP - 10, panel.title)]
    parts += [_line(at(x, 0), at(x, most_y), "#dddddd") for x, _word in panel.marks]
    parts += [_line(at(0, 0), at(most_x, 0), "#888888"), _line(at(0, 0), at(0, most_y), "#888888")]
    parts += [_text(4, bottom, "0"), _text(4, top + TOP + 8, f"{most_y:,.0f}")]
    for number, (name, line) in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(at(x, y) for x, y in line)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_text(LEFT + 330 + 110 * number, top + TOP - 10, name, colour))
    return "\n".join(parts)


def _line(begin: str, end: str, colour: str) -> str:
    (x1, y1), (x2, y2) = begin.split(","), end.split(",")
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'


def _text(x: float, y: float, words: str, colour: str = "#333333") -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}">{escape(words)}</text>'
