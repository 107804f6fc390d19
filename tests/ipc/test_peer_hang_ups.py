"""The end of input is not a hang-up: who is still answered, and whose work ends."""

import os
import time
from pathlib import Path

import pytest

from botod.ipc.errors import Code
from botod.ipc.exchange import Exchange, Stage
from botod.ipc.peer import VISIT_S
from support.ipc import (
    Calls,
    echo,
    envelope,
    limits,
    line,
    notification,
    request,
    run,
    scripted,
    serving,
    until,
)


def test_after_a_half_close_the_answers_still_come(path: Path) -> None:
    """What `nc -N` and socat do: end of input, then waiting for the answers, then the end."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2).rstrip(b"\n"))
            peer.half_close()
            first, second = await handler.next(), await handler.next()
            second.answer(b"b" * 1_000_000)
            assert (await peer.answer()).id == 2
            first.answer("a")
            assert (await peer.answer()).result == "a"
            assert await peer.rest() == b""
            await host.empty()

    run(scenario())


def test_a_large_last_answer_is_written_before_the_hang_up(path: Path) -> None:
    """The connection closes when the last byte is written, not when the last request ends."""
    body = os.urandom(2_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            peer.half_close()
            call = await handler.next()
            call.answer(body)
            assert len(host.server.stats()) == 1
            assert (await peer.answer()).blobs == [body]
            assert await peer.rest() == b""

    run(scenario())


@pytest.mark.parametrize("sent", [b"", b"\n", notification()])
def test_a_half_close_without_a_question_ends_at_once(path: Path, sent: bytes) -> None:
    """Nothing to answer: the connection is closed."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            await peer.send(sent)
            peer.half_close()
            assert await peer.rest() == b""
            await host.empty()

    run(scenario())


def test_a_body_cut_short_is_answered_and_not_done(path: Path) -> None:
    """A half-close in the middle of a body is told; the request is never begun."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1, "m", b"0123456789")[:-1])
            peer.half_close()
            answer = await peer.answer()
            assert (answer.id, answer.code) == (1, Code.BODY_CUT_SHORT)
            assert await peer.rest() == b""
            assert handler.waiting_num == 0

    run(scenario())


def test_a_line_cut_short_is_answered(path: Path) -> None:
    """A half-close in the middle of a line is a fault that is told."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1)[:-3])
            peer.half_close()
            assert (await peer.answer()).code == Code.PARSE_ERROR
            assert await peer.rest() == b""

    run(scenario())


@pytest.mark.parametrize("half_closed_before", [True, False])
def test_a_hang_up_ends_the_peers_requests(path: Path, half_closed_before: bool) -> None:
    """Nobody waits for their results any more; a notification is done all the same."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            other = await host.connect()
            await other.send(request("other"))
            others = await handler.next()
            await peer.send(notification("told") + request(1) + request(2))
            told, first, second = [await handler.next() for _ in range(3)]
            if half_closed_before:
                peer.half_close()
                first.answer("still answered")
                assert (await peer.answer()).result == "still answered"
            peer.close()
            await second.cancelled()
            assert first.is_cancelled is not half_closed_before
            assert not told.is_cancelled
            assert len(host.server.stats()) == 1
            told.answer("nobody hears it")
            assert told.exchange.stage is Stage.ENDED
            others.answer("fine")
            assert (await other.answer()).result == "fine"

    run(scenario())


def test_answers_that_the_peer_does_not_wait_for_are_dropped(path: Path) -> None:
    """Writing to a peer that is gone ends its connection, quietly, also when there is much."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(unread_bytes=1000)) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            peer.close()
            first.answer(b"x" * 100_000)  # before the loop can learn that the peer is gone
            second.answer("too")
            await host.empty()

    run(scenario())


def test_a_peer_that_leaves_while_it_is_written_to(path: Path) -> None:
    """A hang-up in the middle of a large answer ends the other requests too."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            first.answer(b"x" * 2_000_000)
            (stats,) = host.server.stats()
            assert stats.unread_bytes > 0
            peer.close()
            await second.cancelled()
            await host.empty()

    run(scenario())


def test_who_wants_it_finished_is_not_cancelled(path: Path) -> None:
    """A request that says so goes on after the hang-up, to its end, with its budget."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            finish = line(envelope(1, on_hangup="finish", bytes=[5])) + b"12345"
            await peer.send(finish + line(envelope(2, on_hangup="cancel")))
            goes_on, ends = await handler.next(), await handler.next()
            peer.close()
            await ends.cancelled()
            await host.empty()
            assert not goes_on.is_cancelled
            assert host.server.budget.used_bytes == 5
            goes_on.exchange.progress({"nobody": "hears it"})
            goes_on.answer("nobody hears it")
            assert host.server.budget.used_bytes == 0
            assert host.server.stats() == ()

    run(scenario())


def test_what_was_sent_before_the_hang_up_is_done(path: Path) -> None:
    """Though the answer to the first of it finds nobody, and the rest had not been looked at."""

    async def scenario() -> None:
        done: list[str] = []

        def works(exchange: Exchange) -> None:
            done.append(exchange.request.method)
            time.sleep(2 * VISIT_S)  # so that each has a turn of its own
            exchange.answer("done")

        async with serving(path, works) as host:
            peer = await host.connect()
            await peer.send(request(1, "first") + notification("noted") * 20)
            await peer.send(request(2, "last"))
            peer.close()
            await until(lambda: "last" in done)
            assert done == ["first", *["noted"] * 20, "last"]
            await host.empty()

    run(scenario())


def test_the_request_that_is_answered_is_not_cancelled(path: Path) -> None:
    """That the peer is gone is found out by writing an answer: that one's work is done already."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            peer.close()
            first.answer("nobody hears it")  # before the loop can learn that the peer is gone
            await second.cancelled()
            assert not first.is_cancelled

    run(scenario())


def test_a_hang_up_in_the_middle_of_a_body(path: Path) -> None:
    """Room that was held for bytes that never come is free again; nothing is begun."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1, "m", b"x" * 100_000)[:-1])
            await until(lambda: host.server.budget.used_bytes == 100_000)
            peer.close()
            await host.empty()
            assert host.server.budget.used_bytes == 0
            assert handler.waiting_num == 0

    run(scenario())
