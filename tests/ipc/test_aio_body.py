"""Bodies that are read with await."""

from pathlib import Path

from botod.ipc import aio
from support.ipc import Daemon, run
from support.stores import Store

LARGE = bytes(range(256)) * 4 * 1024 * 3
"""3 MiB of every byte: some windows of a stream."""


def test_an_unread_body_holds_up_nobody(path: Path) -> None:
    """Others are answered, and other bodies come whole, while it lies there."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            await s3.put_object(Key="k", Body=LARGE)
            unread = (await s3.get_object(Key="k"))["Body"]
            other = (await s3.get_object(Key="k"))["Body"]
            assert b"".join([chunk async for chunk in other.iter_chunks(50_000)]) == LARGE
            assert await unread.read(10) == LARGE[:10]
            unread.close()
            assert await s3.echo(N=1) == {"N": 1}

    with Daemon(path, Store()):
        run(scenario())


def test_lines_of_a_body(path: Path) -> None:
    """As boto3's, with async for."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            await s3.put_object(Key="k", Body=b"a\r\nbb\n\nc")
            async with (await s3.get_object(Key="k"))["Body"] as body:
                assert [one async for one in body.iter_lines(2)] == [b"a", b"bb", b"", b"c"]

    with Daemon(path, Store()):
        run(scenario())
