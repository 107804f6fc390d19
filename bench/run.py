"""Measure botod beside what a user would pick instead.

    python bench/run.py                  # all works
    python bench/run.py get --quick      # one of them, two short rounds, under three minutes
    python bench/run.py --render         # tables and plots anew from bench/results/

What is measured goes to bench/results/ and into docs/performance.md, but with --quick only if asked
by --keep. The last lines have a work's name each, our figure and the best peer's.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.environment import versions
from harness.figures import Row, closing_line, row_from
from harness.machine import machine
from harness.page import Pages
from harness.processes import CORES, client_core, on
from harness.rounds import measured
from harness.table import table
from harness.work import Scale, Work
from works import ALL

PAGES = Pages(Path(__file__).parent.parent)


def measure(work: Work, scale: Scale) -> list[Row]:
    """Do the work."""
    print(f"{work.name}: {work.title}", file=sys.stderr, flush=True)
    cores = {client_core()} if work.on_one_core else CORES
    with on(cores), work.stage(scale) as contenders:
        return measured(contenders, scale.rounds)


def circumstances(scale: Scale, took_s: float) -> dict[str, Any]:
    """How it was measured, for who reads the results."""
    return {
        "when": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "rounds": scale.rounds,
        "note": ", short ones" if scale.quick else "",
        "took_s": round(took_s),
        "versions": versions(),
    }


def render(works: Sequence[Work]) -> None:
    """Write the page again from the results that there are."""
    for work in works:
        results = PAGES.results / f"{work.name}.json"
        if results.exists():
            told = json.loads(results.read_text())
            rows = [row_from(row) for row in told.pop("rows")]
            PAGES.write(work, rows, told)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("works", nargs="*", metavar="WORK", help=", ".join(ALL))
    parser.add_argument("--quick", action="store_true", help="two short rounds, not kept")
    parser.add_argument("--keep", action="store_true", help="keep what --quick measures")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    found = parser.parse_args()
    if unknown := set(found.works) - set(ALL):
        parser.error(f"no work is called {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    return found


def main() -> None:
    """Measure each work in turn, or render."""
    asked = arguments()
    works = [ALL[name] for name in asked.works or ALL]
    if asked.render:
        render(works)
        return
    scale = Scale(quick=asked.quick)
    closing = []
    for work in works:
        began = time.monotonic()
        rows = measure(work, scale)
        print(f"\n{work.title}\n\n{table(work, rows)}\n", flush=True)
        if asked.keep or not asked.quick:
            PAGES.write(work, rows, circumstances(scale, time.monotonic() - began))
        closing.append(closing_line(work, rows))
    print("\n".join(closing))


if __name__ == "__main__":
    main()
