"""How a connection that was refused ends."""

import asyncio
import socket

import pytest

from botod.ipc import lingering
from botod.ipc.lingering import linger
from support.ipc import run


async def ended(ours: socket.socket, theirs: socket.socket, *, closes: bool) -> None:
    """The peer reads why we linger although it writes a lot before it looks."""
    ours.setblocking(False)
    hung_up = asyncio.Event()
    ours.sendall(b"why")

    def hang_up() -> None:
        asyncio.get_running_loop().remove_reader(ours)
        hung_up.set()

    linger(ours, hang_up)
    await asyncio.to_thread(theirs.sendall, bytes(2_000_000))
    if closes:
        theirs.shutdown(socket.SHUT_WR)
    await hung_up.wait()
    ours.close()
    assert theirs.recv(100) == b"why"


def test_a_peer_in_the_middle_of_a_write_reads_why() -> None:
    """What it writes is dropped; closed at once, its error would be a broken pipe."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        run(ended(ours, theirs, closes=True))


def test_a_peer_that_stays_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had its moment."""
    monkeypatch.setattr(lingering, "LINGER_S", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        run(ended(ours, theirs, closes=False))


def test_a_peer_that_is_gone_is_no_error() -> None:
    """There is nobody to tell."""

    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.close()
        hung_up = asyncio.Event()

        def hang_up() -> None:
            asyncio.get_running_loop().remove_reader(ours)
            hung_up.set()

        linger(ours, hang_up)
        await hung_up.wait()
        ours.close()

    run(scenario())
