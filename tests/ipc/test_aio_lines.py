"""The connection of an asyncio client, when daemons go and come."""

import asyncio
import os
from pathlib import Path

import pytest

from botod.ipc import DaemonLost, DaemonUnavailable, Overloaded, aio
from botod.ipc.errors import Code
from support.ipc import Daemon, run, strange_daemon
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
