"""Bodies that are read while they are sent: exactly what was said, or an error."""

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.sources import BodyTooShort, CannotRepeat
from botod.ipc.descriptors import Descriptor
from support.bodies import LARGE, Rig, opened, pipe, thread, write_all


@pytest.mark.parametrize("content", [b"", b"miaow", LARGE])
def test_a_file_is_sent_from_where_it_stands(tmp_path: Path, content: bytes) -> None:
    """As if it were read; its position, which the peer shares, stays where it is."""
    with opened(tmp_path / "f", os.O_RDONLY, b"head" + content) as fd:
        os.lseek(fd, 4, os.SEEK_SET)
        one = Rig()
        assert one.put(Descriptor(fd)) == content
        assert one.moved.sent_bytes == len(content)
        assert os.lseek(fd, 0, os.SEEK_CUR) == 4


def test_a_file_can_be_sent_again(tmp_path: Path) -> None:
    """A second try begins where the first did, and is what counts."""
    with opened(tmp_path / "f", os.O_RDONLY, LARGE) as fd:
        one = Rig()
        assert one.put(Descriptor(fd), tries=3) == LARGE
        assert one.moved.sent_bytes == len(LARGE)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(2, 3, b"cde"), (0, None, b"abcdef"), (None, 2, b"ab"), (6, None, b""), (6, 0, b"")],
)
def test_a_part_of_a_file(
    tmp_path: Path, offset: int | None, length: int | None, expected: bytes
) -> None:
    """From offset on, exactly length bytes, or all."""
    with opened(tmp_path / "f", os.O_RDWR, b"abcdef") as fd:
        assert Rig().put(Descriptor(fd, offset=offset, length=length)) == expected


def test_a_memfd_is_a_file() -> None:
    """One that has no name."""
    fd = os.memfd_create("body")
    try:
        os.write(fd, b"miaow")
        assert Rig().put(Descriptor(fd, offset=0)) == b"miaow"
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("options", "params", "kind", "words"),
    [
        ({"offset": 2, "length": 5}, {}, BodyTooShort, "4 bytes from byte 2; length says 5"),
        ({"offset": 7, "length": 1}, {}, BodyTooShort, "0 bytes from byte 7; length says 1"),
        ({"offset": 7}, {}, BodyTooShort, "the file has 6 bytes; Body begins at byte 7"),
        ({"offset": 7, "length": 0}, {}, BodyTooShort, "6 bytes; Body begins at byte 7"),
        ({}, {"ContentLength": 7}, InvalidParam, "ContentLength is 7; Body has 6 bytes"),
        ({"offset": 2**63}, {}, InvalidParam, "at most 9223372036854775807"),
        ({"offset": 2**63 - 1, "length": 1}, {}, InvalidParam, "at most 9223372036854775807"),
    ],
)
def test_a_part_that_is_not_there(
    tmp_path: Path, options: Any, params: Params, kind: type[Exception], words: str
) -> None:
    """Found before anything is sent."""
    with opened(tmp_path / "f", os.O_RDONLY, b"abcdef") as fd, pytest.raises(kind, match=words):
        Rig().put(Descriptor(fd, **options), **params)


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    """The rest does not come: the transfer breaks off, as its length was told."""
    path = tmp_path / "f"

    def send(one: Rig, fd: int) -> None:
        assert one.bodies is not None
        with contextlib.closing(one.bodies):
            blocks = one.bodies.opened({"Body": Descriptor(fd)})["Body"].blocks()
            next(blocks)
            os.truncate(path, 10)
            for _block in blocks:
                pass

    with opened(path, os.O_RDONLY, LARGE) as fd:
        one = Rig()
        with pytest.raises(BodyTooShort, match=r"the file ends at byte 1048576; 2023424 bytes are"):
            one._run("put_object", lambda: send(one, fd))


def test_a_file_whose_size_nobody_tells() -> None:
    """As those in /proc: it would be taken for empty."""
    with opened(Path("/proc/self/stat"), os.O_RDONLY) as fd:
        with pytest.raises(InvalidParam, match="does not tell this file's size; give length"):
            Rig().put(Descriptor(fd))
        assert len(Rig().put(Descriptor(fd, length=10))) == 10


@pytest.mark.parametrize("content", [b"", b"miaow", LARGE])
def test_a_pipe_of_unknown_length_is_held_in_memory(content: bytes) -> None:
    """S3 wants to know a length first; what is held counts."""
    one = Rig()
    with pipe() as (reader, writer), thread(lambda: write_all(writer, content)):
        assert one.put(Descriptor(reader)) == content
    assert one.moved.sent_bytes == len(content)


def test_a_pipe_that_is_too_long_to_be_held() -> None:
    """The error says what to do."""
    one = Rig()
    one.inline_bytes = 100_000
    with pipe() as (reader, writer), thread(lambda: _write_until_it_breaks(writer)):
        with pytest.raises(InvalidParam, match="more than 100000 bytes and no length"):
            one.put(Descriptor(reader))
        os.close(reader)


def _write_until_it_breaks(fd: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        write_all(fd, LARGE, close=False)


@pytest.mark.parametrize("content", [b"", b"miaow", LARGE])
def test_a_pipe_of_known_length_passes(content: bytes) -> None:
    """It ends when it should; no more than a block of it is in memory."""
    with pipe() as (reader, writer), thread(lambda: write_all(writer, content)):
        assert Rig().put(Descriptor(reader), ContentLength=len(content)) == content


@pytest.mark.parametrize("content", [b"miaow", LARGE])
@pytest.mark.parametrize("params", [{}, {"ContentLength": True}])
def test_a_part_of_a_pipe(content: bytes, params: Params) -> None:
    """Exactly so many bytes are taken; what comes after stays, and nobody waits for an end."""
    params = {name: len(content) for name in params}
    with (
        pipe() as (reader, writer),
        thread(lambda: write_all(writer, content + b"rest", close=False)),
    ):
        assert Rig().put(Descriptor(reader, length=len(content)), **params) == content
        assert os.read(reader, 10) == b"rest"


@pytest.mark.parametrize("size", [5, len(LARGE)])
@pytest.mark.parametrize(
    ("off", "kind", "words"),
    [(1, BodyTooShort, "were to come"), (-1, InvalidParam, "nothing was stored")],
)
def test_a_pipe_of_another_length(size: int, off: int, kind: type[Exception], words: str) -> None:
    """Too little or too much: the last block is not sent, so nothing looks whole."""
    with (
        pipe() as (reader, writer),
        thread(lambda: write_all(writer, LARGE[:size])),
        pytest.raises(kind, match=words),
    ):
        Rig().put(Descriptor(reader), ContentLength=size + off)


def test_a_pipe_cannot_be_sent_again() -> None:
    """Once it was begun; the error says why."""
    with (
        pipe() as (reader, writer),
        thread(lambda: write_all(writer, LARGE)),
        pytest.raises(CannotRepeat, match="cannot be sent again"),
    ):
        Rig().put(Descriptor(reader), ContentLength=len(LARGE), tries=2)
