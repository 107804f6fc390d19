"""Lines from standard input: numbered, bounded, cut anywhere."""

import os
from collections.abc import Iterator

import pytest

from botod.daemon.commands import call_lines
from botod.daemon.commands.call_lines import Lines


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where standard input is written from."""
    read, write = os.pipe()
    monkeypatch.setattr(call_lines, "STDIN", read)
    monkeypatch.setattr(call_lines, "READ_BYTES", 4)
    monkeypatch.setattr(call_lines, "MAX_LINE_BYTES", 10)
    yield write
    os.close(read)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n\n \r\n", []),
        (b"a\nbc\n\nlast", [(1, b"a"), (2, b"bc"), (4, b"last")]),
        (b"a\r\n  b \n", [(1, b"a"), (2, b"b")]),
        (b"0123456789\nb\n", [(1, b"0123456789"), (2, b"b")]),
        (b"0123456789ab\nb\n", [(1, None), (2, b"b")]),
        (b"x" * 50 + b"\nb\n" + b"x" * 50, [(1, None), (2, b"b"), (3, None)]),
    ],
)
def test_lines(sink: int, data: bytes, lines: list[tuple[int, bytes | None]]) -> None:
    """Empty ones count but are not given; one that is too long is None."""
    os.write(sink, data)
    os.close(sink)
    read = Lines()
    while not read.has_ended:
        read.read()
    assert list(read.ready) == lines
