"""How a body goes out as a stream from asyncio."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

from botod.ipc import aio
from support.ipc import Daemon, run
from support.stores import Store

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
