"""How a body goes out as a stream from asyncio."""

import io
import itertools
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc import aio
from botod.ipc.aio_sending import _reader
from botod.ipc.sending import Pieces
from support.ipc import Daemon, run
from support.stores import Store
from support.wire import UNHURRIED

LARGE = bytes(range(256)) * 4 * 1024 * 3
"""3 MiB of every byte: some windows of a stream."""


def test_what_a_body_may_come_from(path: Path, tmp_path: Path) -> None:
    """A file by its descriptor; others as streams."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(LARGE), 100_000):
            yield LARGE[at : at + 100_000]

    async def scenario(store: Store) -> None:
        (tmp_path / "f").write_bytes(LARGE)
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            with (tmp_path / "f").open("rb") as file:
                for body in (file, io.BytesIO(LARGE), pieces(), iter([LARGE[:9], LARGE[9:]])):
                    await s3.put_object(Key="k", Body=body)
                    assert store.objects.pop("k") == LARGE
        assert store.ways == ["Descriptor", *["IncomingStream"] * 3]

    with Daemon(path, store := Store()):
        run(scenario(store))


class AsyncReader:
    """Something whose read is awaited."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    async def read(self, size: int) -> bytes:
        return self._file.read(size)


class Blocking(io.RawIOBase):
    """A file that may block: it notes which threads read it."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.readers: set[int] = set()

    def read(self, size: int = -1) -> bytes:
        self.readers.add(threading.get_ident())
        return self._file.read(size)


async def given_by(source: Any, sizes: list[int]) -> bytes:
    """All that a source gives, when it is asked for pieces of these sizes, over and over."""
    read, whole = _reader(Pieces(source, None)), b""
    for size in itertools.cycle(sizes):
        piece = await read(size)
        assert len(piece) <= size
        if not piece:
            return whole
        whole += piece
    raise AssertionError("sizes end")


@UNHURRIED
@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 30), min_size=1))
def test_pieces_of_any_size_come_out_whole(pieces: list[bytes], sizes: list[int]) -> None:
    """However they are given and asked for; from what is awaited and what is not."""

    async def scenario() -> None:
        async def awaited() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        whole = b"".join(pieces)
        for source in (awaited(), iter(pieces), AsyncReader(whole), io.BytesIO(whole)):
            assert await given_by(source, sizes) == whole

    run(scenario())


def test_what_may_block_is_read_in_a_thread() -> None:
    """The loop goes on meanwhile; what is in memory is read at once."""

    async def scenario() -> None:
        file = Blocking(b"abc")
        assert await given_by(file, [2]) == b"abc"
        assert file.readers
        assert threading.get_ident() not in file.readers

    run(scenario())


def test_an_async_source_gives_bytes() -> None:
    """Text is named, not sent."""

    async def scenario() -> None:
        async def text() -> AsyncIterator[Any]:
            yield "text"

        with pytest.raises(TypeError, match="not str"):
            await given_by(text(), [9])

    run(scenario())
