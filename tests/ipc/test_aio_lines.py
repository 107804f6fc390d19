"""The connection of an asyncio client, when daemons go and come."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from botod.ipc import DaemonLost, DaemonUnavailable, Overloaded, aio, aio_lines
from botod.ipc.aio_line import AsyncLine, open_line
from botod.ipc.errors import Code
from support.ipc import STEP_TIMEOUT_S, Daemon, bound, run, strange_daemon
from support.stores import Store


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


def answer(sock: socket.socket, text: str) -> None:
    """Send a line to a client."""
    sock.sendall(text.encode() + b"\n")


REFUSED = '{"jsonrpc":"2.0","id":2,"error":{"code":-32006,"message":"stopping"}}'


@contextmanager
def two_daemons(path: Path) -> Iterator[Callable[[], socket.socket]]:
    """What takes the next connection of a client."""
    listener = bound(path)
    listener.listen()
    listener.settimeout(STEP_TIMEOUT_S)
    accepted: list[socket.socket] = []

    def accept() -> socket.socket:
        accepted.append(listener.accept()[0])
        accepted[-1].settimeout(STEP_TIMEOUT_S)
        return accepted[-1]

    try:
        yield accept
    finally:
        for sock in (listener, *accepted):
            sock.close()


def test_what_an_old_daemon_took_is_still_awaited(path: Path) -> None:
    """The next requests go to the new one meanwhile; the old connection ends with its last."""

    async def scenario(accept: Callable[[], socket.socket]) -> None:
        async with await aio.connect(str(path)) as connection:
            taken = asyncio.create_task(connection.call("s3.slow"))
            old = await asyncio.to_thread(accept)
            assert b"s3.slow" in await asyncio.to_thread(old.recv, 65536)
            refused = asyncio.create_task(connection.call("s3.next"))
            assert b"s3.next" in await asyncio.to_thread(old.recv, 65536)
            answer(old, REFUSED)
            new = await asyncio.to_thread(accept)
            assert b"s3.next" in await asyncio.to_thread(new.recv, 65536)
            answer(new, '{"jsonrpc":"2.0","id":1,"result":"new"}')
            assert await refused == "new"
            assert not taken.done()
            answer(old, '{"jsonrpc":"2.0","id":1,"result":"old"}')
            assert await taken == "old"

    with two_daemons(path) as accept:
        run(scenario(accept))


def test_closing_hangs_up_on_old_daemons_too(path: Path) -> None:
    """What they still do is ended, and nobody waits for ever."""

    async def scenario(accept: Callable[[], socket.socket]) -> None:
        async with await aio.connect(str(path)) as connection:
            taken = asyncio.create_task(connection.call("s3.slow"))
            old = await asyncio.to_thread(accept)
            await asyncio.to_thread(old.recv, 65536)
            refused = asyncio.create_task(connection.call("s3.next"))
            await asyncio.to_thread(old.recv, 65536)
            answer(old, REFUSED)
            new = await asyncio.to_thread(accept)
            await asyncio.to_thread(new.recv, 65536)
        for task in (taken, refused):
            with pytest.raises(DaemonLost, match="was closed"):
                await task
        assert await asyncio.to_thread(old.recv, 65536) == b""

    with two_daemons(path) as accept:
        run(scenario(accept))


def test_a_connection_that_is_closed_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked over what comes of it, and it is closed, too."""
    made = []

    async def scenario() -> None:
        async def late(path: str, *, timeout_s: float) -> AsyncLine:
            connection.close()
            made.append(await open_line(path, timeout_s=timeout_s))
            return made[0]

        monkeypatch.setattr(aio_lines, "open_line", late)
        connection = aio.Connection(str(tmp_path / "socket"))
        with pytest.raises(DaemonUnavailable, match="is closed"):
            await connection.call("x.y")
        assert not made[0].is_connected

    with bound(tmp_path / "socket") as listener:
        listener.listen()
        run(scenario())
