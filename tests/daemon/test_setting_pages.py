"""etc/botod.toml and docs/settings.md say what the definition of the settings says."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.setting_pages import (
    NO_BREAK,
    PAGE_SECTIONS,
    PAGES,
    SECTION_WORDS,
    comment,
    markdown_lines,
    words_of,
)

ROOT = Path(__file__).parents[2]
FILES = {"toml": ROOT / "etc" / "botod.toml", "markdown": ROOT / "docs" / "settings.md"}
ALL = [setting for kind in PAGE_SECTIONS.values() for setting in fields(kind)]


@pytest.mark.parametrize("kind", PAGES)
def test_the_pages_are_what_the_definition_says(kind: str) -> None:
    """Else: `make docs`."""
    assert FILES[kind].read_text(encoding="utf-8") == "\n".join(PAGES[kind]())


@pytest.mark.parametrize("setting", ALL, ids=lambda setting: setting.name)
def test_the_words_say_what_is_allowed(setting: Any) -> None:
    """A number's bounds and a text's choices; sentences, with nothing left to be filled in."""
    words = words_of(setting)
    assert words[0] == '"' or words[0].isupper() or words.startswith(setting.metadata["choices"])
    assert words.endswith(".")
    assert "bounds}" not in words
    if setting.metadata["bounds"] is not None:
        low, high = setting.metadata["bounds"]
        assert f"({low:.10g} to {high:.10g})" in words, "write {bounds} into its words"
    for choice in setting.metadata["choices"]:
        assert choice in words or choice == setting.default


def test_each_section_has_words() -> None:
    """And no other has."""
    assert SECTION_WORDS.keys() == PAGE_SECTIONS.keys()


def test_a_comment_is_not_broken_in_a_number() -> None:
    """Bounds, and what a number counts, stay on one line, in 100 characters."""
    words = "x" * 94 + " 16 MiB. " + "x" * 84 + " (0.001 to 60)."
    lines = list(comment(words))
    assert lines[1] == "# 16 MiB. " + "x" * 84
    assert lines[2] == "# (0.001 to 60)."
    assert NO_BREAK not in "".join(lines)


def test_a_table_is_not_broken_by_words() -> None:
    """Each setting is one row of four cells."""
    rows = [line for line in markdown_lines() if line.startswith("| `")]
    assert len(rows) == len(ALL)
    assert all(row.replace(r"\|", "").count("|") == 5 for row in rows)
