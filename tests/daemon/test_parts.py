"""Bodies in parts: files, and what comes once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.file_threads import FileThreads
from botod.daemon.files import open_to_read
from botod.daemon.held import Held
from botod.daemon.moved import Moved
from botod.daemon.parts import FileParts, GatheredParts
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.sources import BodyChanged, BodyTooShort, file_source
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import RpcError
from botod.ipc.limits import Budget, Refusals
from botod.pool import spawn
from support.exchanges import PLENTY_BYTES
from support.loops import run


def in_greenlet(call: Callable[[], Any]) -> None:
    """Run a test where it can park."""

    async def scenario() -> None:
        await spawn(call)

    run(scenario)


def nobody() -> bool:
    """There is no part to wait for."""
    return False


def gathered(
    pieces: list[bytes], length: int | None = None, total_bytes: int = PLENTY_BYTES
) -> GatheredParts:
    """What comes once, in these pieces."""
    left = iter(pieces)
    held = Held(Budget(total_bytes), Refusals())
    return GatheredParts(lambda: next(left, b""), length, held=held, moved=Moved())


def all_of(parts: GatheredParts, size: int) -> list[Any]:
    """All parts."""
    return list(iter(lambda: parts.next_part(size, nobody), None))


def read(source: Any) -> bytes:
    """All of a part."""
    return b"".join(source.blocks())


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=10), st.integers(1, 30))
def test_what_is_gathered_is_what_came(pieces: list[bytes], size: int) -> None:
    """In parts of one size, but for the last."""

    def call() -> None:
        parts = gathered(pieces, None)
        whole = parts.whole(size)
        content = b"".join(pieces)
        if whole is not None:
            assert (whole, len(content) <= size) == (content, True)
            return
        sizes, found = [], b""
        while (part := parts.next_part(size, nobody)) is not None:
            sizes.append(part.length_bytes)
            found += read(part)
            assert read(part) == read(part)  # for another try
            parts.sent(part)
        assert found == content
        assert set(sizes[:-1]) <= {size}

    in_greenlet(call)


@pytest.mark.parametrize(("length", "error"), [(9, InvalidParam), (11, BodyTooShort)])
def test_another_length_than_was_said(length: int, error: type[Exception]) -> None:
    """Too much and too little are errors, before the last part is given."""

    def call() -> None:
        parts = gathered([b"12345", b"67890"], length)
        assert parts.whole(4) is None
        with pytest.raises(error):
            all_of(parts, 5)

    in_greenlet(call)


def test_memory_is_given_back_part_by_part() -> None:
    """Where there is none, it is waited for a part that is under way; if none is, it is refused."""

    def call() -> None:
        parts = gathered([b"x" * 10] * 3, total_bytes=25)
        first = parts.next_part(10, nobody)
        second = parts.next_part(10, nobody)
        assert first is not None
        assert second is not None

        def one_is_sent() -> bool:
            parts.sent(first)
            return True

        third = parts.next_part(10, one_is_sent)
        assert third is not None
        assert read(third) == b"x" * 10
        refused = gathered([b"x" * 10] * 3, total_bytes=25)
        with pytest.raises(RpcError):
            refused.next_part(30, nobody)

    in_greenlet(call)


def file_parts(path: Path, **where: Any) -> tuple[FileParts, Moved]:
    """A file in parts; the descriptor is closed with the process."""
    moved = Moved()
    descriptor = Descriptor(os.open(path, os.O_RDONLY), **where)
    file = open_to_read(descriptor, FileThreads(2).of(7))
    held = Held(Budget(PLENTY_BYTES), Refusals())
    return FileParts(file, file_source(file), held=held, moved=moved), moved


def test_a_part_of_a_file_in_parts(tmp_path: Path) -> None:
    """From where the marker says, for as long as it says; what was sent is counted."""
    (tmp_path / "f").write_bytes(b"0123456789")

    def call() -> None:
        parts, moved = file_parts(tmp_path / "f", offset=1, length=8)
        assert (parts.length_bytes, parts.whole(7)) == (8, None)
        found = []
        while (part := parts.next_part(3, nobody)) is not None:
            seen: list[bytes] = []
            part.look_through(seen.append)
            assert seen == [read(part)]
            found.append(read(part))  # again: another try counts once
        assert found == [b"123", b"456", b"78"]
        assert moved.sent_bytes == 8

    in_greenlet(call)


def test_a_file_that_was_written_is_told_before_its_last_block(tmp_path: Path) -> None:
    """So that what is sent at once is not stored."""
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)

    def call() -> None:
        parts, _moved = file_parts(tmp_path / "f")
        parts.check()
        whole = parts.whole(3_000_000)
        assert whole is not None
        assert len(read(whole)) == 3_000_000
        with (tmp_path / "f").open("ab") as file:
            file.write(b"y")
        with pytest.raises(BodyChanged):
            parts.check()
        came: list[bytes] = []
        with pytest.raises(BodyChanged):
            came.extend(whole.blocks())
        assert sum(map(len, came)) < 3_000_000

    in_greenlet(call)
