"""What waits to be written: answers first, streams in turns, and no byte lost."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.controls import CHUNK_BYTES
from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import Decoder, Message
from botod.ipc.outbox import WRITE_BYTES, WRITE_PIECES, Outbox
from botod.ipc.protocol import encode_notification
from botod.ipc.streams import OutgoingStream
from support.ipc import run
from support.wire import UNHURRIED


class Peer:
    """Takes what an outbox has, in pieces as a socket would, and keeps the accounts."""

    def __init__(self) -> None:
        self.accounted = 0
        self.got = bytearray()
        self.outbox = Outbox(self._account)

    def take(self, size: int) -> int:
        """Take at most so many bytes of the next buffers; how many there were."""
        data = b"".join(self.outbox.next_buffers())[:size]
        self.got += data
        if data:
            self.outbox.written(len(data))
        return len(data)

    def take_all(self) -> None:
        while self.take(WRITE_BYTES * 2):
            pass

    def methods(self) -> list[Any]:
        """What came: the streams' numbers, and the names of other messages."""
        decoder = Decoder()
        decoder.feed(bytes(self.got))
        out = []
        while isinstance(message := decoder.next(), Message):
            params = message.envelope["params"]
            out.append(params.get("stream", message.envelope["method"]))
        assert not decoder.is_half_read
        return out

    def stream(self, number: int, credit: int = 10 * CHUNK_BYTES) -> OutgoingStream:
        return OutgoingStream(number, credit_bytes=credit, on_ready=self.outbox.ready)

    def _account(self, size: int) -> None:
        self.accounted += size
        assert self.accounted >= 0


async def sending(stream: OutgoingStream, chunks: int) -> "asyncio.Task[None]":
    """Somebody who sends so many chunks."""
    task = asyncio.ensure_future(stream.send(bytes(chunks * CHUNK_BYTES)))
    await asyncio.sleep(0)
    return task


def test_messages_go_out_in_their_order() -> None:
    """Piece by piece, as they are; what is empty is not handed to the kernel."""
    peer = Peer()
    assert not peer.outbox
    peer.outbox.put([b"a", b"", b"bc"])
    peer.outbox.put([b"d"])
    assert peer.outbox
    assert peer.outbox.next_buffers() == [b"a", b"bc", b"d"]
    peer.take_all()
    assert peer.got == b"abcd"
    assert not peer.outbox
    assert peer.outbox.next_buffers() == []


def test_what_was_written_in_part_goes_on_where_it_stopped() -> None:
    """In the middle of a piece, and at its edge."""
    peer = Peer()
    peer.outbox.put([b"abc", b"def"])
    assert peer.take(2) == 2
    assert peer.outbox.waiting_bytes == 4
    assert peer.take(1) == 1
    assert peer.outbox.next_buffers() == [b"def"]
    assert peer.take(2) == 2
    assert peer.outbox.next_buffers() == [b"f"]
    peer.take_all()
    assert peer.got == b"abcdef"
    assert (peer.outbox.waiting_bytes, peer.accounted) == (0, 0)


def test_a_write_has_an_end() -> None:
    """So many buffers, or so many bytes; one piece more than that is written as it is."""
    peer = Peer()
    peer.outbox.put([b"x"] * (WRITE_PIECES + 1))
    assert len(peer.outbox.next_buffers()) == WRITE_PIECES
    peer.take_all()
    peer.outbox.put([bytes(WRITE_BYTES - 1), b"x", b"y", bytes(2 * WRITE_BYTES)])
    assert sum(map(len, peer.outbox.next_buffers())) == WRITE_BYTES
    peer.take(WRITE_BYTES)
    assert sum(map(len, peer.outbox.next_buffers())) == 2 * WRITE_BYTES + 1


def test_what_waits_is_accounted_for() -> None:
    """From the moment that the kernel does not take it until it is written or forgotten."""
    peer = Peer()
    peer.outbox.put([b"abc", b"de"])
    assert (peer.accounted, peer.outbox.waiting_bytes) == (0, 5)
    peer.take(4)
    assert peer.accounted == peer.outbox.waiting_bytes == 1
    peer.outbox.put([b"fg"])
    assert peer.accounted == peer.outbox.waiting_bytes == 3
    peer.outbox.written(0)
    assert peer.accounted == peer.outbox.waiting_bytes == 3
    peer.outbox.close()
    assert peer.accounted == peer.outbox.waiting_bytes == 0
    assert not peer.outbox
    assert peer.outbox.next_buffers() == []


@UNHURRIED
@given(
    messages=st.lists(st.lists(st.binary(max_size=9), max_size=4), max_size=9),
    sizes=st.lists(st.integers(1, 20)),
)
def test_however_the_socket_takes_it_all_of_it_goes_out(
    messages: list[list[bytes]], sizes: list[int]
) -> None:
    """Byte for byte, and the accounts are even at each step."""
    peer, put = Peer(), bytearray()
    takes = iter(sizes)
    for message in messages:
        peer.outbox.put(message)
        put += b"".join(message)
        peer.take(next(takes, 1))
        assert len(put) - len(peer.got) == peer.outbox.waiting_bytes == peer.accounted
    peer.take_all()
    assert peer.got == put
    assert peer.accounted == 0


# Streams


def test_streams_take_turns() -> None:
    """A piece of each, in the order in which they became ready, until they are done."""

    async def scenario() -> None:
        peer = Peer()
        tasks = [await sending(peer.stream(number), number) for number in (1, 2, 3)]
        peer.take_all()
        assert peer.methods() == [1, 2, 3, 2, 3, 3]
        await asyncio.gather(*tasks)
        assert not peer.outbox

    run(scenario())


def test_answers_go_before_pieces_of_streams() -> None:
    """An answer waits for the piece that was begun, and for no other."""

    async def scenario() -> None:
        peer = Peer()
        task = await sending(peer.stream(1), 3)
        assert peer.take(10) == 10
        peer.outbox.put(encode_notification("answer", {}))
        peer.take_all()
        assert peer.methods() == [1, "answer", 1, 1]
        await task

    run(scenario())


def test_a_stream_is_taken_from_only_when_there_is_nothing_else() -> None:
    """Of a stream at most one piece lies here, however slowly the peer reads."""

    async def scenario() -> None:
        peer = Peer()
        task = await sending(peer.stream(1), 10)
        for _ in range(5):
            peer.outbox.next_buffers()
            assert peer.outbox.waiting_bytes < CHUNK_BYTES + 200
            peer.take(1000)
        assert not task.done()
        task.cancel()

    run(scenario())


def test_a_stream_has_one_turn_however_often_it_is_ready() -> None:
    """Many small credits give it no more than others have."""

    async def scenario() -> None:
        peer = Peer()
        first, second = peer.stream(1, credit=0), peer.stream(2, credit=0)
        tasks = [await sending(stream, 2) for stream in (first, second)]
        for _ in range(3):
            first.credit(CHUNK_BYTES)
        second.credit(2 * CHUNK_BYTES)
        peer.take_all()
        assert peer.methods() == [1, 2, 1, 2]
        await asyncio.gather(*tasks)

    run(scenario())


def test_a_stream_without_credit_leaves_the_turn_to_others() -> None:
    """It comes back when it has some."""

    async def scenario() -> None:
        peer = Peer()
        first = peer.stream(1, credit=5)
        tasks = [await sending(first, 1), await sending(peer.stream(2), 1)]
        peer.take_all()
        assert peer.methods() == [1, 2]
        assert not peer.outbox
        first.credit(CHUNK_BYTES)
        peer.take_all()
        assert peer.methods() == [1, 2, 1]
        await asyncio.gather(*tasks)

    run(scenario())


def test_a_stream_that_broke_while_it_waited_is_passed_over() -> None:
    """The next one has its turn at once, and nothing of the broken one stays."""

    async def scenario() -> None:
        peer = Peer()
        first = peer.stream(1)
        tasks = [await sending(first, 1), await sending(peer.stream(2), 1)]
        first.break_off(RpcError(Code.CANCELLED, "gone"))
        peer.take_all()
        assert peer.methods() == [2]
        assert not peer.outbox
        with pytest.raises(RpcError):
            await tasks[0]
        await tasks[1]

    run(scenario())


def test_an_end_follows_the_last_piece() -> None:
    """Also the end that a stream gets because its credit is used up for good."""

    async def scenario() -> None:
        peer = Peer()
        stream = peer.stream(1, credit=3)
        stream.no_more_credit()
        task = await sending(stream, 1)
        peer.take_all()
        assert peer.methods() == [1, 1]
        assert peer.got.index(b"stream.data") < peer.got.index(b"stream.end")
        with pytest.raises(RpcError):
            await task
        assert not peer.outbox

    run(scenario())


def test_forgetting_forgets_the_streams_too() -> None:
    """For a peer that is gone nothing more is taken of them."""

    async def scenario() -> None:
        peer = Peer()
        stream = peer.stream(1)
        task = await sending(stream, 1)
        peer.outbox.close()
        peer.outbox.put([b"too late"])
        peer.outbox.ready(stream)
        assert not peer.outbox
        assert peer.outbox.next_buffers() == []
        assert stream.sent_bytes == 0
        task.cancel()

    run(scenario())
