"""What becomes of a request: its answer, once, whatever the handler does."""

from pathlib import Path
from typing import Any

import pytest

from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender
from botod.ipc.protocol import Request
from support.ipc import (
    Calls,
    cancel_request,
    notification,
    request,
    run,
    scripted,
    serving,
)


def test_a_notification_is_not_answered(path: Path) -> None:
    """Neither its result nor its error is sent; what follows is answered as ever."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(notification("fine") + notification("fails") + request(1))
            fine, fails, asked = [await handler.next() for _ in range(3)]
            fine.answer("a result")
            fails.fail(RpcError(Code.SERVICE_ERROR, "no"))
            asked.answer("last")
            assert (await peer.answer()).result == "last"
            peer.half_close()
            assert await peer.rest() == b""

    run(scenario())


def test_an_error_becomes_the_answer(path: Path) -> None:
    """An RpcError that ends a request's work is sent with its code, sentence and data."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request("a"))
            error = RpcError(Code.SERVICE_ERROR, "no such key", {"type": "NoSuchKey"})
            (await handler.next()).fail(error)
            assert (await peer.answer()).envelope == {
                "jsonrpc": "2.0",
                "id": "a",
                "error": {
                    "code": -32000,
                    "message": "no such key",
                    "data": {"type": "NoSuchKey"},
                },
            }

    run(scenario())


def test_a_handler_may_refuse_at_once(path: Path) -> None:
    """An RpcError out of the handler itself is the answer too; a notification has none."""

    def refuses(_request: Request, _sender: Sender) -> None:
        raise RpcError(Code.SHUTTING_DOWN, "not any more")

    async def scenario() -> None:
        async with serving(path, scripted(refuses)) as host:
            peer = await host.connect()
            await peer.send(notification() + request(2))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (2, Code.SHUTTING_DOWN)

    run(scenario())


def test_a_handler_that_raises_hurts_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A defect in the handler is logged with its trace; the peer learns of it and goes on."""

    def buggy(asked: Request, _sender: Sender) -> str:
        if asked.method == "bug":
            raise ZeroDivisionError("a secret")
        return "fine"

    async def scenario() -> None:
        async with serving(path, scripted(buggy)) as host:
            peer = await host.connect()
            await peer.send(request(1, "bug") + notification("bug") + request(2))
            failed, fine = await peer.answer(), await peer.answer()
            assert (failed.id, failed.code) == (1, Code.INTERNAL_ERROR)
            assert "secret" not in str(failed.envelope)
            assert (fine.id, fine.result) == (2, "fine")

    run(scenario())
    assert caplog.text.count("ZeroDivisionError: a secret") == 2
    caplog.clear()


def circular() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "result",
    [object(), float("nan"), {b"key": 1}, {1, 2}, circular(), 10**5000],
    ids=["object", "nan", "bytes as key", "set", "circular", "endless number"],
)
def test_a_result_that_json_does_not_have(
    path: Path, caplog: pytest.LogCaptureFixture, result: Any
) -> None:
    """A handler's result without a place on the wire is an internal error, answered and logged."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            (await handler.next()).answer(result)
            (await handler.next()).answer("fine")
            failed, fine = await peer.answer(), await peer.answer()
            assert (failed.id, failed.code) == (1, Code.INTERNAL_ERROR)
            assert (fine.id, fine.result) == (2, "fine")

    run(scenario())
    assert "a handler failed" in caplog.text
    caplog.clear()


def test_an_id_in_flight_cannot_be_used_again(path: Path) -> None:
    """A second request under it is refused, and the first is not disturbed; later it may be."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1, "first") + request(1, "second") + request("1", "text"))
            refused = await peer.answer()
            assert (refused.id, refused.code) == (1, Code.INVALID_REQUEST)
            first, text = await handler.next(), await handler.next()
            assert (first.request.method, text.request.method) == ("first", "text")
            first.answer("fine")
            assert (await peer.answer()).result == "fine"
            await peer.send(request(1, "third"))
            assert (await handler.next()).request.method == "third"

    run(scenario())


def test_null_may_be_the_id_of_many(path: Path) -> None:
    """It names nothing: requests under it are told apart by nobody, and each is answered."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(None) * 3 + cancel_request(None))
            calls = [await handler.next() for _ in range(3)]
            for number, call in enumerate(calls):
                assert not call.request.is_notification
                call.answer(number)
                answer = await peer.answer()
                assert (answer.id, answer.result) == (None, number)
                assert not call.is_cancelled

    run(scenario())
