"""Run boto's own unit tests over stock boto and over the pool, and compare: `make boto-suite`.

Exit status 0: each test ends over the pool as over stock, but for those in `EXCUSED`, all of which
do not, and for those that the pool mends; and enough requests went through the pool.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from boto_suite.excused import EXCUSED
from boto_suite.sdist import extract_tests

CARRIED = "carried"  # replay.py's, which is not imported here: it loads the pool
CARRIED_MIN = 300
"""So many requests there are in the tests at least; fewer would mean that the replay is broken."""

RUN_TIMEOUT_S = 300.0


class Run(NamedTuple):
    """What came of each test, by its id, of the requests to fakes, and all that was printed."""

    outcomes: dict[str, str]
    requests: dict[str, int]
    printed: str

    def num(self, outcome: str) -> int:
        return sum(1 for came in self.outcomes.values() if came == outcome)


def run(which: str, source: Path) -> Run:
    """Run the tests in a process of their own, which knows nothing of this machine's AWS setup."""
    report = source / f"{which}.json"
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "boto_suite.runner", which, str(report)],
        cwd=source,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(source),
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "BOTO_CONFIG": os.devnull,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    if not report.exists():
        raise SystemExit(f"{process.stdout}\n{which}: the run broke off")
    written = json.loads(report.read_text())
    return Run(written["outcomes"], written["requests"], process.stdout)


def faults(stock: Run, pool: Run) -> list[str]:
    """Why the comparison fails: a line for each test that is not as it has to be."""
    found = []
    for test in sorted({*stock.outcomes, *pool.outcomes, *EXCUSED}):
        before, after = stock.outcomes.get(test, "missing"), pool.outcomes.get(test, "missing")
        if test in EXCUSED and (before, after) != ("passed", "failed"):
            found.append(f"excused for nothing: {test}: {before} over stock, {after} over the pool")
        elif test not in EXCUSED and after not in (before, "passed"):
            found.append(f"differs: {test}: {before} over stock, {after} over the pool")
    if pool.requests.get(CARRIED, 0) < CARRIED_MIN:
        found.append(f"fewer than {CARRIED_MIN} requests carried")
    return found


def summary(stock: Run, pool: Run) -> list[str]:
    """What is to be known of both runs, a line each."""
    mended = [
        test
        for test, outcome in stock.outcomes.items()
        if outcome == "failed" and pool.outcomes.get(test) == "passed"
    ]
    excused = sum(1 for test in EXCUSED if pool.outcomes.get(test) == "failed")
    failed = pool.num("failed") - excused
    by_fakes = {what: num for what, num in sorted(pool.requests.items()) if what != CARRIED}
    return [
        *(f"fails over stock alone: {test}" for test in mended),
        *(f"answered by the fake itself: {num} ({what})" for what, num in by_fakes.items()),
        f"skipped: {stock.num('skipped')} over stock, {pool.num('skipped')} over the pool",
        f"stock: {stock.num('passed')} passed, {stock.num('failed')} failed",
        f"pool: {pool.num('passed')} passed, {failed} failed, {excused} excused",
        f"pool: {pool.requests.get(CARRIED, 0)} requests carried",
    ]


def main() -> int:
    """Run, compare and print; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        source = extract_tests(Path(folder))
        stock, pool = run("stock", source), run("pool", source)
    found = faults(stock, pool)
    if found:
        sys.stderr.write(pool.printed)
    sys.stdout.write("\n".join([*found, *summary(stock, pool), ""]))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
