"""What py-spy's raw lines say."""

from flame import by_own_time, file, function, package

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
