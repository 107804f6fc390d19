"""What docs/pitfalls.md names is there."""

import ast
import importlib
import re
from operator import attrgetter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::([\w.]+))?`", DOCUMENT)))
TESTS = [(path, name) for path, name in NAMED if path.startswith("tests/")]
CURES = [(path, name) for path, name in NAMED if not path.startswith("tests/")]
TABLE_HEAD = "| what goes wrong | what cures it | what shows it |\n|---|---|---|\n"
ROWS = [
    row for table in DOCUMENT.split(TABLE_HEAD)[1:] for row in table.split("\n\n")[0].split("\n")
]


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_each_test_is_there(path: str, name: str) -> None:
    """The file has a function of that name."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), CURES)
def test_each_cure_is_there(path: str, name: str) -> None:
    """The module can be imported, and has what the document says it has."""
    assert (ROOT / path).is_file()
    module = importlib.import_module(f"botod.{path.removesuffix('.py').replace('/', '.')}")
    assert not name or attrgetter(name)(module) is not None


@pytest.mark.parametrize("row", [row for row in ROWS if row])
def test_each_row_names_a_cure_and_a_test(row: str) -> None:
    """Three cells: words, at least one cure, at least one test."""
    wrong, cure, test = (cell.strip() for cell in row.strip("|").split(" | "))
    assert wrong.endswith(".")
    assert re.search(r"`(pool|ipc|daemon)/[\w/]+\.py", cure)
    assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)*", test)


def test_there_are_rows() -> None:
    """An empty list would be a broken check."""
    assert len(ROWS) > 50
    assert len(TESTS) > 50
    assert len(CURES) > 50
