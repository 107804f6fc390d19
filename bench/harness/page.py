"""Results, and the page that shows them: tables and plots stand between markers, all else is ours.

A work's place on the page is between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.figures import Row, as_json
from harness.plot import bars
from harness.table import table
from harness.work import Work


def between_markers(page: str, name: str, text: str) -> str:
    """The page with this text in the place of that name. ValueError if it has none."""
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    head, found, rest = page.partition(opening)
    _old, also_found, tail = rest.partition(closing)
    if not found or not also_found:
        raise ValueError(f"the page has no place for {name}")
    return f"{head}{opening}\n{text}\n{closing}{tail}"


def section(work: Work, rows: Sequence[Row], told: Mapping[str, Any]) -> str:
    """What stands in a work's place. told: as the results have it."""
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    return (
        f"{table(work, rows)}\n\n"
        f"![{work.title}](performance/{work.name}.svg)\n\n"
        f"{told['when']}, {told['machine']}; {told['rounds']} rounds{told['note']}. {versions}."
    )


class Pages:
    """Where results, plots and the page are, below the project's folder."""

    def __init__(self, root: Path) -> None:
        self.results = root / "bench" / "results"
        self.plots = root / "docs" / "performance"
        self.page = root / "docs" / "performance.md"

    def write(self, work: Work, rows: Sequence[Row], told: Mapping[str, Any]) -> None:
        """All three."""
        whole = {**told, "work": work.name, "rows": [as_json(row) for row in rows]}
        _put(self.results / f"{work.name}.json", json.dumps(whole, indent=1) + "\n")
        _put(self.plots / f"{work.name}.svg", (work.plot or bars_of)(work, rows))
        page = between_markers(self.page.read_text(), work.name, section(work, rows, told))
        _put(self.page, page)


def bars_of(work: Work, rows: Sequence[Row]) -> str:
    """The first column."""
    return bars(work.title, work.columns[0], rows)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
