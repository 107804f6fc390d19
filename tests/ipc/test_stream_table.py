"""The streams of one connection: which there are, and what messages about them do."""

import asyncio
from typing import Any

import pytest

from botod.ipc import stream_table
from botod.ipc.controls import CHUNK_BYTES, StreamCancel, StreamCredit, StreamData, StreamEnd
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.limits import Budget, Refusals
from botod.ipc.stream_table import StreamTable
from botod.ipc.streams import WINDOW_BYTES, IncomingStream, OutgoingStream, StreamState
from support.ipc import run, until

GONE = RpcError(Code.CANCELLED, "the peer hung up")
STALLED = RpcError(Code.TOO_SLOW, "no credit")


class Connection:
    """A table, and what it would send."""

    def __init__(self, *, most: int = 4, credit: int | None = 10) -> None:
        self.budget = Budget(4 * WINDOW_BYTES)
        self.refusals = Refusals()
        self.told: list[list[bytes]] = []
        self.ready: list[OutgoingStream] = []
        self.table = StreamTable(
            most=most,
            budget=self.budget,
            refusals=self.refusals,
            tell=self.told.append,
            on_ready=self.ready.append,
        )
        self.table.initial_credit = credit

    def take(self) -> None:
        """Take all messages of all streams, as if they were written."""
        while self.ready:
            stream = self.ready.pop()
            while stream.has_message:
                stream.next_message()


async def reading(connection: Connection, stream: IncomingStream) -> "asyncio.Task[bytes]":
    """A read that has granted credit, and waits."""
    task = asyncio.ensure_future(stream.read())
    told = len(connection.told)
    await until(lambda: len(connection.told) > told)
    return task


async def waiting(stream: OutgoingStream) -> "asyncio.Task[None]":
    """Somebody who sends more than there is credit for."""
    task = asyncio.ensure_future(stream.send(bytes(1000 * 1024)))
    await asyncio.sleep(0)
    return task


async def broken_by(task: "asyncio.Task[Any]") -> RpcError:
    """Why what somebody waited for did not come."""
    with pytest.raises(RpcError) as caught:
        await task
    return caught.value


def test_each_message_about_streams_has_a_deed() -> None:
    """The table is whole."""
    assert set(stream_table._DEEDS) == {StreamCancel, StreamCredit, StreamData, StreamEnd}


# Streams that come


def test_data_and_end_reach_their_stream() -> None:
    """By its number, in their order."""

    async def scenario() -> None:
        connection = Connection()
        first, second = connection.table.open_incoming([3, 7])
        assert (first.number, second.number) == (3, 7)
        task = await reading(connection, second)
        connection.table.obey(StreamData(7, b"abc"))
        connection.table.obey(StreamEnd(7, None))
        assert await task == b"abc"
        assert second.is_whole
        assert first.state is StreamState.OPEN

    run(scenario())


def test_an_end_with_an_error_breaks_the_stream() -> None:
    """Who reads has the sender's reason."""

    async def scenario() -> None:
        connection = Connection()
        (stream,) = connection.table.open_incoming([1])
        task = await reading(connection, stream)
        error = RpcError(Code.STREAM_BROKEN, "disk full")
        connection.table.obey(StreamEnd(1, error))
        assert await broken_by(task) is error

    run(scenario())


@pytest.mark.parametrize("numbers", [[5], [4], [0], [6, 5], [7, 0]])
def test_a_number_is_larger_than_all_before(numbers: list[int]) -> None:
    """So what is late for an old stream is never taken for a new one; nothing is opened."""
    connection = Connection()
    connection.table.open_incoming([5, 2])
    with pytest.raises(RpcError, match="larger than those before, 5") as refused:
        connection.table.open_incoming(numbers)
    assert refused.value.code == Code.INVALID_REQUEST
    assert len(connection.table.open_incoming([6, 7])) == 2


def test_a_request_without_streams_opens_none() -> None:
    """Whatever there was before."""
    connection = Connection()
    connection.table.open_incoming([5])
    assert not connection.table.open_incoming([])


def test_data_for_what_never_was_a_stream_are_a_fault() -> None:
    """Nobody granted credit for it."""
    connection = Connection()
    connection.table.open_incoming([5])
    with pytest.raises(ProtocolError, match="never was a stream 6"):
        connection.table.obey(StreamData(6, b"x"))


def test_what_comes_for_a_stream_that_is_over_is_dropped() -> None:
    """It was on its way when the request was answered."""
    connection = Connection()
    streams = connection.table.open_incoming([5])
    connection.table.close_incoming(streams)
    connection.table.obey(StreamData(5, b"x"))
    connection.table.obey(StreamEnd(5, None))
    assert streams[0].state is StreamState.BROKEN


def test_the_end_of_a_refused_requests_stream_is_no_fault() -> None:
    """A peer may end a stream before it reads that its request was refused."""
    connection = Connection()
    connection.table.obey(StreamEnd(9, None))
    connection.table.obey(StreamEnd(9, RpcError(Code.STREAM_BROKEN, "no")))


def test_closing_gives_back_what_was_held() -> None:
    """A request's streams leave no room taken, read or not."""

    async def scenario() -> None:
        connection = Connection()
        streams = connection.table.open_incoming([1, 2])
        task = await reading(connection, streams[0])
        assert connection.budget.used_bytes == WINDOW_BYTES
        connection.table.close_incoming(streams)
        assert connection.budget.used_bytes == 0
        assert (await broken_by(task)).code == Code.STREAM_BROKEN

    run(scenario())


def test_a_stream_without_room_is_refused_and_counted() -> None:
    """Who reads is told to come back; the limit's name is the budget's."""

    async def scenario() -> None:
        connection = Connection()
        connection.budget.force(connection.budget.total_bytes)
        (stream,) = connection.table.open_incoming([1])
        with pytest.raises(RpcError) as refused:
            await stream.read()
        assert refused.value.code == Code.OVERLOADED
        assert connection.refusals.by_limit() == {"buffered_bytes": 1}

    run(scenario())


# How many


def test_no_more_are_open_than_may_be() -> None:
    """Both ways together; the refusal is counted and takes nothing."""
    connection = Connection(most=3)
    connection.table.open_incoming([1, 2])
    outgoing = connection.table.open_outgoing()
    for refused in (lambda: connection.table.open_incoming([3]), connection.table.open_outgoing):
        with pytest.raises(RpcError) as caught:
            refused()
        assert caught.value.code == Code.OVERLOADED
        assert caught.value.data["limit"] == "streams_per_peer"
    assert connection.refusals.by_limit() == {"streams_per_peer": 2}
    outgoing.end()
    connection.take()
    connection.table.forget_ended()
    assert connection.table.open_incoming([3])


def test_all_streams_of_a_request_fit_or_none() -> None:
    """A refused request leaves nothing open, and its numbers may be used again."""
    connection = Connection(most=1)
    with pytest.raises(RpcError):
        connection.table.open_incoming([1, 2])
    assert len(connection.table.open_incoming([1])) == 1


# Streams that we send


def test_our_streams_are_numbered_one_after_the_other() -> None:
    """From 1, each with the credit that the peer granted beforehand."""
    connection = Connection(credit=10)
    streams = [connection.table.open_outgoing() for _ in range(3)]
    assert [stream.number for stream in streams] == [1, 2, 3]
    assert {stream.credit_bytes for stream in streams} == {10}
    assert connection.table.outgoing


def test_a_peer_that_reads_no_streams_gets_none() -> None:
    """To open one all the same is a mistake of ours."""
    with pytest.raises(AssertionError, match="reads no streams"):
        Connection(credit=None).table.open_outgoing()


def test_credit_and_cancel_reach_their_stream() -> None:
    """A cancelled one is ended with the reason."""

    async def scenario() -> None:
        connection = Connection(credit=10)
        first, second = connection.table.open_outgoing(), connection.table.open_outgoing()
        task = await waiting(second)
        connection.table.obey(StreamCredit(1, 7))
        connection.table.obey(StreamCancel(2))
        assert first.credit_bytes == 17
        assert second.state is StreamState.BROKEN
        assert (await broken_by(task)).code == Code.CANCELLED

    run(scenario())


@pytest.mark.parametrize("number", [0, 2, 10**4000])
def test_word_of_a_stream_that_never_was_is_a_fault(number: int) -> None:
    """Ours begin at 1, and the peer can know of no more than there are."""
    connection = Connection()
    connection.table.open_outgoing()
    for control in (StreamCredit(number, 1), StreamCancel(number)):
        with pytest.raises(ProtocolError, match="never was a stream"):
            connection.table.obey(control)


def test_word_of_a_stream_that_has_ended_is_late_and_no_fault() -> None:
    """Its end was on its way to the peer."""
    connection = Connection()
    stream = connection.table.open_outgoing()
    stream.end()
    connection.take()
    connection.table.forget_ended()
    assert not connection.table.outgoing
    connection.table.obey(StreamCredit(1, 1))
    connection.table.obey(StreamCancel(1))


def test_only_ended_streams_are_forgotten() -> None:
    """One whose end is still to be written counts."""
    connection = Connection()
    stream, other = connection.table.open_outgoing(), connection.table.open_outgoing()
    stream.end()
    connection.table.forget_ended()
    connection.table.obey(StreamCredit(1, 1))
    assert stream.credit_bytes == 11
    connection.take()
    connection.table.forget_ended()
    assert connection.table.outgoing
    assert not other.is_over


# Peers that do not read on


def test_a_stream_that_stalls_from_look_to_look_is_ended() -> None:
    """Seen waiting twice with nothing sent in between; seen once it may still go on."""

    async def scenario() -> None:
        connection = Connection(credit=0)
        task = await waiting(connection.table.open_outgoing())
        connection.table.abort_stalled(STALLED)
        await asyncio.sleep(0)
        assert not task.done()
        connection.table.abort_stalled(STALLED)
        assert await broken_by(task) is STALLED

    run(scenario())


def test_a_slow_stream_is_not_stalled() -> None:
    """A piece between two looks is enough; less would hold a slot for ever."""

    async def scenario() -> None:
        connection = Connection(credit=0)
        stream = connection.table.open_outgoing()
        task = await waiting(stream)
        for _ in range(3):
            connection.table.abort_stalled(STALLED)
            connection.table.obey(StreamCredit(1, CHUNK_BYTES))
            connection.take()
        await asyncio.sleep(0)
        assert not task.done()
        assert stream.sent_bytes == 3 * CHUNK_BYTES
        connection.table.abort_stalled(STALLED)
        connection.table.obey(StreamCredit(1, CHUNK_BYTES - 1))
        connection.take()
        connection.table.abort_stalled(STALLED)
        with pytest.raises(RpcError):
            await task

    run(scenario())


def test_a_stream_that_has_nothing_to_send_is_not_stalled() -> None:
    """It waits for the service, not for the peer."""
    connection = Connection(credit=0)
    stream = connection.table.open_outgoing()
    for _ in range(3):
        connection.table.abort_stalled(STALLED)
    assert stream.state is StreamState.OPEN


# The ends of a connection


def test_when_the_input_ends_what_is_not_whole_breaks() -> None:
    """What had ended before is still read; ours go as far as their credit."""

    async def scenario() -> None:
        connection = Connection(credit=10)
        whole, half = connection.table.open_incoming([1, 2])
        task = await reading(connection, whole)
        half_task = await reading(connection, half)
        connection.table.obey(StreamData(1, b"abc"))
        connection.table.obey(StreamEnd(1, None))
        sending = await waiting(connection.table.open_outgoing())
        connection.table.no_more_comes()
        assert await task == b"abc"
        assert await whole.read() == b""
        assert (await broken_by(half_task)).code == Code.STREAM_BROKEN
        connection.take()
        assert (await broken_by(sending)).code == Code.STREAM_BROKEN

    run(scenario())


def test_when_the_peer_hangs_up_what_came_whole_can_still_be_read() -> None:
    """Work that goes on without the peer needs it; all the rest breaks, and nothing is sent."""

    async def scenario() -> None:
        connection = Connection(credit=10)
        whole, half = connection.table.open_incoming([1, 2])
        task = await reading(connection, whole)
        connection.table.obey(StreamData(1, b"abc"))
        connection.table.obey(StreamEnd(1, None))
        sending = await waiting(connection.table.open_outgoing())
        connection.table.hang_up(GONE)
        assert await task == b"abc"
        assert await whole.read() == b""
        assert half.state is StreamState.BROKEN
        assert await broken_by(sending) is GONE
        assert not any(stream.has_message for stream in connection.ready)

    run(scenario())


def test_a_stream_for_a_peer_that_is_gone_is_broken_from_the_start() -> None:
    """Work that goes on may still open one: it is told at its first byte."""

    async def scenario() -> None:
        connection = Connection()
        connection.table.hang_up(GONE)
        stream = connection.table.open_outgoing()
        with pytest.raises(RpcError) as caught:
            await stream.send(b"x")
        assert caught.value is GONE
        assert stream.is_over

    run(scenario())
