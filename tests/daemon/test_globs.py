"""The first of many patterns: as if each were tried in its turn."""

from hypothesis import given, settings
from hypothesis import strategies as some

from botod.daemon.globs import Beginnings, Globs
from botod.daemon.rules import matcher

PATTERNS = some.text("ab/*", min_size=1, max_size=6)
TEXTS = some.text("ab/\n", max_size=8)


@settings(max_examples=300)
@given(some.lists(PATTERNS, max_size=12), some.lists(TEXTS, min_size=1, max_size=5))
def test_it_is_the_first_that_matches(patterns: list[str], texts: list[str]) -> None:
    """Whether it is found by its start, by its end, or tried."""
    globs = Globs(patterns)
    for text in texts:
        expected = (number for number, one in enumerate(patterns) if matcher(one).match(text))
        assert globs.first(text) == next(expected, None)


@given(some.lists(some.text("ab", max_size=5), max_size=12), TEXTS)
def test_the_longest_beginning_is_found(texts: list[str], text: str) -> None:
    """And with each those that it begins with itself, from the longest on."""
    beginnings = Beginnings(texts)
    chains = list(beginnings)
    found = beginnings.longest(text)
    begun = sorted((one for one in set(texts) if text.startswith(one)), key=len, reverse=True)
    assert (chains[found] if found >= 0 else []) == begun


def test_of_many_only_those_are_tried_that_may_match() -> None:
    """Two hundred that begin or end with text of their own make expressions of one each."""
    for form in ("logs/{}/*/x", "logs/*/x{}", "*{}", "{}*/*"):
        globs = Globs([form.format(f"{number:03}") for number in range(200)])
        assert globs.first(form.format("199").replace("*", "a/b")) == 199
        sides = [side for side in (globs._by_start, globs._by_end) if side is not None]
        made = [node._expression for side in sides for node in side._nodes if node._expression]
        assert [expression.groups for expression in made] == [1]
