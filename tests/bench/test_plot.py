"""The plots, as the XML that they are."""

from xml.etree import ElementTree as ET

import pytest

from harness.plot import LABELS, bars, curves
from harness.work import Kind
from support.bench import WORK, row

SVG = "{http://www.w3.org/2000/svg}"


def test_a_bar_is_as_long_as_its_figure() -> None:
    """Twice the figure is twice the length, the least is on top."""
    picture = ET.fromstring(bars("GET", WORK.columns[0], [row("b", 200, Kind.PEER), row("a", 100)]))
    _ground, first, second = picture.iter(f"{SVG}rect")
    assert float(second.attrib["width"]) == pytest.approx(2 * float(first.attrib["width"]))
    assert {first.attrib["x"], second.attrib["x"]} == {str(LABELS)}
    words = [text.text for text in picture.iter(f"{SVG}text")]
    assert words == ["GET: CPU a request, µs", "a", "100", "b", "200"]


def test_words_are_escaped() -> None:
    """A label may have any character."""
    picture = ET.fromstring(bars("a < b & c", WORK.columns[0], []))
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["a < b & c: CPU a request, µs"]


def test_a_curve_goes_through_its_points() -> None:
    """Right is more of x, up more of y, and both begin at zero."""
    picture = ET.fromstring(curves("web", "rate", "replies", {"one": [(50, 50), (100, 0)]}))
    _axes, line = picture.iter(f"{SVG}polyline")
    (x, y), (end_x, end_y) = (
        map(float, point.split(",")) for point in line.attrib["points"].split()
    )
    assert end_x > x
    assert end_y > y, "SVG counts downwards"


def test_a_plot_of_nothing_is_a_plot() -> None:
    """All contenders may have failed."""
    ET.fromstring(curves("web", "rate", "replies", {}))
