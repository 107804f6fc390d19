"""What py-spy's raw lines say."""

from pathlib import Path

from flame import by_own_time, entitle, file, function, package

STACKS = [
    "<module> (cli.py:1);run (events.py:2);send (daemon/a.py:5) 6",
    "<module> (cli.py:1);run (events.py:2);send (daemon/a.py:7) 1",
    "<module> (cli.py:1);run (events.py:2) 3",
    "Thread._bootstrap (threading.py:1);wait (threading.py:9) 90",
]


def test_the_innermost_function_has_the_time() -> None:
    """Whatever its line, and without threads that wait."""
    assert by_own_time(STACKS, function) == [("send (daemon/a.py)", 0.7), ("run (events.py)", 0.3)]


def test_the_same_by_file() -> None:
    """For where the time is spread over many functions."""
    assert by_own_time(STACKS, file) == [("daemon/a.py", 0.7), ("events.py", 0.3)]


def test_the_same_by_package() -> None:
    """A file in no folder is a package of its own."""
    assert by_own_time(STACKS, package) == [("daemon", 0.7), ("events.py", 0.3)]


def test_a_picture_says_what_it_shows(tmp_path: Path) -> None:
    """Not which command has drawn it, with the paths of the machine."""
    picture = tmp_path / "flame.svg"
    picture.write_text('<svg><text id="title" y="24">/a/py-spy record</text><text>b</text></svg>')
    entitle(picture, "GET")
    assert picture.read_text() == '<svg><text id="title" y="24">GET</text><text>b</text></svg>'
