"""One peer's connection: requests in, answers out as they finish, and what a peer cannot do."""

import array
import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Handler
from botod.ipc.framing import MAX_DRAIN_BYTES, MessageLimits
from botod.ipc.life import Life
from botod.ipc.peer import GATHERED_BYTES
from support.ipc import (
    Calls,
    Clock,
    Peer,
    echo,
    envelope,
    limits,
    line,
    request,
    run,
    scripted,
    serving,
    until,
)


def pass_descriptors(peer: Peer, data: bytes, *descriptors: int) -> None:
    """Send bytes and descriptors with them."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    assert peer.sock.sendmsg([data], [rights]) == len(data)


# Requests and answers


def test_answers_come_as_they_finish(path: Path) -> None:
    """Many requests are in flight on one connection, and the last may be answered first."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(b"".join(request(number) for number in range(20)))
            calls = [await handler.next() for _ in range(20)]
            assert [call.request.request_id for call in calls] == list(range(20))
            for call in reversed(calls):
                call.answer(call.request.request_id)
                answer = await peer.answer()
                assert answer.id == answer.result == call.request.request_id

    run(scenario())


def test_bytes_go_in_and_come_out(path: Path) -> None:
    """A large body passes in many reads and writes, untouched."""
    body = os.urandom(3 * 1024 * 1024)

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            asked = asyncio.ensure_future(peer.send(request(1, "m", body, Body={"$bytes": 0})))
            answer = await peer.answer()
            await asked
            assert answer.result == {"Body": {"$bytes": 0}}
            assert answer.blobs == [body]

    run(scenario())


def test_markers_without_a_declaration_are_data(path: Path) -> None:
    """What only looks like a marker comes to the handler as it is, and comes back unchanged."""
    params = {
        "a": {"$bytes": 0},
        "b": {"$fd": 0, "offset": 3},
        "c": [{"$stream": 7}, {"$literal": "no object"}, {"$base64": 5}],
        "d": {"$bytes": 0, "more": 1},
    }

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(line(envelope(1, params=params)))
            call = await handler.next()
            assert call.request.params == params
            call.answer(params)
            answer = await peer.answer()
            assert "bytes" not in answer.envelope
            literal = {"a": {"$literal": {"$bytes": 0}}, "d": {"$literal": params["d"]}}
            assert {key: answer.result[key] for key in "ad"} == literal
            await peer.send(line(envelope(2, params=answer.result)))
            assert (await handler.next()).request.params == params

    run(scenario())


def test_a_literal_is_no_marker(path: Path) -> None:
    """Beside declared bytes an object that looks like a marker can be said all the same."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(
                request(
                    1,
                    "m",
                    b"hello",
                    bytes={"$bytes": 0},
                    object={"$literal": {"$bytes": 0}},
                    inside={"$literal": {"$fd": {"$bytes": 0}}},
                    base64={"$base64": "aGVsbG8="},
                )
            )
            assert (await handler.next()).request.params == {
                "bytes": b"hello",
                "object": {"$bytes": 0},
                "inside": {"$fd": b"hello"},
                "base64": b"hello",
            }

    run(scenario())


def test_many_pieces_of_bytes(path: Path) -> None:
    """Pieces come in the declared order, empty ones too, with line ends and braces in them."""
    pieces = [b"\n\n", b"", b'{"jsonrpc":"2.0"}\n', b"\x00" * 70_000]

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            markers = {str(number): {"$bytes": number} for number in reversed(range(4))}
            await peer.send(request(1, "m", *pieces, **markers) + request(2))
            answer = await peer.answer()
            assert answer.blobs == pieces[::-1]
            assert (await peer.answer()).id == 2

    run(scenario())


@pytest.mark.parametrize("turns", [True, False], ids=["bit by bit", "then reads"])
def test_who_pipelines_and_reads_late_gets_every_answer(path: Path, turns: bool) -> None:
    """Ten thousand requests are sent before the first answer is read, and nothing stands still."""
    requests_num = 10_000

    async def scenario() -> None:
        roomy = limits(in_flight_per_peer=100)
        async with serving(path, handler := Calls(), roomy) as host:
            peer = await host.connect()

            async def work() -> None:
                while True:
                    call = await handler.next()
                    if turns:
                        await asyncio.sleep(0)
                    call.answer({"padding": "x" * 200})

            worker = asyncio.create_task(work())
            for start in range(0, requests_num, 100):
                numbers = range(start, start + 100)
                await peer.send(b"".join(request(number) for number in numbers))
            answers = [await peer.answer() for _ in range(requests_num)]
            worker.cancel()
            assert sorted(answer.id for answer in answers) == list(range(requests_num))
            codes = {answer.code for answer in answers if "error" in answer.envelope}
            assert codes <= {Code.OVERLOADED}

    run(scenario())


def slow(clock: Clock) -> tuple[Handler, list[Any]]:
    """A handler that takes a second of the loop for each request, and the ids in its order."""
    order: list[Any] = []

    def handle(exchange: Exchange) -> None:
        order.append(exchange.request.request_id)
        clock.jump(1)
        exchange.answer(None)

    return handle, order


def test_who_sends_much_does_not_keep_the_others_waiting(path: Path) -> None:
    """Requests that take long are begun one by one, and other peers have theirs in between."""

    async def scenario() -> None:
        handler, order = slow(Clock())
        async with serving(path, handler) as host:
            greedy, modest = await host.connect(), await host.connect()
            await greedy.send(b"".join(request(number) for number in range(10)))
            await modest.send(request("modest"))
            assert (await modest.answer()).id == "modest"
            assert [(await greedy.answer()).id for _ in range(10)] == list(range(10))
            assert order.index("modest") < 5

    run(scenario())


def test_all_that_came_is_done_before_the_end_of_input(path: Path) -> None:
    """However long each takes, the last of them without its line end."""

    async def scenario() -> None:
        handler, order = slow(Clock())
        async with serving(path, handler) as host:
            peer = await host.connect()
            await peer.send((request(1) + request(2) + request(3)).rstrip(b"\n"))
            peer.half_close()
            assert [(await peer.answer()).id for _ in range(3)] == [1, 2, 3]
            assert await peer.rest() == b""
            assert order == [1, 2, 3]

    run(scenario())


# What is refused


def test_what_is_refused_is_answered_and_the_next_is_done(path: Path) -> None:
    """Mistakes that frame cost the peer one error answer each, in order, under their ids."""
    bad = [
        b'{"jsonrpc":"1.0","id":1,"method":"m"}\n',
        b'{"jsonrpc":"2.0","id":true,"method":"m"}\n',
        b"12\n",
        b'{"jsonrpc":"2.0","id":4,"method":"m","params":[1]}\n',
        b'{"jsonrpc":"2.0","id":5,"method":"m","fds":1,"bytes":[3]}\nabc',
        b"[]\n",
        b'{"jsonrpc":"2.0","id":6,"method":"m","colour":1}\n',
    ]

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            await peer.send(b"".join(bad) + request("last", here=True))
            answers = [await peer.answer() for _ in range(len(bad))]
            assert [(answer.id, answer.code) for answer in answers] == [
                (1, Code.INVALID_REQUEST),
                (None, Code.INVALID_REQUEST),
                (None, Code.INVALID_REQUEST),
                (4, Code.INVALID_PARAMS),
                (5, Code.INVALID_REQUEST),
                (None, Code.INVALID_REQUEST),
                (6, Code.INVALID_REQUEST),
            ]
            assert (await peer.answer()).result == {"here": True}

    run(scenario())


def test_too_large_a_body_is_drained_and_the_next_request_done(path: Path) -> None:
    """Over the limit the answer comes before the body, which may be sent all the same."""
    small = limits(message=MessageLimits(inline_bytes=1000))

    async def scenario() -> None:
        async with serving(path, scripted(echo), small) as host:
            peer = await host.connect()
            large = request(1, "m", b"\n" * 2_000_000)
            await peer.send(large[:100])
            answer = await peer.answer()
            assert (answer.id, answer.code) == (1, Code.BODY_TOO_LARGE)
            await peer.send(large[100:] + request(2))
            assert (await peer.answer()).id == 2

    run(scenario())


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"hello\n", Code.PARSE_ERROR),
        (b"\xff\n", Code.PARSE_ERROR),
        (b'{"a":' * 10_000 + b"\n", Code.PARSE_ERROR),
        (b'{"a":' + b"1" * 5000 + b"}\n", Code.PARSE_ERROR),
        (b"x" * 100_001, Code.LINE_TOO_LONG),
        (b'{"bytes":-1}\n', Code.INVALID_REQUEST),
        (b'{"bytes":[%d]}\n' % (MAX_DRAIN_BYTES + 1), Code.BODY_TOO_LARGE),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else value.name,
)
def test_what_cannot_be_read_is_answered_and_hung_up_on(path: Path, bad: bytes, code: Code) -> None:
    """The reason is said once, under no id; nothing behind it is taken for a request."""

    async def scenario() -> None:
        small = limits(message=MessageLimits(line_bytes=100_000))
        async with serving(path, handler := Calls(), small) as host:
            peer = await host.connect()
            await peer.send(bad)
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, code)
            assert await peer.rest() == b""
            await host.empty()
            assert handler.waiting_num == 0

    run(scenario())


def test_work_under_way_is_answered_before_the_hang_up(path: Path) -> None:
    """Who writes nonsense behind a good request still gets the good one's answer."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + b"nonsense\n" + request(2))
            assert (await peer.answer()).code == Code.PARSE_ERROR
            (await handler.next()).answer("fine")
            assert (await peer.answer()).result == "fine"
            assert await peer.rest() == b""
            assert handler.waiting_num == 0

    run(scenario())


def test_who_reads_slowly_gets_it_all(path: Path) -> None:
    """An answer larger than the socket's buffer waits, is counted, and is written in pieces."""
    body = os.urandom(2_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            first.answer(body)
            second.answer("behind it")
            (stats,) = host.server.stats()
            assert 0 < stats.unread_bytes < len(body) + 1000
            assert stats.in_flight_num == 0
            answer = await peer.answer()
            assert answer.blobs == [body]
            assert (await peer.answer()).result == "behind it"
            (stats,) = host.server.stats()
            assert stats.unread_bytes == 0

    run(scenario())


# Figures


def test_the_figures_are_about_now(path: Path) -> None:
    """Each connection says who is there, what is under way and what was asked so far."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(b"\n" + request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            (stats,) = host.server.stats()
            assert (stats.pid, stats.uid) == (os.getpid(), os.getuid())
            assert (stats.in_flight_num, stats.requests_total, stats.unread_bytes) == (2, 2, 0)
            first.answer(None)
            second.answer(None)
            await peer.answer()
            await peer.answer()
            (stats,) = host.server.stats()
            assert (stats.in_flight_num, stats.requests_total) == (0, 2)

    run(scenario())


def test_who_said_nothing_is_nobody_yet(path: Path) -> None:
    """Before the first bytes the kernel has named no sender."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            first, second = await host.connect(), await host.connect()
            await second.send(request(1))
            (await handler.next()).answer(None)
            await second.answer()
            silent, named = host.server.stats()
            assert (silent.pid, silent.uid, silent.requests_total) == (0, -1, 0)
            assert (named.pid, named.uid, named.requests_total) == (os.getpid(), os.getuid(), 1)
            first.close()

    run(scenario())


class Writes:
    """A connection's socket, with the sizes of what is written to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sizes: list[int] = []
        self._sock = sock

    def sendmsg(self, buffers: list[bytes]) -> int:
        self.sizes.append(sum(map(len, buffers)))
        return self._sock.sendmsg(buffers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_the_answers_of_one_turn_are_written_together(path: Path) -> None:
    """While the peer waits for more; the last one, and much of them, is written at once."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(b"".join(map(request, range(6))))
            calls = [await handler.next() for _ in range(6)]
            (connection,) = host.server._connections.values()
            connection.sock = writes = Writes(connection.sock)
            for call in calls[:3]:
                call.answer("together")
            assert writes.sizes == []
            assert [(await peer.answer()).id for _ in range(3)] == [0, 1, 2]
            assert len(writes.sizes) == 1
            calls[3].answer(bytes(GATHERED_BYTES))
            assert len(writes.sizes) == 2
            calls[4].answer("with the last one")
            calls[5].answer("the last one")
            assert len(writes.sizes) == 3
            assert [(await peer.answer()).id for _ in range(3)] == [3, 4, 5]

    run(scenario())


def test_answers_that_wait_for_others_are_said_before_the_end(path: Path) -> None:
    """Who half-closed waits for them; one that takes too long is not waited for."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, _second = await handler.next(), await handler.next()
            (connection,) = host.server._connections.values()
            peer.half_close()
            await until(lambda: connection.life is Life.HALF_CLOSED)
            first.answer("in time")
            connection.end(RpcError(Code.SHUTTING_DOWN, "too late for the other"))
            assert (await peer.answer()).result == "in time"
            assert await peer.rest() == b""

    run(scenario())


def test_repr_shows_the_state(path: Path) -> None:
    """In a log line one sees which connection, whose, and what it is still good for."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            call = await handler.next()
            (connection,) = host.server._connections.values()
            assert repr(connection) == f"<connection 1 of {call.sender}, open>"
            peer.half_close()
            await until(lambda: repr(connection).endswith(", half-closed>"))
            call.answer(None)
            await peer.answer()
            await host.empty()
            assert repr(connection).endswith(", closed>")

    run(scenario())


def test_a_connection_that_breaks_is_told_in_the_log(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A peer that leaves answers unread resets its connection: that is news, not a warning."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            first.answer("never read")
            await asyncio.sleep(0)  # it is written with what one turn brings
            peer.close()
            await second.cancelled()
            await host.empty()

    run(scenario())
    assert "is gone: " in caplog.text
    assert all(record.levelno <= logging.INFO for record in caplog.records)
