"""One stream: what moves, when it waits, and how it ends."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.controls import CHUNK_BYTES, StreamCredit, StreamData, StreamEnd, read_control
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.framing import Decoder, Message
from botod.ipc.limits import Refusals
from botod.ipc.streams import (
    WINDOW_BYTES,
    IncomingStream,
    OutgoingStream,
    StreamState,
)
from support.ipc import run, until
from support.wire import UNHURRIED

BROKEN = RpcError(Code.STREAM_BROKEN, "it broke")


def meant(pieces: list[bytes]) -> Any:
    """What a message that was sent says."""
    decoder = Decoder()
    decoder.feed(b"".join(pieces))
    message = decoder.next()
    assert isinstance(message, Message)
    assert not decoder.is_half_read
    return read_control(message)


class Sender:
    """The other end of a stream that we read."""

    def __init__(self, room: int = WINDOW_BYTES) -> None:
        self.room = room
        self.held = 0
        self.granted = 0
        self.told: list[StreamCredit] = []
        self.stream = IncomingStream(7, tell=self._tell, hold=self._hold, let_go=self._let_go)

    def send(self, data: bytes) -> None:
        """A piece comes, as much as there is credit for."""
        self.granted -= len(data)
        self.stream.feed(data)

    def _tell(self, pieces: list[bytes]) -> None:
        credit = meant(pieces)
        assert isinstance(credit, StreamCredit)
        assert credit.stream == 7
        self.told.append(credit)
        self.granted += credit.size

    def _hold(self, size: int) -> None:
        if self.held + size > self.room:
            raise Refusals().error("buffered_bytes", "no room")
        self.held += size

    def _let_go(self, size: int) -> None:
        self.held -= size
        assert self.held >= 0


class Reader:
    """The other end of a stream that we send: takes messages when it is told that there are."""

    def __init__(self, credit: int) -> None:
        self.ready_num = 0
        self.over_num = 0
        self.stream = OutgoingStream(7, credit_bytes=credit, on_ready=self._ready)

    def take(self) -> list[Any]:
        """All messages that there are."""
        messages = []
        while self.stream.has_message:
            messages.append(meant(self.stream.next_message()))
        return messages

    def when_over(self) -> None:
        """Have it counted that the stream is over."""
        self.stream.when_over(self._over)

    def _ready(self, stream: OutgoingStream) -> None:
        assert stream is self.stream
        assert stream.has_message
        self.ready_num += 1

    def _over(self, stream: OutgoingStream) -> None:
        assert stream is self.stream
        self.over_num += 1


def begun(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Work that is under way."""
    return asyncio.ensure_future(work)


async def read_error(stream: IncomingStream) -> RpcError:
    """Why a stream cannot be read."""
    with pytest.raises(RpcError) as caught:
        await stream.read()
    return caught.value


# Streams that come


def test_nothing_is_granted_before_somebody_reads() -> None:
    """What nobody reads is never sent; the first read grants a window, and holds room for it."""

    async def scenario() -> None:
        sender = Sender()
        assert (sender.told, sender.held) == ([], 0)
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        assert sender.told == [StreamCredit(7, WINDOW_BYTES)]
        assert sender.held == WINDOW_BYTES
        sender.send(b"abc")
        assert await reading == b"abc"

    run(scenario())


def test_a_read_gets_all_that_is_there() -> None:
    """Pieces that came are joined, in their order; what comes next is another read's."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.send(b"ab")
        sender.send(b"c")
        assert await reading == b"abc"
        sender.send(b"d")
        assert await sender.stream.read() == b"d"
        assert sender.stream.received_bytes == 4

    run(scenario())


def test_an_empty_piece_is_not_the_end() -> None:
    """Who reads takes nothing for the end, so that a piece without bytes must not wake him."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.send(b"")
        await asyncio.sleep(0)
        assert not reading.done()
        sender.send(b"a")
        sender.send(b"")
        assert await reading == b"a"
        reading = begun(sender.stream.read())
        await asyncio.sleep(0)
        assert not reading.done()
        sender.stream.end()
        assert await reading == b""

    run(scenario())


def test_empty_pieces_take_no_memory() -> None:
    """They need no credit, so that a peer may send as many as it likes."""
    sender = Sender()
    for _ in range(100):
        sender.send(b"")
    assert not sender.stream._unread


def test_the_end_comes_after_all_that_was_sent() -> None:
    """First what is unread, then nothing, as often as one asks; no credit is granted for it."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.send(b"abc")
        sender.stream.end()
        assert sender.stream.is_whole
        assert await reading == b"abc"
        assert await sender.stream.read() == b""
        assert await sender.stream.read() == b""
        assert len(sender.told) == 1

    run(scenario())


def test_an_end_wakes_who_waits() -> None:
    """An empty stream is read to its end at once."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.stream.end()
        assert await reading == b""

    run(scenario())


def test_credit_is_granted_again_when_half_has_come() -> None:
    """Not for each piece: one message a half window, and never more than a window is out."""

    async def scenario() -> None:
        sender = Sender()
        half = WINDOW_BYTES // 2
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.send(bytes(half - 1))
        assert len(await reading) == half - 1
        reading = begun(sender.stream.read())
        await asyncio.sleep(0)
        assert len(sender.told) == 1
        sender.send(b"x")
        assert await reading == b"x"
        reading = begun(sender.stream.read())
        await until(lambda: len(sender.told) == 2)
        assert sender.told[1] == StreamCredit(7, half)
        assert sender.granted == sender.held == WINDOW_BYTES
        sender.stream.end()
        assert await reading == b""

    run(scenario())


@pytest.mark.parametrize("size", [1, WINDOW_BYTES])
def test_bytes_without_credit_are_a_fault(size: int) -> None:
    """Before the first read there is none at all; the message has the numbers."""
    sender = Sender()
    with pytest.raises(ProtocolError, match=f"{size} bytes came, 0 bytes of credit") as fault:
        sender.stream.feed(bytes(size))
    assert fault.value.code == Code.INVALID_REQUEST
    assert sender.stream.received_bytes == 0


def test_one_byte_over_the_credit_is_a_fault() -> None:
    """All that was granted may come, and no more, however it is cut."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.send(bytes(WINDOW_BYTES))
        with pytest.raises(ProtocolError):
            sender.send(b"x")
        assert len(await reading) == WINDOW_BYTES

    run(scenario())


@pytest.mark.parametrize("data", [b"x", b""])
def test_bytes_after_the_end_are_a_fault(data: bytes) -> None:
    """A peer that goes on after its own end cannot be understood."""
    sender = Sender()
    sender.stream.end()
    with pytest.raises(ProtocolError, match="the stream is ended"):
        sender.stream.feed(data)


def test_who_reads_a_broken_stream_is_told() -> None:
    """Whoever waits, and whoever asks later; what was unread is not given out as if all were."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(read_error(sender.stream))
        await until(lambda: sender.told)
        sender.send(b"unread")
        sender.stream.break_off(BROKEN)
        assert await reading is BROKEN
        assert await read_error(sender.stream) is BROKEN
        assert not sender.stream.is_whole

    run(scenario())


def test_a_stream_breaks_once() -> None:
    """The first reason counts; an end after it changes nothing, and what still comes is dropped."""

    async def scenario() -> None:
        sender = Sender()
        sender.stream.break_off(BROKEN)
        sender.stream.break_off(RpcError(Code.CANCELLED, "later"))
        sender.stream.end()
        sender.stream.feed(b"on its way")
        assert sender.stream.state is StreamState.BROKEN
        assert await read_error(sender.stream) is BROKEN

    run(scenario())


def test_closing_gives_the_room_back_once() -> None:
    """When the request is over the window is free; closing again is nothing."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(read_error(sender.stream))
        await until(lambda: sender.held)
        sender.stream.close()
        assert sender.held == 0
        sender.stream.close()
        assert sender.held == 0
        assert (await reading).message == "the request is over"

    run(scenario())


def test_closing_what_was_never_read_gives_nothing_back() -> None:
    """Room that was not held is not let go."""
    sender = Sender()
    sender.stream.close()
    assert sender.held == 0


def test_without_room_a_stream_cannot_be_read() -> None:
    """The reader is told, no credit is granted, and the next try may find room."""

    async def scenario() -> None:
        sender = Sender(room=WINDOW_BYTES - 1)
        error = await read_error(sender.stream)
        assert (error.code, error.data["retryable"]) == (Code.OVERLOADED, True)
        assert sender.told == []
        sender.room = WINDOW_BYTES
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        sender.send(b"x")
        assert await reading == b"x"

    run(scenario())


def test_a_reader_that_was_cancelled_harms_nobody() -> None:
    """What comes then is there for the next one."""

    async def scenario() -> None:
        sender = Sender()
        reading = begun(sender.stream.read())
        await until(lambda: sender.told)
        reading.cancel()
        sender.send(b"abc")
        assert await sender.stream.read() == b"abc"
        with pytest.raises(asyncio.CancelledError):
            await reading

    run(scenario())


@UNHURRIED
@given(sizes=st.lists(st.integers(0, WINDOW_BYTES), max_size=20), data=st.data())
def test_whatever_the_sizes_all_comes_and_the_window_holds(
    sizes: list[int], data: st.DataObject
) -> None:
    """Byte for byte; and credit plus what is unread never passes what is held."""

    async def scenario() -> None:
        sender, got, sent = Sender(), bytearray(), bytearray()
        for number, wanted in enumerate(sizes):
            reading = begun(sender.stream.read())
            await asyncio.sleep(0)
            for _ in range(data.draw(st.integers(1, 3))):
                piece = bytes([number]) * min(wanted, sender.granted)
                sender.send(piece)
                sent += piece
                assert sender.granted + len(sender.stream._unread) <= sender.held
            if not sender.stream._unread:
                sender.send(b"!")
                sent += b"!"
            got += await reading
        sender.stream.end()
        while block := await sender.stream.read():
            got += block
        assert got == sent
        sender.stream.close()
        assert sender.held == 0

    run(scenario())


def test_repr_shows_the_state() -> None:
    """In a debugger one sees what a stream waits for."""
    assert repr(Sender().stream) == "<IncomingStream 7 open, 0 credit>"
    assert repr(Reader(5).stream) == "<OutgoingStream 7 open, 5 credit>"


# Streams that we send


def test_data_go_out_as_far_as_there_is_credit() -> None:
    """A piece at a time; the rest waits for more, and the sender with it."""

    async def scenario() -> None:
        reader = Reader(credit=2)
        sending = begun(reader.stream.send(b"abcde"))
        await asyncio.sleep(0)
        assert reader.take() == [StreamData(7, b"ab")]
        assert reader.stream.is_waiting
        assert not reader.stream.has_message
        reader.stream.credit(1)
        assert reader.take() == [StreamData(7, b"c")]
        await asyncio.sleep(0)
        assert not sending.done()
        reader.stream.credit(100)
        assert reader.take() == [StreamData(7, b"de")]
        await sending
        assert (reader.stream.sent_bytes, reader.stream.credit_bytes) == (5, 98)
        assert reader.ready_num == 3

    run(scenario())


def test_pieces_are_no_larger_than_a_chunk() -> None:
    """So that a small answer waits behind one of them only."""

    async def scenario() -> None:
        reader = Reader(credit=10 * CHUNK_BYTES)
        sending = begun(reader.stream.send(bytes(2 * CHUNK_BYTES + 1)))
        await asyncio.sleep(0)
        sizes = [len(message.data) for message in reader.take()]
        assert sizes == [CHUNK_BYTES, CHUNK_BYTES, 1]
        await sending

    run(scenario())


def test_nothing_to_send_is_sent_at_once() -> None:
    """No message, no wait, no credit."""

    async def scenario() -> None:
        reader = Reader(credit=0)
        await reader.stream.send(b"")
        assert reader.take() == []
        assert not reader.stream.is_waiting

    run(scenario())


def test_the_end_needs_no_credit_and_comes_once() -> None:
    """Behind all data; then the stream is over."""

    async def scenario() -> None:
        reader = Reader(credit=3)
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        assert reader.take() == [StreamData(7, b"abc")]
        await sending
        reader.when_over()
        reader.stream.end()
        reader.stream.end()
        assert not reader.stream.is_over
        assert reader.over_num == 0
        assert reader.take() == [StreamEnd(7, None)]
        assert reader.stream.is_over
        assert reader.over_num == 1
        assert reader.take() == []

    run(scenario())


def test_who_asks_late_is_told_that_it_is_over() -> None:
    """And only once, whatever happens to the stream later."""
    reader = Reader(credit=0)
    reader.stream.end()
    reader.take()
    reader.when_over()
    assert reader.over_num == 1
    reader.stream.break_off(BROKEN)
    assert reader.over_num == 1


def end_error(message: Any) -> RpcError:
    """The error that a stream.end has."""
    assert isinstance(message, StreamEnd)
    assert message.error is not None
    return message.error


def test_an_aborted_stream_says_why() -> None:
    """Unsent data are dropped, the sender is told, and the end has the reason."""

    async def scenario() -> None:
        reader = Reader(credit=1)
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        assert reader.take() == [StreamData(7, b"a")]
        reader.stream.abort(BROKEN)
        (end,) = reader.take()
        assert "it broke" in end_error(end).message
        with pytest.raises(RpcError) as caught:
            await sending
        assert caught.value is BROKEN
        assert reader.stream.is_over
        with pytest.raises(RpcError):
            await reader.stream.send(b"more")

    run(scenario())


def test_an_end_that_was_said_is_not_taken_back() -> None:
    """Nothing is aborted once all is sent: a whole stream stays whole."""
    reader = Reader(credit=0)
    reader.stream.end()
    reader.stream.abort(BROKEN)
    assert reader.take() == [StreamEnd(7, None)]
    reader.stream.abort(BROKEN)
    assert reader.take() == []


def test_to_a_peer_that_is_gone_nothing_is_sent() -> None:
    """Not even an end; the sender is told, and so is who waits for its being over."""

    async def scenario() -> None:
        reader = Reader(credit=1)
        reader.when_over()
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        reader.stream.break_off(BROKEN)
        assert not reader.stream.has_message
        assert reader.stream.is_over
        assert reader.over_num == 1
        with pytest.raises(RpcError) as caught:
            await sending
        assert caught.value is BROKEN

    run(scenario())


def test_an_owed_end_is_dropped_when_the_peer_goes() -> None:
    """After the end was said and before it was taken."""
    reader = Reader(credit=0)
    reader.stream.end()
    reader.stream.break_off(BROKEN)
    assert reader.stream.is_over
    assert reader.take() == []


def test_credit_that_was_granted_has_to_do_when_no_more_can_come() -> None:
    """After the peer's input has ended: as far as it goes all is sent, then the stream breaks."""

    async def scenario() -> None:
        reader = Reader(credit=2)
        reader.stream.no_more_credit()
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        data, end = reader.take()
        assert data == StreamData(7, b"ab")
        assert end_error(end).code == Code.STREAM_BROKEN
        assert "before it granted enough credit" in end_error(end).message
        with pytest.raises(RpcError):
            await sending

    run(scenario())


def test_enough_credit_is_enough_when_no_more_can_come() -> None:
    """Credit spent to its last byte breaks nothing by itself."""

    async def scenario() -> None:
        reader = Reader(credit=3)
        reader.stream.no_more_credit()
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        assert reader.take() == [StreamData(7, b"abc")]
        await sending
        reader.stream.end()
        assert reader.take() == [StreamEnd(7, None)]

    run(scenario())


def test_who_waits_for_credit_is_told_when_none_can_come() -> None:
    """The input ends while the stream waits: its end comes at once."""

    async def scenario() -> None:
        reader = Reader(credit=0)
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        assert reader.ready_num == 0
        reader.stream.no_more_credit()
        assert reader.ready_num == 1
        (end,) = reader.take()
        assert end_error(end).code == Code.STREAM_BROKEN
        with pytest.raises(RpcError):
            await sending

    run(scenario())


def test_taking_a_message_offers_nothing_meanwhile() -> None:
    """Who is told of a message may write at once: an end must not overtake the piece before it."""

    async def scenario() -> None:
        written: list[Any] = []

        def write(stream: OutgoingStream) -> None:
            while stream.has_message:
                written.append(meant(stream.next_message()))

        stream = OutgoingStream(7, credit_bytes=2, on_ready=write)
        stream.no_more_credit()
        with pytest.raises(RpcError):
            await stream.send(b"abc")
        assert [type(message) for message in written] == [StreamData, StreamEnd]

    run(scenario())


def test_who_fetches_the_data_is_told_of_the_break_once() -> None:
    """So that nothing is fetched any more that will not be sent; a good end is no break."""
    told: list[str] = []
    aborted, ended = Reader(credit=0).stream, Reader(credit=0).stream
    aborted.on_break = lambda: told.append("aborted")
    ended.on_break = lambda: told.append("ended")
    aborted.abort(BROKEN)
    aborted.break_off(BROKEN)
    ended.end()
    ended.break_off(BROKEN)
    assert told == ["aborted"]


def test_misuse_is_named() -> None:
    """Two senders, and sending after the end, are mistakes of ours."""

    async def scenario() -> None:
        reader = Reader(credit=0)
        sending = begun(reader.stream.send(b"abc"))
        await asyncio.sleep(0)
        with pytest.raises(AssertionError, match="two send"):
            await reader.stream.send(b"d")
        reader.stream.credit(3)
        reader.take()
        await sending
        reader.stream.end()
        with pytest.raises(AssertionError, match="was ended"):
            await reader.stream.send(b"d")

    run(scenario())


STEPS: list[Callable[[OutgoingStream], None]] = [
    lambda stream: stream.end(),
    lambda stream: stream.abort(BROKEN),
    lambda stream: stream.break_off(BROKEN),
    lambda stream: stream.credit(1),
    lambda stream: stream.no_more_credit(),
]


@UNHURRIED
@given(
    blocks=st.lists(st.binary(max_size=5), max_size=4),
    steps=st.lists(st.integers(0, 9), max_size=30),
    credit=st.integers(0, 9),
)
def test_in_any_order_what_is_sent_makes_sense(
    blocks: list[bytes], steps: list[int], credit: int
) -> None:
    """Data are a beginning of what was to be sent, within the credit, and one end at most follows.

    A good end comes only behind all data; who sends always gets an answer.
    """

    async def scenario() -> None:
        reader, got = Reader(credit), list[Any]()
        reader.when_over()
        granted = credit

        async def work() -> None:
            for block in blocks:
                await reader.stream.send(block)
            reader.stream.end()

        sending = begun(work())
        for step in steps:
            await asyncio.sleep(0)
            if 1 <= step < len(STEPS):
                granted += step == 3 and reader.stream._can_get_credit
                if step != 3 or reader.stream._can_get_credit:
                    STEPS[step](reader.stream)
            else:
                got += reader.take()
        while not sending.done():
            reader.stream.credit(100)
            got += reader.take()
            await asyncio.sleep(0)
            granted += 100
        got += reader.take()
        data = b"".join(message.data for message in got if isinstance(message, StreamData))
        ends = [message for message in got if isinstance(message, StreamEnd)]
        assert b"".join(blocks).startswith(data)
        assert len(data) <= granted
        assert ends == got[len(got) - len(ends) :]
        assert len(ends) <= 1
        if ends and ends[0].error is None:
            assert data == b"".join(blocks)
        assert isinstance(sending.exception(), RpcError | None)
        assert reader.stream.is_over
        assert reader.over_num == 1

    run(scenario())


def test_a_piece_as_it_stands_on_the_wire() -> None:
    """One line, and the bytes right behind it."""

    async def scenario() -> None:
        reader = Reader(credit=9)
        sending = begun(reader.stream.send(b"a\nb"))
        await asyncio.sleep(0)
        line, data = reader.stream.next_message()
        assert json.loads(line) == {
            "jsonrpc": "2.0", "method": "stream.data", "params": {"stream": 7}, "bytes": [3]
        }  # fmt: skip
        assert data == b"a\nb"
        await sending

    run(scenario())


def test_who_has_to_fetch_more_waits_for_room() -> None:
    """Until credit comes; with credit at hand not at all, and nothing is sent by that."""

    async def scenario() -> None:
        reader = Reader(credit=2)
        await reader.stream.room()
        assert not reader.stream.is_waiting
        sending = begun(reader.stream.send(b"ab"))
        await asyncio.sleep(0)
        reader.take()
        await sending
        waiting = begun(reader.stream.room())
        await asyncio.sleep(0)
        assert reader.stream.is_waiting  # as who has data: the peer is to blame
        assert reader.take() == []
        reader.stream.credit(1)
        await waiting
        assert not reader.stream.is_waiting

    run(scenario())


@pytest.mark.parametrize("how", ["abort", "break_off", "no_more_credit"])
def test_who_waits_for_room_is_told_of_the_break(how: str) -> None:
    """By whatever it is that no room will come; then at once."""

    async def scenario() -> None:
        stream = Reader(credit=0).stream
        waiting = begun(stream.room())
        await asyncio.sleep(0)
        if how == "no_more_credit":
            stream.no_more_credit()
        else:
            getattr(stream, how)(RpcError(Code.CANCELLED, "gone"))
        with pytest.raises(RpcError):
            await waiting
        with pytest.raises(RpcError):
            await stream.room()

    run(scenario())
