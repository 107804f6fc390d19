"""JSON-RPC's arrays: many requests in one line, their answers in another."""

from pathlib import Path
from typing import Any

import pytest

from botod.ipc.batches import MAX_BYTES
from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import MAX_BATCH
from support.ipc import (
    Call,
    Calls,
    Peer,
    cancel_request,
    envelope,
    limits,
    line,
    request,
    run,
    say_hello,
    serving,
)

TOLD = {"jsonrpc": "2.0", "method": "told"}


async def asked(peer: Peer, calls: Calls, *items: Any, number: int) -> list[Call]:
    """Send a batch; the requests of it that the handler got."""
    await peer.send(line(items))
    return [await calls.next() for _ in range(number)]


def test_answers_come_in_one_array(path: Path) -> None:
    """Once all are there, in the order in which they were settled; others may come before."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            calls = await asked(peer, handler, envelope(1), envelope("b"), number=2)
            calls[1].answer({"x": 1})
            await peer.send(request("alone"))
            (await handler.next()).answer("alone")
            assert (await peer.answer()).result == "alone"
            calls[0].fail(RpcError(Code.SERVICE_ERROR, "no"))
            second, first = await peer.entries()
            assert (second.id, second.result) == ("b", {"x": 1})
            assert (first.id, first.code) == (1, Code.SERVICE_ERROR)

    run(scenario())


def test_notifications_inside_have_no_answer(path: Path) -> None:
    """The array has the answers of the requests only; it waits for the notifications too."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            told, call = await asked(peer, handler, TOLD, envelope(1), number=2)
            call.answer("fine")
            await peer.silent()
            told.fail(RpcError(Code.SERVICE_ERROR, "nobody hears it"))
            (answer,) = await peer.entries()
            assert (answer.id, answer.result) == (1, "fine")

    run(scenario())


def test_only_notifications_have_no_answer(path: Path) -> None:
    """Not even an empty array."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            for call in await asked(peer, handler, TOLD, TOLD, number=2):
                call.answer(None)
            await peer.silent()

    run(scenario())


def test_an_item_that_is_no_request(path: Path) -> None:
    """Each has its own error in the array, under its id if that can be told."""
    bad = [5, None, [], [envelope(9)], "text", {}, envelope(1, colour="red"), envelope(True)]

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            (call,) = await asked(peer, handler, *bad, envelope("good"), number=1)
            call.answer("fine")
            *refused, good = await peer.entries()
            assert [answer.id for answer in refused] == [None] * 6 + [1, None]
            assert {answer.code for answer in refused} == {Code.INVALID_REQUEST}
            assert (good.id, good.result) == ("good", "fine")

    run(scenario())


def test_only_what_is_no_request(path: Path) -> None:
    """JSON-RPC's own example: an array of numbers is answered at once by one of errors."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.send(line([1, 2, 3]))
            assert [answer.code for answer in await peer.entries()] == [Code.INVALID_REQUEST] * 3

    run(scenario())


@pytest.mark.parametrize("number", [0, MAX_BATCH + 1])
def test_none_and_too_many(path: Path, number: int) -> None:
    """They are refused with one error that is no array; nothing of them is begun."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(line([envelope(n) for n in range(number)]) + request("next"))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            assert (await handler.next()).request.request_id == "next"

    run(scenario())


def test_as_many_as_may_be(path: Path) -> None:
    """A hundred are done; those beyond the limit in flight are refused one by one."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(in_flight_per_peer=60)) as host:
            peer = await host.connect()
            items = [envelope(number) for number in range(MAX_BATCH)]
            for call in await asked(peer, handler, *items, number=60):
                call.answer(None)
            answers = await peer.entries()
            assert sorted(answer.id for answer in answers) == list(range(MAX_BATCH))
            refused = [answer for answer in answers if "error" in answer.envelope]
            assert {answer.limit for answer in refused} == {"in_flight_per_peer"}
            assert host.server.refusals.by_limit() == {"in_flight_per_peer": 40}

    run(scenario())


@pytest.mark.parametrize("declared", [{"bytes": [3]}, {"fds": 1}, {"streams": [1]}, {"bytes": []}])
def test_nothing_is_declared_inside(path: Path, declared: dict[str, Any]) -> None:
    """An array has no envelope, so that the item is refused; the others are done."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            (call,) = await asked(peer, handler, envelope(1, **declared), envelope(2), number=1)
            call.answer("fine")
            refused, fine = await peer.entries()
            assert (refused.id, refused.code) == (1, Code.INVALID_REQUEST)
            assert fine.result == "fine"

    run(scenario())


@pytest.mark.parametrize(
    "control",
    [
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 2}},
        {"jsonrpc": "2.0", "method": "stream.end", "params": {"stream": 1}},
        {"jsonrpc": "2.0", "method": "stream.end"},
    ],
)
def test_what_is_about_a_request_stands_alone(path: Path, control: dict[str, Any]) -> None:
    """In an array it does nothing, and is told so."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            (call,) = await asked(peer, handler, envelope(2), control, number=1)
            assert not call.is_cancelled
            call.answer("fine")
            refused, answer = await peer.entries()
            assert (refused.id, refused.code) == (None, Code.INVALID_REQUEST)
            assert answer.result == "fine"

    run(scenario())


def test_bytes_inside_an_answer(path: Path) -> None:
    """They stand there as base64, up to a limit; a request in a batch may have them so too."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            item = envelope(1, params={"Body": {"$base64": "aGVsbG8="}})
            calls = await asked(peer, handler, item, *map(envelope, range(2, 5)), number=4)
            assert calls[0].request.params == {"Body": b"hello"}
            calls[0].answer({"Body": b"hello", "like": {"$base64": "no"}})
            calls[1].answer(b"x" * (MAX_BYTES + 1))
            calls[2].answer([b"x" * MAX_BYTES, b"x"])
            calls[3].answer(b"")
            answers = await peer.entries()
            assert answers[0].result == {
                "Body": {"$base64": "aGVsbG8="},
                "like": {"$literal": {"$base64": "no"}},
            }
            assert [answer.code for answer in answers[1:3]] == [Code.BODY_TOO_LARGE] * 2
            assert answers[3].result == {"$base64": ""}

    run(scenario())


def test_an_answer_that_json_does_not_have(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is an internal error in its place; the other answers of the array are sent."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            calls = await asked(peer, handler, *map(envelope, range(4)), number=4)
            calls[0].answer(object())
            calls[1].answer(float("nan"))
            calls[2].fail(RpcError(Code.SERVICE_ERROR, "no", {"body": b"not text"}))
            calls[3].answer("fine")
            *failed, fine = await peer.entries()
            assert [(answer.id, answer.code) for answer in failed] == [
                (number, Code.INTERNAL_ERROR) for number in range(3)
            ]
            assert fine.result == "fine"

    run(scenario())
    assert caplog.text.count("a handler failed") == 3
    caplog.clear()


def test_no_streams_inside(path: Path) -> None:
    """A handler is told that this answer cannot hold a stream, whatever the peer can read."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=100)
            (call,) = await asked(peer, handler, envelope(1), number=1)
            assert not call.exchange.can_stream

    run(scenario())


def test_an_item_may_be_cancelled(path: Path) -> None:
    """By its id, as any other; its error stands in the array."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            first, second = await asked(peer, handler, envelope(1), envelope(2), number=2)
            await peer.send(cancel_request(2))
            await second.cancelled()
            assert not first.is_cancelled
            second.settle()
            first.answer("fine")
            cancelled, fine = await peer.entries()
            assert (cancelled.id, cancelled.code) == (2, Code.CANCELLED)
            assert fine.result == "fine"

    run(scenario())


def test_an_id_that_is_used_twice(path: Path) -> None:
    """In one array as outside: the second is refused."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            (call,) = await asked(peer, handler, envelope(1), envelope(1), number=1)
            call.answer("fine")
            refused, fine = await peer.entries()
            assert (refused.id, refused.code) == (1, Code.INVALID_REQUEST)
            assert fine.result == "fine"

    run(scenario())


def test_a_hang_up(path: Path) -> None:
    """The requests of a batch are cancelled, its notifications go on."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            items = (TOLD, envelope(1), envelope(2, on_hangup="finish"))
            told, asked_for, goes_on = await asked(peer, handler, *items, number=3)
            peer.close()
            await asked_for.cancelled()
            assert not told.is_cancelled
            assert not goes_on.is_cancelled
            for call in (told, goes_on, asked_for):
                call.settle()

    run(scenario())


def test_a_half_close(path: Path) -> None:
    """The array still comes, and then the end."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            calls = await asked(peer, handler, envelope(1), envelope(2), number=2)
            peer.half_close()
            for call in calls:
                call.answer(None)
            assert len(await peer.entries()) == 2
            assert await peer.rest() == b""

    run(scenario())
