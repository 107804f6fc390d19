"""How a Body travels: beside the line, as a descriptor, or as a stream."""

import gzip
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.framing import MAX_INLINE_BYTES
from botod.ipc.sending import (
    SMALL_BYTES,
    FilePart,
    Pieces,
    checked,
    is_append,
    piece_reader,
    plain_file,
    to_fill,
    to_send,
)
from support.wire import UNHURRIED


class Reader:
    """Something with `read` and nothing else, as a body of a network's library."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with ten bytes."""
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    return path


# What goes as what


@pytest.mark.parametrize("body", [b"x", bytearray(b"x"), memoryview(b"x"), b""])
def test_bytes_go_beside_the_line(body: Any) -> None:
    """They are there: nothing is quicker."""
    assert to_send(body, None) is body


def test_bytes_that_one_message_does_not_hold_go_as_a_stream() -> None:
    """The limit is the last size that goes beside the line; a view counts in bytes, not items."""
    most = bytes(MAX_INLINE_BYTES)
    assert to_send(most, None) is most
    sent = to_send(most + b"x", None)
    assert isinstance(sent, Pieces)
    assert sent.length == MAX_INLINE_BYTES + 1
    words = memoryview(bytes(MAX_INLINE_BYTES + 4)).cast("I")
    assert isinstance(to_send(words, None), Pieces)


@pytest.mark.parametrize("body", ["text", ["list"], ("tuple",), {"a": 1}, 7, None])
def test_what_is_no_body_goes_as_it_is(body: Any) -> None:
    """SQS has a Body that is text; what else it could be is for the daemon to refuse."""
    assert to_send(body, None) is body


def test_a_text_file_is_refused(file: Path) -> None:
    """Which bytes its letters are is not known here."""
    with file.open() as text, pytest.raises(TypeError, match="mode 'rb'"):
        to_send(text, None)


@pytest.mark.parametrize("buffering", [0, -1])
def test_an_open_file_goes_by_its_descriptor_from_where_it_stands(
    file: Path, buffering: int
) -> None:
    """Also where a buffer has read further than its reader."""
    with file.open("rb", buffering=buffering) as body:
        body.read(3)
        sent = to_send(body, 4)
    assert isinstance(sent, FilePart)
    assert (sent.offset, sent.length) == (3, 4)
    assert sent.marker(0) == {"$fd": 0, "offset": 3, "length": 4}
    assert FilePart(None, None).marker(2) == {"$fd": 2}


def test_what_a_file_still_holds_back_is_written_first(file: Path) -> None:
    """The daemon reads what is on disk, not what lies in a buffer here."""
    with file.open("r+b") as body:
        body.write(b"abc")
        body.seek(0)
        body.write(b"x")
        to_send(body, None)
        assert file.read_bytes() == b"xbc3456789"


def test_a_file_that_may_not_be_read_does_not_go_by_its_descriptor(file: Path) -> None:
    """The daemon could not read it either: it is said here, in the file's own words."""
    with file.open("ab") as body, pytest.raises(io.UnsupportedOperation, match="read"):
        to_send(body, None)


def test_what_unpacks_as_it_reads_goes_as_what_it_reads(tmp_path: Path) -> None:
    """`gzip.open` has a fileno, of other bytes."""
    path = tmp_path / "f.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(b"0123456789")
    with gzip.open(path, "rb") as body:
        assert to_send(body, None) == b"0123456789"


class Shouting(io.BufferedReader):
    """A file that gives other bytes than are on disk."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size).upper()


def test_what_is_more_than_a_buffer_goes_as_what_it_reads(tmp_path: Path) -> None:
    """Nobody knows what a class of its own does to the bytes."""
    (tmp_path / "f").write_bytes(b"abc")
    with Shouting(io.FileIO(tmp_path / "f")) as body:
        assert to_send(body, None) == b"ABC"


def test_a_pipe_is_no_plain_file() -> None:
    """It has no position to read from, and the daemon would wait for its end."""
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert plain_file(pipe) is None
        assert isinstance(to_send(pipe, None), Pieces)


def test_what_is_small_and_seekable_is_read_at_once() -> None:
    """From where it stands; it takes one message instead of four."""
    body = io.BytesIO(b"x" * (SMALL_BYTES + 3))
    body.seek(3)
    assert to_send(body, None) == b"x" * SMALL_BYTES
    body.seek(2)
    sent = to_send(body, None)
    assert isinstance(sent, Pieces)
    assert (sent.length, body.tell()) == (SMALL_BYTES + 1, 2)


def test_a_length_that_was_declared_counts() -> None:
    """It may be a part of what is there: then it is not read at once, nor corrected."""
    sent = to_send(io.BytesIO(b"0123456789"), 4)
    assert isinstance(sent, Pieces)
    assert sent.length == 4
    assert to_send(io.BytesIO(b"0123456789"), 10) == b"0123456789"


@pytest.mark.parametrize("body", [Reader(b"x"), iter([b"x"])])
def test_a_length_that_nobody_knows(body: Any) -> None:
    """What can only be read, or iterated, goes as a stream that may be of any length."""
    sent = to_send(body, None)
    assert isinstance(sent, Pieces)
    assert sent.length is None
    assert sent.source is body


def test_a_socket_s_file_has_no_length() -> None:
    """It says that it cannot be seeked, and is not tried."""
    one, other = socket.socketpair()
    with one, other, one.makefile("rb") as body:
        sent = to_send(body, None)
        assert isinstance(sent, Pieces)
        assert sent.length is None


# What a download fills


def test_a_file_is_filled_where_it_stands(file: Path) -> None:
    """What was written before is on disk when the daemon writes behind it."""
    with file.open("r+b") as body:
        body.write(b"ab")
        part = to_fill(body)
        assert part is not None
        assert part.offset == 2
        assert file.read_bytes() == b"ab23456789"


def test_a_file_that_is_appended_to_has_no_place(file: Path) -> None:
    """Wherever it stands, what is written goes to its end."""
    with file.open("ab") as body:
        assert is_append(body)
        part = to_fill(body)
        assert part is not None
        assert part.offset is None


def test_what_cannot_be_filled_by_the_daemon(file: Path) -> None:
    """It is written to here."""
    with file.open("rb") as body:
        assert to_fill(body) is None
    assert to_fill(io.BytesIO()) is None


# Pieces


def pieces_of(source: Any, sizes: Iterator[int]) -> list[bytes]:
    """What a body gives when it is asked for pieces of these sizes."""
    read = piece_reader(Pieces(source, None))
    out = []
    while piece := read(size := next(sizes)):
        assert len(piece) <= size
        out.append(piece)
    return out


@UNHURRIED
@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30), min_size=1))
def test_pieces_of_any_size_come_out_whole(given_: list[bytes], sizes: list[int]) -> None:
    """However they are given and asked for: all bytes, in order, none more than was asked for."""

    def asked() -> Iterator[int]:
        while True:
            yield from sizes

    whole = b"".join(given_)
    assert b"".join(pieces_of(iter(given_), asked())) == whole
    assert b"".join(pieces_of([bytearray(one) for one in given_], asked())) == whole
    assert b"".join(pieces_of(Reader(whole), asked())) == whole


def test_a_piece_is_never_joined_to_the_next() -> None:
    """What is here goes at once: the next may take its time."""
    assert pieces_of([b"ab", b"", b"cde"], iter([9, 2, 9, 9])) == [b"ab", b"cd", b"e"]


def test_a_source_gives_bytes() -> None:
    """Text is named, not sent: nobody knows its encoding."""
    with pytest.raises(TypeError, match="not str"):
        pieces_of(["text"], iter([9]))
    with pytest.raises(TypeError, match="not str"):
        pieces_of(io.StringIO("text"), iter([9]))
    assert type(checked(memoryview(b"a"))) is bytes
