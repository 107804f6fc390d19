"""Results, and the page between its markers."""

import json
from pathlib import Path

import pytest

from harness.page import Pages, between_markers
from harness.work import Kind
from support.bench import WORK, row

TOLD = {"when": "2026-01-01", "machine": "one", "rounds": 5, "note": "", "versions": {"boto": "2"}}


def test_only_what_is_between_the_markers_is_replaced() -> None:
    """The rest of the page is written by hand."""
    page = "a\n<!-- bench:get -->\nold\n<!-- /bench:get -->\nb\n"
    assert between_markers(page, "get", "new") == (
        "a\n<!-- bench:get -->\nnew\n<!-- /bench:get -->\nb\n"
    )


def test_a_page_without_the_place_is_an_error() -> None:
    """A table that is measured for an hour must not vanish."""
    with pytest.raises(ValueError, match="no place for get"):
        between_markers("<!-- bench:get -->", "get", "new")


def test_results_plot_and_table_are_written(tmp_path: Path) -> None:
    """All from the same rows."""
    for folder in ("bench", "docs"):
        (tmp_path / folder).mkdir()
    pages = Pages(tmp_path)
    pages.page.write_text("<!-- bench:get --><!-- /bench:get -->")
    pages.write(WORK, [row("botod", 80), row("fast", 200, Kind.PEER)], TOLD)
    told = json.loads((pages.results / "get.json").read_text())
    assert [one["name"] for one in told["rows"]] == ["botod", "fast"]
    assert "fast" in (pages.plots / "get.svg").read_text()
    assert "| fast | 200 | 2.50 |" in pages.page.read_text()
