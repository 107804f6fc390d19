"""Streams, both ways: bytes that move only as far as their reader said, beside small answers."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from botod.ipc.controls import CHUNK_BYTES
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Stage
from botod.ipc.streams import WINDOW_BYTES
from support.ipc import (
    Answer,
    Call,
    Calls,
    Clock,
    Peer,
    cancel_request,
    envelope,
    limits,
    line,
    notification,
    request,
    run,
    say_hello,
    serving,
    some_turns,
    stream_credit,
    stream_data,
    stream_end,
    stream_piece,
    until,
    upload,
)


async def read_all(call: Call) -> bytes:
    """All of the stream that came with a request."""
    data = b""
    while piece := await call.body.read():
        data += piece
    return data


async def asked(peer: Peer, calls: Calls, sent: bytes) -> Call:
    """The one request that was sent, as the handler got it."""
    await peer.send(sent)
    return await calls.next()


async def streaming(peer: Peer, calls: Calls, call_id: Any = "down") -> Call:
    """A request that is answered with a stream, in which nothing was sent yet."""
    call = await asked(peer, calls, request(call_id))
    call.answer_stream()
    answer = await peer.answer()
    assert answer.id == call_id
    assert answer.result == {"Body": {"$stream": answer.envelope["streams"][0]}}
    return call


def stream_of(call: Call) -> Any:
    """The one stream of an answer."""
    (stream,) = call.exchange._open
    return stream


def the_end(answer: Answer, number: int) -> dict[str, Any] | None:
    """The error in the end of a stream, which this is; None: it is whole."""
    assert answer.method == "stream.end"
    assert answer.params["stream"] == number
    error: dict[str, Any] | None = answer.params.get("error")
    return error


# To the daemon


def test_credit_is_granted_only_to_who_is_read(path: Path) -> None:
    """Nothing may be sent before the handler reads; each grant follows what was read."""
    half = b"x" * (WINDOW_BYTES // 2)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            await peer.silent()
            for granted in (WINDOW_BYTES, WINDOW_BYTES // 2):
                reading = asyncio.create_task(call.body.read())
                credit = await peer.answer()
                assert credit.method == "stream.credit"
                assert credit.params == {"stream": 7, "bytes": granted}
                await peer.send(stream_data(7, half))
                got = await reading
                while len(got) < len(half):  # its chunks may come one by one
                    got += await call.body.read()
                assert got == half
                await peer.silent()

    run(scenario())


def test_a_stream_comes_whole(path: Path) -> None:
    """A sender that keeps to its credit sends any number of bytes; the end is told apart."""
    body = os.urandom(3_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 0))
            reading = asyncio.create_task(read_all(call))
            left, credit = body, 0
            while left:
                if not credit:
                    credit = (await peer.answer()).params["bytes"]
                piece, left = left[: min(credit, 50_000)], left[min(credit, 50_000) :]
                credit -= len(piece)
                await peer.send(stream_data(0, piece))
            await peer.send(stream_end(0))
            assert await reading == body
            assert host.server.budget.used_bytes == WINDOW_BYTES
            call.answer("fine")
            assert host.server.budget.used_bytes == 0

    run(scenario())


def test_an_empty_stream(path: Path) -> None:
    """It needs no credit: its end may follow the request at once, and be read later."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 3) + stream_end(3))
            await some_turns()  # a busy machine may read the two one after the other
            assert await call.body.read() == b""
            await peer.silent()
            assert host.server.budget.used_bytes == 0

    run(scenario())


@pytest.mark.parametrize("granted", [0, WINDOW_BYTES])
def test_data_without_credit_ends_the_connection(path: Path, granted: int) -> None:
    """Who sends more than it may is hung up on; what it asked for is failed, and still answered."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            reading = [asyncio.create_task(call.body.read()) for _ in range(granted > 0)]
            if granted:
                assert (await peer.answer()).params["bytes"] == granted
            await peer.send(stream_data(7, b"x" * (granted + 1)))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            await asyncio.gather(*reading, return_exceptions=True)
            with pytest.raises(RpcError) as caught:
                await call.body.read()
            call.fail(caught.value)
            assert (await peer.answer()).code == Code.STREAM_BROKEN
            assert await peer.rest() == b""

    run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        stream_data(8, b"x"),
        stream_piece(7, b"x" * (CHUNK_BYTES + 1)),
        stream_credit(1, 5),
        notification("stream.cancel", stream=1),
        stream_credit(0, 5),
        notification("stream.end"),
        notification("stream.end", stream=-1),
        notification("stream.credit", stream=1),
        line({"jsonrpc": "2.0", "method": "stream.data", "params": {"stream": 7}}),
        line(envelope(1, "stream.end", params={"stream": 7})),
    ],
)
def test_what_is_said_of_no_stream_ends_the_connection(path: Path, sent: bytes) -> None:
    """A stream that never was, or a message about one that makes no sense, is a fault."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            call.answer(None)
            assert (await peer.answer()).id == 1
            await peer.send(sent)
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            assert await peer.rest() == b""

    run(scenario())


def test_data_of_a_stream_that_is_over_is_dropped(path: Path) -> None:
    """A request may be answered before all of its stream was read; the rest was on its way."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            reading = asyncio.create_task(call.body.read())
            await peer.answer()
            await peer.send(stream_data(7, b"some"))
            assert await reading == b"some"
            call.answer("enough")
            assert (await peer.answer()).result == "enough"
            await peer.send(stream_data(7, b"x" * 1000) + stream_end(7) + request(2))
            assert (await handler.next()).request.request_id == 2
            assert host.server.budget.used_bytes == 0

    run(scenario())


def test_data_behind_the_end_is_a_fault(path: Path) -> None:
    """Who said that this was all, and goes on, does not know what it sends."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            reading = asyncio.create_task(call.body.read())
            await peer.answer()
            await peer.send(stream_data(7, b"x") + stream_end(7) + stream_data(7, b"y"))
            assert (await peer.answer()).code == Code.INVALID_REQUEST
            assert await reading == b"x"

    run(scenario())


def test_a_sender_may_break_off(path: Path) -> None:
    """An end with an error is no end: who reads gets an error that holds the sender's words."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            reading = asyncio.create_task(read_all(call))
            await peer.answer()
            broken = notification("stream.end", stream=7, error={"code": 1, "message": "disk gone"})
            await peer.send(stream_data(7, b"some") + broken)
            with pytest.raises(RpcError, match="disk gone") as caught:
                await reading
            assert caught.value.code == Code.STREAM_BROKEN

    run(scenario())


def test_numbers_of_streams_grow(path: Path) -> None:
    """A number is used once, so that what is late is never taken for another stream's."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            first = await asked(peer, handler, upload(1, 7))
            first.answer(None)
            await peer.answer()
            for number in (7, 6):
                await peer.send(upload(2, number))
                assert (await peer.answer()).code == Code.INVALID_REQUEST
            await asked(peer, handler, upload(3, 8))

    run(scenario())


@pytest.mark.parametrize("numbers", [[1, 1], [1, 2, 3, 4, 5], [-1], "1", [True], {"1": 1}, None])
def test_streams_that_are_declared_badly(path: Path, numbers: Any) -> None:
    """The request is refused under its id, and the connection goes on."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(line(envelope(1, streams=numbers)) + upload(2, 9))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (1, Code.INVALID_REQUEST)
            assert (await handler.next()).request.request_id == 2

    run(scenario())


@pytest.mark.parametrize("half_closed", [True, False])
def test_a_stream_that_comes_no_further(path: Path, half_closed: bool) -> None:
    """A hang-up or the end of input in the middle breaks it; after a half-close that is told."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            reading = asyncio.create_task(read_all(call))
            await peer.answer()
            await peer.send(stream_data(7, b"some"))
            if half_closed:
                peer.half_close()
            else:
                peer.close()
            with pytest.raises(RpcError) as caught:
                await reading
            assert caught.value.code in (Code.STREAM_BROKEN, Code.CANCELLED)
            if half_closed:
                call.fail(caught.value)
                assert (await peer.answer()).code == Code.STREAM_BROKEN
                assert await peer.rest() == b""
            else:
                await call.cancelled()
            await host.empty()

    run(scenario())


def test_a_stream_that_is_whole_survives_the_end_of_input(path: Path) -> None:
    """What `nc -N` does: request, stream, half-close; the handler reads all there is."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 7))
            first = asyncio.create_task(call.body.read())
            await peer.answer()
            await peer.send(stream_data(7, b"some") + stream_data(7, b"more") + stream_end(7))
            peer.half_close()
            assert await first + await read_all(call) == b"somemore"
            call.answer("fine")
            assert (await peer.answer()).result == "fine"
            assert await peer.rest() == b""

    run(scenario())


def test_no_room_for_a_stream(path: Path) -> None:
    """Where the budget has no window left the reader is told; nothing was granted."""

    async def scenario() -> None:
        async with serving(
            path, handler := Calls(), limits(buffered_bytes=2 * WINDOW_BYTES - 1)
        ) as host:
            peer = await host.connect()
            first = await asked(peer, handler, upload(1, 1))
            second = await asked(peer, handler, upload(2, 2))
            reading = asyncio.create_task(first.body.read())
            assert (await peer.answer()).params["stream"] == 1
            with pytest.raises(RpcError) as caught:
                await second.body.read()
            assert caught.value.code == Code.OVERLOADED
            assert caught.value.data["limit"] == "buffered_bytes"
            assert host.server.refusals.by_limit() == {"buffered_bytes": 1}
            second.fail(caught.value)
            assert (await peer.answer()).limit == "buffered_bytes"
            await peer.send(stream_data(1, b"x"))
            assert await reading == b"x"

    run(scenario())


def test_what_was_granted_has_room(path: Path) -> None:
    """Others may fill the budget meanwhile: no piece of a stream is lost for that."""
    body = os.urandom(WINDOW_BYTES)

    async def scenario() -> None:
        tight = limits(buffered_bytes=WINDOW_BYTES + 10)
        async with serving(path, handler := Calls(), tight) as host:
            peer, other = await host.connect(), await host.connect()
            call = await asked(peer, handler, upload(1, 1))
            reading = asyncio.create_task(read_all(call))
            await peer.answer()
            await other.send(request(1, "m", b"0123456789") + request(2, "m", b"x"))
            assert (await other.answer()).limit == "buffered_bytes"
            await peer.send(stream_data(1, body) + stream_end(1))
            assert await reading == body

    run(scenario())


def test_a_piece_that_is_refused_breaks_the_stream(path: Path) -> None:
    """Larger than any message may be: it is not left out of the stream, which goes no further."""

    async def scenario() -> None:
        small = limits(message=limits().message._replace(inline_bytes=1000))
        async with serving(path, handler := Calls(), small) as host:
            peer = await host.connect()
            call = await asked(peer, handler, upload(1, 1))
            reading = asyncio.create_task(read_all(call))
            await peer.answer()
            await peer.send(stream_data(1, b"x" * 1001) + stream_data(1, b"y") + stream_end(1))
            with pytest.raises(RpcError):
                await reading

    run(scenario())


# From the daemon


def test_a_stream_goes_as_far_as_it_may(path: Path) -> None:
    """Credit before and credit after count together; pieces have at most 64 KiB, then the end."""
    body = os.urandom(300_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=100_000)
            call = await streaming(peer, handler)
            stream = stream_of(call)
            sending = asyncio.create_task(stream.send(body))
            pieces = [await peer.answer() for _ in range(2)]
            assert [len(piece.blobs[0]) for piece in pieces] == [CHUNK_BYTES, 100_000 - CHUNK_BYTES]
            await peer.silent()
            assert not sending.done()
            await peer.send(stream_credit(1, 100_000) + stream_credit(1, 100_000))
            while sum(len(piece.blobs[0]) for piece in pieces) < len(body):
                pieces.append(await peer.answer())
                assert pieces[-1].method == "stream.data"
                assert len(pieces[-1].blobs[0]) <= CHUNK_BYTES
            await sending
            assert b"".join(piece.blobs[0] for piece in pieces) == body
            assert call.exchange.stage.value == "streaming"
            stream.end()
            assert the_end(await peer.answer(), 1) is None
            assert call.exchange.stage is Stage.ENDED

    run(scenario())


def test_without_a_hello_there_are_no_streams(path: Path) -> None:
    """A handler is told whether the peer reads streams, and has to answer without."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, other = await host.connect(), await host.connect()
            await say_hello(peer, handler, credit_bytes=0)
            assert (await asked(peer, handler, request(1))).exchange.can_stream
            assert not (await asked(other, handler, request(1))).exchange.can_stream

    run(scenario())


def test_an_answer_may_break_off(path: Path) -> None:
    """The end says why; nothing that was still to be sent comes."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=4)
            call = await streaming(peer, handler)
            sending = asyncio.create_task(stream_of(call).send(b"0123456789"))
            assert (await peer.answer()).blobs == [b"0123"]
            stream_of(call).abort(RpcError(Code.UNREACHABLE, "the service broke off"))
            with pytest.raises(RpcError, match="broke off"):
                await sending
            error = the_end(await peer.answer(), 1)
            assert error == {"code": Code.UNREACHABLE, "message": "the service broke off"}
            assert call.exchange.stage is Stage.ENDED

    run(scenario())


@pytest.mark.parametrize(
    "cancel", [notification("stream.cancel", stream=1), cancel_request("down")]
)
@pytest.mark.parametrize("waits", [True, False])
def test_the_peer_may_cancel_a_stream(path: Path, cancel: bytes, waits: bool) -> None:
    """By its own number or its request's id; the end comes all the same, and then no more."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=4)
            call = await streaming(peer, handler)
            stream = stream_of(call)
            if waits:
                sending = asyncio.create_task(stream.send(b"0123456789"))
                assert (await peer.answer()).blobs == [b"0123"]
            await peer.send(cancel)
            error = the_end(await peer.answer(), 1)
            assert error is not None
            assert error["code"] == Code.CANCELLED
            with pytest.raises(RpcError):
                await (sending if waits else stream.send(b"more"))
            assert call.exchange.stage is Stage.ENDED
            await peer.send(cancel + stream_credit(1, 5) + request("next"))
            assert (await handler.next()).request.request_id == "next"
            await peer.silent()

    run(scenario())


def test_a_cancel_before_the_answer_announces_no_stream(path: Path) -> None:
    """A stream that the peer never heard of has no end on the wire either."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=100)
            call = await asked(peer, handler, request(1))
            stream = call.exchange.open_stream()
            await peer.send(cancel_request(1))
            await call.cancelled()
            await peer.silent()
            call.exchange.answer({"Body": stream})
            answer = await peer.answer()
            assert (answer.id, answer.code) == (1, Code.CANCELLED)
            await peer.silent()

    run(scenario())


def test_an_answer_with_two_streams(path: Path) -> None:
    """The exchange goes on until both have ended."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=100)
            call = await asked(peer, handler, request(1))
            first, second = call.exchange.open_stream(), call.exchange.open_stream()
            call.answer([first, second])
            answer = await peer.answer()
            assert answer.result == [{"$stream": 1}, {"$stream": 2}]
            assert answer.envelope["streams"] == [1, 2]
            second.end()
            assert the_end(await peer.answer(), 2) is None
            assert call.exchange.stage.value == "streaming"
            first.end()
            assert the_end(await peer.answer(), 1) is None
            assert call.exchange.stage is Stage.ENDED

    run(scenario())


def test_an_error_after_a_stream_was_opened(path: Path) -> None:
    """The error is the whole answer, and the stream is gone with it."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(streams_per_peer=1)) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=100)
            for number in range(3):
                call = await asked(peer, handler, request(number))
                call.exchange.open_stream()
                call.fail(RpcError(Code.SERVICE_ERROR, "no such key"))
                assert (await peer.answer()).code == Code.SERVICE_ERROR
            await peer.silent()

    run(scenario())


@pytest.mark.parametrize("credit", [0, 10_000_000])
def test_a_hang_up_in_the_middle_of_an_answer(path: Path, credit: int) -> None:
    """Whether it waits for credit or for the socket: the sender is told, and all is let go."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=credit)
            call = await streaming(peer, handler)
            sending = asyncio.create_task(stream_of(call).send(b"x" * 5_000_000))
            await asyncio.sleep(0)
            peer.close()
            with pytest.raises(RpcError):
                await sending
            await host.empty()
            assert call.exchange.stage is Stage.ENDED

    run(scenario())


def test_what_is_granted_is_sent_after_a_half_close(path: Path) -> None:
    """Whoever grants all beforehand may half-close; the answer is whole."""
    body = os.urandom(3_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=len(body))
            call = await streaming(peer, handler)
            peer.half_close()
            stream = stream_of(call)
            sending = asyncio.create_task(stream.send(body))
            got = b""
            while len(got) < len(body):
                got += (await peer.answer()).blobs[0]
            await sending
            stream.end()
            assert got == body
            assert the_end(await peer.answer(), 1) is None
            assert await peer.rest() == b""

    run(scenario())


@pytest.mark.parametrize("when", ["before", "while it waits"])
def test_a_half_close_that_leaves_too_little_credit(path: Path, when: str) -> None:
    """No more can come: the stream ends with an error, and does not wait for ever."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=4)
            call = await streaming(peer, handler)
            if when == "before":
                peer.half_close()
                await until(lambda: host.life == ["half-closed"])
            sending = asyncio.create_task(stream_of(call).send(b"0123456789"))
            assert (await peer.answer()).blobs == [b"0123"]
            if when != "before":
                peer.half_close()
            error = the_end(await peer.answer(), 1)
            assert error is not None
            assert error["code"] == Code.STREAM_BROKEN
            with pytest.raises(RpcError):
                await sending
            assert await peer.rest() == b""
            await host.empty()

    run(scenario())


def test_an_answer_overtakes_a_stream(path: Path) -> None:
    """With five megabytes of a stream offered, a small answer waits for little of it."""
    body = b"x" * (5 * 1024 * 1024)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=len(body))
            call = await streaming(peer, handler)
            await peer.send(request("small"))
            small = await handler.next()
            sending = asyncio.create_task(stream_of(call).send(body))
            await asyncio.sleep(0)
            small.answer("small")
            before = 0
            while (message := await peer.answer()).method is not None:
                before += len(message.blobs[0])
            assert message.result == "small"
            assert before <= 1024 * 1024, "more than the socket holds came first"
            after = 0
            while before + after < len(body):
                after += len((await peer.answer()).blobs[0])
            await sending

    run(scenario())


def test_two_streams_take_turns(path: Path) -> None:
    """Neither is sent to its end before the other one begins, nor twice in a row."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=10 * CHUNK_BYTES)
            calls = [await streaming(peer, handler, number) for number in (1, 2)]
            tasks = [
                asyncio.create_task(stream_of(call).send(b"x" * 10 * CHUNK_BYTES)) for call in calls
            ]
            pieces = [await peer.answer() for _ in range(20)]
            order = [piece.params["stream"] for piece in pieces]
            await asyncio.gather(*tasks)
            turns = order[order.index(2) : 20 - order[::-1].index(1)]
            assert order.index(2) < 10, "the first was sent to its end"
            assert turns == [2, 1] * (len(turns) // 2)

    run(scenario())


def test_a_stream_whose_peer_grants_nothing_is_aborted(path: Path) -> None:
    """A byte now and then is nothing: the stream ends with an error, and only that one."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(unread_timeout_s=10)) as host:
            clock = Clock()
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=4)
            stalled = await streaming(peer, handler, "stalled")
            moving = await streaming(peer, handler, "moving")
            tasks = [
                asyncio.create_task(stream_of(call).send(bytes(10 * CHUNK_BYTES)))
                for call in (stalled, moving)
            ]
            assert [(await peer.answer()).blobs for _ in range(2)] == [[bytes(4)]] * 2
            for _ in range(3):
                await peer.send(stream_credit(1, 1) + stream_credit(2, CHUNK_BYTES))
                answer = await peer.answer()
                if answer.method == "stream.end":
                    break
                assert answer.blobs == [b"\0"]
                assert len((await peer.answer()).blobs[0]) == CHUNK_BYTES
                await clock.forward(11)
            else:
                answer = await peer.answer()
            error = the_end(answer, 1)
            assert error is not None
            assert error["code"] == Code.TOO_SLOW
            assert error["data"]["limit"] == "unread_timeout_s"
            with pytest.raises(RpcError, match="no credit"):
                await tasks[0]
            assert not tasks[1].done()
            tasks[1].cancel()

    run(scenario())


def test_too_many_streams(path: Path) -> None:
    """Both ways count together, each has its error, and one that ends makes room."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(streams_per_peer=2)) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=4)
            up = await asked(peer, handler, upload(1, 1))
            down = await streaming(peer, handler)
            await peer.send(upload(3, 2))
            answer = await peer.answer()
            assert (answer.id, answer.code, answer.limit) == (
                3,
                Code.OVERLOADED,
                "streams_per_peer",
            )
            call = await asked(peer, handler, request(4))
            with pytest.raises(RpcError) as caught:
                call.exchange.open_stream()
            assert caught.value.data["limit"] == "streams_per_peer"
            assert host.server.refusals.by_limit() == {"streams_per_peer": 2}
            stream_of(down).end()
            assert the_end(await peer.answer(), 1) is None
            call.exchange.open_stream()
            call.fail(caught.value)
            up.answer(None)
            assert [(await peer.answer()).id for _ in range(2)] == [4, 1]
            await asked(peer, handler, upload(5, 3))

    run(scenario())
