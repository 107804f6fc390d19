"""The client for asyncio: one connection, many requests, bodies both ways, and cancel."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import DaemonLost, DaemonUnavailable, Overloaded, aio
from botod.ipc.errors import Code, MethodNotFound
from support.ipc import Daemon, limits, run, strange_daemon
from support.stores import Store

LARGE = bytes(range(256)) * 4 * 1024 * 3
"""3 MiB of every byte: some windows of a stream."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the daemon is."""
    return tmp_path / "s"


def test_many_requests_on_one_connection(path: Path) -> None:
    """Each gets its own answer, in whatever order they come."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            echo = connection.client("s3").echo
            answers = await asyncio.gather(*(echo(N=number) for number in range(50)))
        assert [answer["N"] for answer in answers] == list(range(50))

    with Daemon(path, Store()):
        run(scenario())


def test_a_body_there_and_back(path: Path) -> None:
    """Small ones beside the line, large ones by streams; every byte."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            s3 = connection.client("s3")
            for body in (b"", bytes(range(256)), LARGE):
                await s3.put_object(Key="k", Body=body)
                got = (await s3.get_object(Key="k"))["Body"]
                assert await got.read() == body
                assert await got.read() == b""

    with Daemon(path, Store()):
        run(scenario())


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


def test_cancelling_the_task_cancels_the_request(path: Path) -> None:
    """The daemon is told, and the connection goes on."""

    async def scenario(store: Store) -> None:
        async with await aio.connect(str(path)) as connection:
            task = asyncio.create_task(connection.call("s3.hold"))
            while not store.held:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while not store.held[0].is_cancelled:
                await asyncio.sleep(0)
            assert await connection.call("s3.echo", {"N": 1}) == {"N": 1}

    with Daemon(path, store := Store()):
        run(scenario(store))


def test_a_batch(path: Path) -> None:
    """Results and errors, in order, however many there are."""

    async def scenario() -> None:
        async with await aio.connect(str(path)) as connection:
            calls: list[Any] = [("s3.echo", {"N": number}) for number in range(130)]
            outcomes = await connection.batch([*calls, ("s3.none", {})])
        assert outcomes[:-1] == [{"N": number} for number in range(130)]
        assert isinstance(outcomes[-1], MethodNotFound)

    with Daemon(path, Store(), limits(in_flight_per_peer=256)):
        run(scenario())


def test_a_daemon_that_is_started_again(path: Path) -> None:
    """What was not sent to the old one is sent to the new one."""

    async def scenario() -> None:
        with Daemon(path, Store()) as first:
            connection = await aio.connect(str(path))
            assert await connection.call("s3.echo", {"N": 1}) == {"N": 1}
            await asyncio.to_thread(first.stop)
        os.unlink(path)  # noqa: PTH108 - no waiting
        with Daemon(path, Store()):
            assert await connection.call("s3.echo", {"N": 2}) == {"N": 2}
            connection.close()
            with pytest.raises(DaemonUnavailable, match="connect anew"):
                await connection.call("s3.echo")

    run(scenario())


def test_no_daemon(path: Path) -> None:
    """It is said at once."""
    with pytest.raises(DaemonUnavailable, match="no daemon answers"):
        asyncio.run(aio.connect(str(path)))


def test_a_daemon_that_hangs_up(path: Path) -> None:
    """What it has read may have been done; that is what is raised."""

    async def scenario() -> None:
        connection = await aio.connect(str(path))
        with pytest.raises(DaemonLost, match="is not known"):
            await connection.call("s3.echo")

    with strange_daemon(path, lambda sock: sock.recv(65536)):
        run(scenario())


def test_an_answer_that_is_nonsense(path: Path) -> None:
    """It ends the request with an error, not the loop."""

    async def scenario() -> None:
        connection = await aio.connect(str(path))
        with pytest.raises(Overloaded) as caught:
            await connection.call("s3.echo")
        assert caught.value.retry_after_s == 0.1

    said = (
        b'{"jsonrpc":"2.0","id":null,"error":{"code":%d,"message":"full",'
        b'"data":{"retry_after_ms":100}}}\n' % Code.OVERLOADED
    )
    with strange_daemon(path, lambda sock: (sock.recv(65536), sock.sendall(said))):
        run(scenario())


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
