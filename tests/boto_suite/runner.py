"""Runs boto's unit tests, as boto does, and writes what came of each: `runner.py pool report.json`.

To be started in the folder that boto's `tests` are in.
"""

import collections
import collections.abc
import contextlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from nose.core import run
from nose.plugins.base import Plugin

# Gone from there since Python 3.10; boto and its tests use them.
for name in ("Iterable", "Mapping"):
    setattr(collections, name, getattr(collections.abc, name))


class Outcomes(Plugin):  # type: ignore[misc]
    """Keeps what came of each test by its id; a second one of the same id gets a number."""

    name = "outcomes"
    enabled = True
    score = 10_000  # before the plugins that make something else of a skip

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, str] = {}
        self._seen: Counter[str] = Counter()
        self._now = ""

    def options(self, parser: Any, env: Any) -> None:
        """None."""

    def configure(self, options: Any, conf: Any) -> None:
        """Always on."""

    def startTest(self, test: Any) -> None:  # noqa: N802 - nose's name
        self._seen[test.id()] += 1
        number = self._seen[test.id()]
        self._now = test.id() if number == 1 else f"{test.id()} #{number}"
        self.of[self._now] = "skipped"

    def addSuccess(self, test: Any) -> None:  # noqa: N802
        self.of[self._now] = "passed"

    def addError(self, test: Any, error: Any) -> None:  # noqa: N802
        if error[0].__name__ != "SkipTest":
            self.of[self._now] = "failed"

    addFailure = addError  # noqa: N815


def main(which: str, report: str) -> None:
    """Run all over `which`, stock or pool, and write the outcomes and the counts of requests."""
    outcomes = Outcomes()
    counts: Counter[str] = Counter()
    arguments = ["boto-suite", "-v", "-a", "!notdefault", "tests/unit"]
    with contextlib.ExitStack() as stack:
        if which == "pool":
            from boto_suite.override import overridden  # noqa: PLC0415 - stock stays stock

            counts = stack.enter_context(overridden())
        run(argv=arguments, env={}, addplugins=[outcomes])
    Path(report).write_text(json.dumps({"outcomes": outcomes.of, "requests": counts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
