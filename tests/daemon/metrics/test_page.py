"""docs/metrics.md."""

from pathlib import Path

from botod.daemon.metrics.page import page_lines

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_says_what_the_definition_says() -> None:
    """Else: `make docs`."""
    assert PAGE.read_text(encoding="utf-8") == "\n".join(page_lines())
