"""JSON as the wire has it: `json`'s own, but for how it is imported."""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from botod.ipc import json_text

SOURCE = Path(__file__).parents[2] / "ipc/json_text.py"

VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)
TEXTS = some.text(alphabet='{}[]:,"\\ \t\r\n\v\ufeffu0041-+.eEtrufalsn')


def read(loads: Callable[[str], Any], text: str) -> Any:
    """What a text says; the kind of its error if it says nothing."""
    try:
        return loads(text)
    except ValueError:
        return ValueError


@given(VALUES)
def test_values_are_written_as_json_writes_them(value: Any) -> None:
    """And read back."""
    text = json_text.dumps(value)
    assert text == json.dumps(value, separators=(",", ":"))
    assert json_text.loads(f" \r\n\t{text}\n") == value


@given(TEXTS | VALUES.map(json.dumps))
def test_texts_are_read_as_json_reads_them(text: str) -> None:
    """Or not at all."""
    assert read(json_text.loads, text) == read(json.loads, text) or "\ufeff" in text


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}', "", " ", "1 1", "[1,]"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    """What Python's own reader would take is not, either."""
    with pytest.raises(ValueError, match=r"."):
        json_text.loads(text)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"x", TypeError),
        ([{"a": {1}}], TypeError),
        ({(1, 2): 3}, TypeError),
        (float("nan"), ValueError),
        (float("-inf"), ValueError),
    ],
)
def test_what_json_does_not_have_is_an_error(value: Any, error: type[Exception]) -> None:
    """It is told by its type alone."""
    with pytest.raises(error):
        json_text.dumps(value)


def test_what_holds_itself_is_an_error() -> None:
    """As what is nested too deep is."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        json_text.dumps(endless)
    with pytest.raises(RecursionError):
        json_text.loads("[" * 100_000)


def test_an_interpreter_without_the_c_functions_has_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads and writes the same."""
    monkeypatch.setitem(sys.modules, "_json", None)
    other = runpy.run_path(str(SOURCE))
    assert other["dumps"]({"a": [1, "é"]}) == json_text.dumps({"a": [1, "é"]})
    assert other["loads"](' {"a": 1}') == {"a": 1}
    with pytest.raises(ValueError, match="NaN is not JSON"):
        other["loads"]("NaN")
    with pytest.raises(TypeError, match="bytes cannot stand in a message"):
        other["dumps"](b"x")
