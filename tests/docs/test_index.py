"""The pages of docs/: found from the index, and nothing leads nowhere."""

import re
from pathlib import Path

import pytest

from support.trees import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def links(page: Path) -> set[Path]:
    """The files that a page leads to."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in found}


def test_every_page_is_in_the_index() -> None:
    """So that whoever looks for something finds it."""
    index = ROOT / "docs" / "index.md"
    assert {page.resolve() for page in ROOT.glob("docs/*.md")} - {index.resolve()} <= links(index)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To files of this tree."""
    assert not [link for link in links(page) if not link.exists()]
