"""The first of many patterns that a text matches, found without a look at each.

A pattern is text with a `*` for whatever stands there. One without is looked up. One that begins or
ends with text of its own is tried only where a text begins or ends so. Only of those that differ
between two `*` alone each has to be tried.
"""

import re
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from botod.daemon.rules import pattern_of


class Globs:
    """Patterns in their order."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._none = len(patterns)
        self._exact: dict[str, int] = {}
        globs = []
        for number, pattern in enumerate(patterns):
            if "*" in pattern:
                globs.append(_Glob(number, pattern))
            else:
                self._exact.setdefault(pattern, number)
        starts = Counter(glob.start for glob in globs)
        ends = Counter(glob.end for glob in globs)
        by_start, by_end = [], []
        for glob in globs:
            if glob.is_start_alone or starts[glob.start] <= ends[glob.end]:
                by_start.append((glob.start, glob))
            else:
                by_end.append((glob.end[::-1], glob))
        self._by_start = _Nodes(by_start)
        self._by_end = _Nodes(by_end) if by_end else None

    def first(self, text: str) -> int | None:
        """The number of the first that matches."""
        number = self._by_start.first(text, text, self._exact.get(text, self._none))
        if self._by_end is not None:
            number = self._by_end.first(text[::-1], text, number)
        return None if number == self._none else number


class _Glob:
    """A pattern with a `*`; start, end: what stands before its first one and after its last."""

    def __init__(self, number: int, pattern: str) -> None:
        self.number = number
        self.pattern = pattern
        self.start, _star, self._rest = pattern.partition("*")
        self.end = self._rest.rpartition("*")[2]

    @property
    def is_start_alone(self) -> bool:
        """Whether to begin like it is to match."""
        return not self._rest


class _Nodes:
    """Patterns by a text of theirs, with which another text has to begin."""

    def __init__(self, keyed: Sequence[tuple[str, _Glob]]) -> None:
        self._beginnings = Beginnings(key for key, _glob in keyed)
        by_key: dict[str, list[_Glob]] = {}
        for key, glob in keyed:
            by_key.setdefault(key, []).append(glob)
        self._nodes = [
            _Node([glob for key in keys for glob in by_key[key]]) for keys in self._beginnings
        ]

    def first(self, key: str, text: str, known: int) -> int:
        """The number of the first that matches; `known`, if that is no later."""
        found = self._beginnings.longest(key)
        return known if found < 0 else self._nodes[found].first(text, known)


class _Node:
    """Patterns that may match what begins with one text.

    Their expression is made when it is needed: of two hundred nodes it would take 30 ms.
    """

    def __init__(self, globs: Iterable[_Glob]) -> None:
        self._globs: list[_Glob] = []
        self._surely: int = sys.maxsize
        for glob in sorted(globs, key=lambda glob: glob.number):
            if glob.is_start_alone:
                self._surely = glob.number
                break  # what comes after it is not the first
            self._globs.append(glob)
        self._expression: re.Pattern[str] | None = None

    def first(self, text: str, known: int) -> int:
        number = self._surely
        if self._globs:
            if self._expression is None:
                groups = "|".join(f"({pattern_of(glob.pattern)})" for glob in self._globs)
                self._expression = re.compile(groups, re.DOTALL)
            found = self._expression.match(text)
            if found is not None:
                assert found.lastindex is not None, "each alternative is a group"
                number = self._globs[found.lastindex - 1].number
        return min(number, known)


class Beginnings:
    """Some texts, of which the longest that another text begins with is found in one look.

    It is the nearest at or before it in their order, or one that this begins with itself.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: list[str] = []
        self._outer: list[int] = []
        for text in sorted(set(texts)):
            self._outer.append(self.longest(text))
            self._texts.append(text)

    def __iter__(self) -> Iterator[list[str]]:
        """Each, with those that it begins with."""
        for inner in range(len(self._texts)):
            texts, number = [], inner
            while number >= 0:
                texts.append(self._texts[number])
                number = self._outer[number]
            yield texts

    def longest(self, text: str) -> int:
        """Its number in their order; -1: `text` begins with none of them."""
        number = bisect_right(self._texts, text) - 1
        while number >= 0 and not text.startswith(self._texts[number]):
            number = self._outer[number]
        return number
