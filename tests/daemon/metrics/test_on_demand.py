"""A server that is made when somebody connects."""

import asyncio
import socket
import sys

import pytest

from botod.daemon.metrics.on_demand import WEB, OnDemand
from botod.daemon.metrics.source import Source
from support.loops import BOUND_S, run

ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def is_ready() -> bool:
    """It takes jobs."""
    return True


async def snapshots() -> list[dict[str, object]]:
    """Nobody tells anything."""
    return []


def listening() -> socket.socket:
    """A port of this machine's."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


async def asked(port: int) -> bytes:
    """What is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASKED)
    answer = await asyncio.wait_for(reader.read(), BOUND_S)
    writer.close()
    return answer


def test_who_comes_first_is_served_and_who_comes_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """What serves them is not imported before; both at once have one server."""
    monkeypatch.delitem(sys.modules, WEB, raising=False)

    async def main() -> None:
        listener = listening()
        port = listener.getsockname()[1]
        one = OnDemand([listener], Source(snapshots, is_ready), checks_host=True)
        await asyncio.sleep(0)
        assert WEB not in sys.modules
        answers = await asyncio.gather(asked(port), asked(port))
        answers.append(await asked(port))
        assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
        await one.close()
        assert listener.fileno() == -1

    run(main)


def test_nobody_came() -> None:
    """Its sockets are closed all the same."""

    async def main() -> None:
        listener = listening()
        await OnDemand([listener], Source(snapshots, is_ready), checks_host=True).close()
        assert listener.fileno() == -1

    run(main)
