"""Curves over time as SVG: a panel each, one below the other. No more than soak's report needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.plot import document, path, text

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
    parts.append(text(LEFT, height - 6, x_title))
    return document(WIDTH, height, parts)


def _panel(panel: Panel, top: float, most_x: float) -> str:
    most_y = max((y for _name, line in panel.curves for _x, y in line), default=1) or 1
    bottom = top + TOP + HEIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + x / most_x * (WIDTH - LEFT - RIGHT)
        return across, bottom - y / most_y * HEIGHT

    parts = [text(LEFT, top + TOP - 10, panel.title)]
    parts += [path([at(x, 0), at(x, most_y)], "#dddddd") for x, _word in panel.marks]
    parts.append(path([at(0, most_y), at(0, 0), at(most_x, 0)], "#888888"))
    parts += [text(4, bottom, "0"), text(4, top + TOP + 8, f"{most_y:,.0f}")]
    for number, (name, line) in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(path([at(x, y) for x, y in line], colour, 2))
        across = LEFT + 330 + 110 * number
        parts.append(text(across, top + TOP - 10, name, colour=colour))
    return "\n".join(parts)
