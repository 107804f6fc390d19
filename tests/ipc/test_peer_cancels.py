"""Cancelled requests, and progress of those that go on."""

from pathlib import Path
from typing import Any

import pytest

from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Stage
from support.ipc import (
    Calls,
    cancel_request,
    echo,
    envelope,
    line,
    request,
    run,
    scripted,
    serving,
)


def test_a_cancelled_request_is_answered_once(path: Path) -> None:
    """The handler learns of it once, however often it is said, and what it says is the answer."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request("a") + request("b"))
            call, other = await handler.next(), await handler.next()
            told: list[str] = []
            call.exchange.on_cancel = lambda: told.append("cancelled")
            await peer.send(cancel_request("a") * 2 + request("behind them"))
            await handler.next()
            assert told == ["cancelled"]
            call.fail(RpcError(Code.CANCELLED, "ended"))
            answer = await peer.answer()
            assert (answer.id, answer.code) == ("a", Code.CANCELLED)
            assert not other.is_cancelled
            other.answer("fine")
            assert (await peer.answer()).result == "fine"

    run(scenario())


def test_a_cancelled_request_may_still_succeed(path: Path) -> None:
    """It was nearly done: its result is sent, and only that."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + cancel_request(1))
            call = await handler.next()
            await call.cancelled()
            call.answer("done all the same")
            assert (await peer.answer()).result == "done all the same"
            await peer.silent()

    run(scenario())


def test_who_settles_in_the_cancel_settles_once(path: Path) -> None:
    """A handler may answer from within the call that tells it; the peer's hang-up is such a one."""
    settled: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        def end() -> None:
            settled.append(exchange)
            exchange.fail(RpcError(Code.CANCELLED, "ended"))

        exchange.on_cancel = end

    async def scenario() -> None:
        async with serving(path, handler) as host:
            peer = await host.connect()
            await peer.send(request(1) + cancel_request(1) + request(2) + request(3))
            assert (await peer.answer()).code == Code.CANCELLED
            peer.close()
            await host.empty()
            assert {exchange.stage for exchange in settled} == {Stage.ENDED}
            assert len(settled) == 3

    run(scenario())


@pytest.mark.parametrize("call_id", [1, "unknown", None])
def test_cancelling_what_is_not_there_does_nothing(path: Path, call_id: Any) -> None:
    """Answer and cancel cross on the wire: a request that is over, or never was, is no mistake."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            await peer.send(request(1))
            assert (await peer.answer()).id == 1
            await peer.send(cancel_request(call_id) + request(2))
            assert (await peer.answer()).id == 2
            await peer.silent()

    run(scenario())


@pytest.mark.parametrize(
    "bad",
    [
        {"params": {}},
        {"params": {"id": 1, "more": 2}},
        {"params": {"id": [1]}},
        {"params": [1]},
        {"params": {"id": 1}, "bytes": [3]},
    ],
)
def test_a_cancel_that_makes_no_sense_ends_the_connection(path: Path, bad: dict[str, Any]) -> None:
    """Without an id nobody can be told of a refused one, so it is not passed over."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.send(line({"jsonrpc": "2.0", "method": "$/cancelRequest"} | bad) + b"abc")
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            assert await peer.rest() == b""

    run(scenario())


def test_a_cancel_that_wants_an_answer_gets_one(path: Path) -> None:
    """Whoever sends it with an id would wait for ever; it cancels nothing."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            call = await handler.next()
            bad = {"jsonrpc": "2.0", "id": 2, "method": "$/cancelRequest", "params": {"id": 1}}
            await peer.send(line(bad))
            refused = await peer.answer()
            assert (refused.id, refused.code) == (2, Code.INVALID_REQUEST)
            assert not call.is_cancelled
            call.answer("fine")
            assert (await peer.answer()).result == "fine"

    run(scenario())


def test_progress_is_for_who_asked(path: Path) -> None:
    """It comes under the request's id, before the answer, and never after it."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(line(envelope("a", progress=True)) + request("b"))
            asked, plain = await handler.next(), await handler.next()
            for call in (plain, asked):
                call.exchange.progress({"bytes": 5})
            told = await peer.answer()
            assert told.method == "$/progress"
            assert told.params == {"id": "a", "value": {"bytes": 5}}
            asked.answer("done")
            asked.exchange.progress({"bytes": 6})
            assert (await peer.answer()).result == "done"
            await peer.silent()

    run(scenario())


def test_a_notification_has_no_progress(path: Path) -> None:
    """It has no id for progress to be told under."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(line({"jsonrpc": "2.0", "method": "m", "progress": True}))
            (await handler.next()).exchange.progress({"bytes": 5})
            await peer.silent()

    run(scenario())
