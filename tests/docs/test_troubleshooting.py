"""docs/troubleshooting.md has each code of an error."""

import re
from pathlib import Path

from botod.ipc.errors import Code

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
ROW = re.compile(r"^\| (-\d+) \| (\w+) \| (.+) \|$", re.MULTILINE)


def test_each_code_has_a_row() -> None:
    """With its name, in the order of the code's own list, and with something to look at."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert [(int(number), name) for number, name, _words in rows] == [
        (code.value, code.name) for code in Code
    ]
    assert all(words[-1] in ".?" for _number, _name, words in rows)
