"""A body sent as a stream: whole, cut, left, or not wanted any more."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from botod.daemon.moved import Moved
from botod.daemon.pump import Pump
from botod.daemon.services.answers import Download
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender
from botod.ipc.streams import OutgoingStream
from botod.pool import wait
from botod.pool.pieces import size_of
from support.bodies import BodyResponse
from support.exchanges import Peer
from support.loops import run

GONE = RpcError(Code.CANCELLED, "the job was ended")
BODY = b"0123456789" * 100_000


class Slow(BodyResponse):
    """An answer that never comes."""

    def read_pieces(self, _size: int) -> list[bytes]:
        return wait(asyncio.get_running_loop().create_future())


class Broken(BodyResponse):
    """An answer that breaks off."""

    def read_pieces(self, _size: int) -> list[bytes]:
        raise ConnectionResetError("cut")


class Rig:
    """A pump between an answer and a peer that lets `credit_bytes` come."""

    def __init__(self, response: BodyResponse, credit_bytes: int) -> None:
        self.response = response
        self.moved = Moved()
        self.peer = Peer("s3.get_object", sender=Sender(1, 2, 3, 4), credit_bytes=credit_bytes)
        self.stream: OutgoingStream = self.peer.exchange.open_stream()
        self.peer.exchange.answer({"Body": self.stream})
        self.pump = Pump(
            Download(response),
            self.stream,
            moved=self.moved,
            explain=lambda error: RpcError(Code.UNREACHABLE, str(error)),
            gone=lambda: GONE,
        )
        self.future = self.pump.start("s3.get_object stream")


def scenario(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it; the greenlets have ended by then."""
    run(main)


def test_a_whole_body() -> None:
    """All of it, then the end."""

    async def main() -> None:
        one = Rig(BodyResponse(BODY), len(BODY))
        await one.future
        await one.peer.ended()
        assert bytes(one.peer.received) == BODY
        assert (one.peer.stream_error, one.pump.error) == (None, None)
        assert one.moved.received_bytes == len(BODY)
        assert one.response.is_closed

    scenario(main)


def test_a_peer_sets_the_pace() -> None:
    """Nothing is read beyond a block while it grants no credit."""

    async def main() -> None:
        one = Rig(BodyResponse(BODY), 10)
        await one.peer.until(lambda: len(one.peer.received) == 10)
        assert size_of(one.response.read_pieces(len(BODY))) == len(BODY) - 256 * 1024
        one.stream.credit(len(BODY))
        await one.future
        assert len(one.peer.received) == 256 * 1024

    scenario(main)


def test_a_service_that_breaks_off() -> None:
    """The stream ends with the wire's error."""

    async def main() -> None:
        one = Rig(Broken(BODY), 10)
        await one.future
        assert one.pump.error is not None
        assert one.pump.error.code == Code.UNREACHABLE
        assert one.peer.stream_error == {"code": Code.UNREACHABLE, "message": "cut"}
        assert one.response.is_closed

    scenario(main)


def test_a_peer_that_wants_no_more_while_it_is_sent() -> None:
    """The piece under way is the last that was read."""

    async def main() -> None:
        one = Rig(BodyResponse(BODY), 10)
        await one.peer.until(lambda: bool(one.peer.received))
        one.peer.exchange.cancel()
        await asyncio.wait([one.future])
        assert one.pump.error is not None
        assert one.response.is_closed
        assert one.peer.has_ended

    scenario(main)


def test_a_peer_that_wants_no_more_while_the_service_is_slow() -> None:
    """Nothing more is waited for: the slot is free at once."""

    async def main() -> None:
        one = Rig(Slow(BODY), 10)
        await asyncio.sleep(0)
        assert not one.future.done()
        one.peer.exchange.cancel()
        await asyncio.wait([one.future])
        assert one.pump.error is GONE
        assert one.response.is_closed

    scenario(main)


def test_ended_before_it_began() -> None:
    """The answer is closed all the same, and the peer is told."""

    async def main() -> None:
        one = Rig(BodyResponse(BODY), 10)
        one.future.cancel()
        await asyncio.wait([one.future])
        await asyncio.sleep(0)
        assert one.response.is_closed
        assert one.peer.stream_error is not None
        assert one.peer.stream_error["code"] == Code.CANCELLED

    scenario(main)
