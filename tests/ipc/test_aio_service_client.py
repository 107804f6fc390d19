"""The operations of one service, with await."""

import io
from pathlib import Path

import pytest

from botod.ipc import aio
from support.ipc import Daemon, run
from support.stores import Store

LARGE = bytes(range(256)) * 4 * 1024 * 3
"""3 MiB of every byte: some windows of a stream."""


def test_files_and_their_progress(path: Path, tmp_path: Path) -> None:
    """Uploaded and downloaded by descriptor; all bytes are told of."""
    told: list[int] = []

    async def scenario() -> None:
        (tmp_path / "up").write_bytes(LARGE)
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            await s3.upload_file(tmp_path / "up", "b", "k", Callback=told.append)
            assert sum(told) == len(LARGE)
            await s3.download_file("b", "k", tmp_path / "down", Callback=told.append)
            assert sum(told) == 2 * len(LARGE)
            memory = io.BytesIO()
            await s3.download_fileobj("b", "k", memory)
            assert memory.getvalue() == LARGE
            await s3.download_file("b", "k", "/dev/null")
        assert (tmp_path / "down").read_bytes() == LARGE

    with Daemon(path, Store()):
        run(scenario())
        assert Path("/dev/null").is_char_device()


def test_a_download_that_fails_leaves_nothing(path: Path, tmp_path: Path) -> None:
    """Neither the file nor a part of it."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            with pytest.raises(s3.exceptions.NoSuchKey):
                await s3.download_file("b", "none", tmp_path / "down")

    with Daemon(path, Store()):
        run(scenario())
        assert [one.name for one in tmp_path.iterdir()] == ["s"]


def test_options_and_pages(path: Path) -> None:
    """They are the blocking client's."""

    async def scenario(store: Store) -> None:
        async with await aio.connect(str(path), timeout_s=9.0) as connection:
            s3 = connection.client("s3", profile="p").with_options(priority=3)
            await s3.echo()
            assert store.requests[0].options == {"timeout_s": 9.0, "profile": "p", "priority": 3}
            assert repr(s3) == f"<aio.Client s3 at {path}>"
            assert s3.can_paginate("list_objects_v2")
            with pytest.raises(ValueError, match="does not answer in pages"):
                s3.get_paginator("echo")

    with Daemon(path, store := Store()):
        run(scenario(store))
