"""The pictures in docs/images/: they are there, are shown, and show what there is now."""

import html
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from botod.daemon.columns import Column
from botod.daemon.show_tables import COLUMNS
from botod.daemon.top_frame import OPERATION_COLUMNS, PEER_COLUMNS, POOL_COLUMNS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
IMAGES = DOCS / "images"
OURS = ("page.png", "plots.png", "show-pools.svg", "top.svg")
SHOWN_IN = {
    "console.md": ("images/top.svg", "images/show-pools.svg"),
    "metrics.md": ("images/page.png", "images/plots.png"),
    "../README.md": ("docs/images/page.png", "docs/images/top.svg"),
}


def lines(picture: str) -> list[str]:
    """The texts of one that was made of a terminal."""
    root = ET.fromstring((IMAGES / picture).read_text(encoding="utf-8"))
    return [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]


def titles(line: str) -> list[str]:
    """Of a table's columns."""
    return [title.strip() for title in line.split("|")]


@pytest.mark.parametrize("name", OURS)
def test_each_is_there(name: str) -> None:
    """A picture of some size."""
    data = (IMAGES / name).read_bytes()
    if name.endswith(".png"):
        width, height = struct.unpack(">II", data[16:24])
        assert data.startswith(b"\x89PNG\r\n")
        assert width > 500
        assert height > 150
    else:
        assert len(lines(name)) > 3


@pytest.mark.parametrize("page", SHOWN_IN)
def test_each_is_shown(page: str) -> None:
    """With words for who does not see it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    shown = dict(re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", text))
    assert set(SHOWN_IN[page]) <= set(shown.values())
    assert all(len(words) > 10 for words in shown)


@pytest.mark.parametrize(
    ("picture", "columns"),
    [
        ("show-pools.svg", COLUMNS["pools"]),
        ("top.svg", POOL_COLUMNS),
        ("top.svg", OPERATION_COLUMNS),
        ("top.svg", PEER_COLUMNS),
    ],
)
def test_the_console_has_the_columns_of_today(picture: str, columns: list[Column]) -> None:
    """Else: `make screens`."""
    wanted = [title for title, _tell in columns]
    assert wanted in map(titles, lines(picture))


def test_the_page_has_the_columns_of_today() -> None:
    """By what its picture says of itself; else: `make screens`."""
    picture = (IMAGES / "page.png").read_bytes()
    begin = picture.index(b"tEXtheads\0")
    (length,) = struct.unpack(">I", picture[begin - 4 : begin])
    _key, _nought, words = picture[begin + 4 : begin + 4 + length].partition(b"\0")
    source = (ROOT / "daemon" / "metrics" / "dashboard.html").read_text(encoding="utf-8")
    assert words.decode().split("|") == [
        html.unescape(one) for one in re.findall(r"<th .*?>(.*?)</th>", source)
    ]
