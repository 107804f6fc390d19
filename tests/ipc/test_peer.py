"""One peer's connection: requests in, answers out as they finish, and what a peer cannot do."""

import array
import asyncio
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from botod.ipc.errors import Code, RpcError
from botod.ipc.peer import SURPLUS_FDS, Sender
from botod.ipc.protocol import MAX_DRAIN_BYTES, Limits, Request
from support.ipc import (
    STEP_TIMEOUT_S,
    Calls,
    Peer,
    echo,
    limits,
    notification,
    request,
    run,
    scripted,
    serving,
    until,
)
from support.pools import descriptors_num

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

OTHER_ID = 12345


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the server listens; a short name, because a socket's may have 107 bytes."""
    return tmp_path / "s"


def whoami(_request: Request, sender: Sender) -> list[int]:
    """Answers with who asked."""
    return [sender.pid, sender.uid, sender.gid]


def pass_descriptors(peer: Peer, data: bytes, *descriptors: int) -> None:
    """Send bytes and descriptors with them."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    assert peer.sock.sendmsg([data], [rights]) == len(data)


async def run_child(code: str, *arguments: object) -> str:
    """Run Python code in a process of its own while the loop goes on; what it prints."""

    def run_it() -> str:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            timeout=STEP_TIMEOUT_S,
            check=True,
            text=True,
        )
        return done.stdout

    return await asyncio.to_thread(run_it)


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


def test_work_that_is_cancelled_is_answered(path: Path) -> None:
    """Who ends a request's work from within leaves nobody waiting."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            (await handler.next()).future.cancel()
            assert (await peer.answer()).code == Code.CANCELLED

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


def test_work_that_raises_hurts_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that ends the work later is treated as one out of the handler."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            (await handler.next()).fail(ZeroDivisionError("a secret"))
            (await handler.next()).answer("fine")
            failed, fine = await peer.answer(), await peer.answer()
            assert (failed.id, failed.code) == (1, Code.INTERNAL_ERROR)
            assert (fine.id, fine.result) == (2, "fine")

    run(scenario())
    assert "ZeroDivisionError: a secret" in caplog.text
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


@pytest.mark.parametrize("at_once", [True, False])
def test_an_error_that_json_does_not_have(
    path: Path, caplog: pytest.LogCaptureFixture, at_once: bool
) -> None:
    """An error whose data has no place on the wire is an internal error, answered and logged."""
    error = RpcError(Code.SERVICE_ERROR, "no", {"body": b"not text"})

    def fails(_request: Request, _sender: Sender) -> Any:
        if at_once:
            raise error
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    async def scenario() -> None:
        async with serving(path, scripted(fails)) as host:
            peer = await host.connect()
            await peer.send(request(1))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (1, Code.INTERNAL_ERROR)
            peer.half_close()
            assert await peer.rest() == b""

    run(scenario())
    assert "a handler failed" in caplog.text
    caplog.clear()


# What is refused


def test_what_is_refused_is_answered_and_the_next_is_done(path: Path) -> None:
    """Mistakes that frame cost the peer one error answer each, in order, under their ids."""
    bad = [
        b'{"jsonrpc":"1.0","id":1,"method":"m"}\n',
        b'{"jsonrpc":"2.0","id":true,"method":"m"}\n',
        b"[1,2]\n",
        b'{"jsonrpc":"2.0","id":4,"method":"m","params":[1]}\n',
        b'{"jsonrpc":"2.0","id":5,"method":"m","fds":1,"bytes":[3]}\nabc',
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
                (5, Code.UNSUPPORTED),
                (6, Code.INVALID_REQUEST),
            ]
            assert (await peer.answer()).result == {"here": True}

    run(scenario())


def test_too_large_a_body_is_drained_and_the_next_request_done(path: Path) -> None:
    """Over the limit the answer comes before the body, which may be sent all the same."""
    small = limits(message=Limits(inline_bytes=1000))

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
        small = limits(message=Limits(line_bytes=100_000))
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


def test_too_many_in_flight_are_refused(path: Path) -> None:
    """Beyond the limit a request is answered at once, retryable; one that ends makes room."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(in_flight=2)) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2) + request(3) + notification("dropped"))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (3, Code.OVERLOADED)
            assert answer.envelope["error"]["data"]["retryable"] is True
            first, second = await handler.next(), await handler.next()
            first.answer("one")
            assert (await peer.answer()).result == "one"
            await peer.send(request(4))
            fourth = await handler.next()
            assert fourth.request.request_id == 4
            second.answer("two")
            fourth.answer("four")
            assert [(await peer.answer()).result for _ in range(2)] == ["two", "four"]

    run(scenario())


def test_another_connection_has_room_of_its_own(path: Path) -> None:
    """The limit on requests in flight is each connection's."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(in_flight=1)) as host:
            greedy, modest = await host.connect(), await host.connect()
            await greedy.send(request(1) + request(2))
            assert (await greedy.answer()).code == Code.OVERLOADED
            held = await handler.next()
            await modest.send(request(1))
            (await handler.next()).answer("fine")
            assert (await modest.answer()).result == "fine"
            held.answer("late")
            assert (await greedy.answer()).result == "late"

    run(scenario())


def test_who_does_not_read_is_hung_up_on(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Answers that nobody reads are held up to a limit; then the peer and its work go."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(unread_bytes=1_000_000)) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            first.answer(b"x" * 5_000_000)
            assert (await second.ended()).cancelled()
            await host.empty()
            assert len(await peer.rest()) < 5_000_000

    run(scenario())
    assert "does not read its answers; hung up" in caplog.text
    caplog.clear()


def test_nothing_is_begun_for_who_was_hung_up_on(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What had been read already when the peer had to go is dropped with it."""
    connected_num: list[int] = []

    async def scenario() -> None:
        def counts(_request: Request, _sender: Sender) -> None:
            connected_num.append(len(host.server.stats()))

        hasty = limits(unread_bytes=1000, in_flight=10**9)
        async with serving(path, scripted(counts), hasty) as host:
            peer = await host.connect()
            with pytest.raises(ConnectionError):  # noqa: PT012 - any of them is the last
                while True:
                    await peer.send((b'{"fds":1}\n' + notification()) * 1000)
            await host.empty()

    run(scenario())
    assert set(connected_num) == {1}
    assert "does not read its answers; hung up" in caplog.text
    caplog.clear()


def test_who_reads_slowly_gets_it_all(path: Path) -> None:
    """An answer larger than the socket's buffer waits, is counted, and is written in pieces."""
    body = os.urandom(2_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            first.answer(body)
            await first.ended()
            await asyncio.sleep(0)
            second.answer("behind it")
            await second.ended()
            await asyncio.sleep(0)
            (stats,) = host.server.stats()
            assert 0 < stats.unread_bytes < len(body) + 1000
            assert stats.in_flight_num == 0
            answer = await peer.answer()
            assert answer.blobs == [body]
            assert (await peer.answer()).result == "behind it"
            (stats,) = host.server.stats()
            assert stats.unread_bytes == 0

    run(scenario())


# End of input and hang-up


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
            await call.ended()
            await asyncio.sleep(0)
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
            assert (await second.ended()).cancelled()
            assert first.future.cancelled() is not half_closed_before
            assert not told.future.done()
            assert len(host.server.stats()) == 1
            told.answer("nobody hears it")
            await told.ended()
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
            await second.ended()

    run(scenario())


def test_a_peer_that_leaves_while_it_is_written_to(path: Path) -> None:
    """A hang-up in the middle of a large answer ends the other requests too."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, second = await handler.next(), await handler.next()
            first.answer(b"x" * 2_000_000)
            await first.ended()
            await asyncio.sleep(0)
            (stats,) = host.server.stats()
            assert stats.unread_bytes > 0
            peer.close()
            assert (await second.ended()).cancelled()
            await host.empty()

    run(scenario())


# Descriptors


def test_passed_descriptors_are_closed_at_once(path: Path) -> None:
    """A peer that passes descriptors fills no table of ours; its request is done."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            reading, writing = os.pipe()
            before = descriptors_num()
            pass_descriptors(peer, request(1), *[writing] * SURPLUS_FDS)
            assert (await peer.answer()).id == 1
            assert descriptors_num() == before + 1  # the peer's, at our end
            os.close(writing)
            assert os.read(reading, 1) == b"", "somebody still holds the pipe's other end"
            os.close(reading)
            await peer.send(request(2))
            assert (await peer.answer()).id == 2

    run(scenario())


def test_descriptors_in_the_middle_of_a_body_are_closed(path: Path) -> None:
    """They may come with any byte; the bytes are not disturbed."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            raw = request(1, "m", b"0123456789", Body={"$bytes": 0})
            reading, writing = os.pipe()
            await peer.send(raw[:-5])
            pass_descriptors(peer, raw[-5:], writing, reading)
            answer = await peer.answer()
            assert answer.blobs == [b"0123456789"]
            os.close(writing)
            assert os.read(reading, 1) == b""
            os.close(reading)

    run(scenario())


def test_too_many_descriptors_end_the_connection(path: Path) -> None:
    """More than the room for them: none is kept, the peer is told, others go on."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer, other = await host.connect(), await host.connect()
            reading, writing = os.pipe()
            pass_descriptors(peer, request(1), *[writing] * (SURPLUS_FDS + 1))
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            assert await peer.rest() == b""
            os.close(writing)
            assert os.read(reading, 1) == b"", "somebody still holds the pipe's other end"
            os.close(reading)
            await other.send(request(2))
            assert (await other.answer()).id == 2

    run(scenario())


# Who sends

ASK = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
ask = b'{"jsonrpc":"2.0","id":1,"method":"m"}\\n'
"""


def test_the_sender_is_who_the_kernel_says(path: Path) -> None:
    """Process, user and group are the child's own, without its saying so."""
    child = ASK + "sock.send(ask); print(os.getpid(), os.getuid(), os.getgid(), sock.recv(999))"

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            pid, uid, gid = printed.split()[:3]
            assert int(pid) != os.getpid()
            assert f'"result":[{pid},{uid},{gid}]' in printed

    run(scenario())


def test_bytes_sent_before_they_are_accepted_have_a_sender(path: Path) -> None:
    """A child that connects, sends and exits before the server looks is named all the same."""
    child = ASK + "sock.send(ask.replace(b'\"id\":1,', b'')); print(os.getpid())"

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            done = subprocess.run(  # noqa: ASYNC221 - the loop has to stand still meanwhile
                [sys.executable, "-I", "-S", "-c", child, str(host.path)],
                stdout=subprocess.PIPE,
                check=True,
                timeout=STEP_TIMEOUT_S,
            )
            call = await handler.next()
            assert call.sender.pid == int(done.stdout)
            assert call.sender.uid == os.getuid()
            call.answer(None)

    run(scenario())


def test_each_connection_has_a_number(path: Path) -> None:
    """A handler can tell two connections of one process apart."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            ids = []
            for _ in range(2):
                peer = await host.connect()
                for _ in range(2):
                    await peer.send(request(1))
                    call = await handler.next()
                    ids.append(call.sender.connection_id)
                    call.answer(None)
            assert ids == [1, 1, 2, 2]

    run(scenario())


def test_a_forked_child_sends_as_itself(path: Path) -> None:
    """Parent and child may use one connection in turn; each request has its own sender."""
    child = ASK + (
        "sock.send(ask); sock.recv(999)\n"
        "if not (pid := os.fork()):\n"
        "    sock.send(ask); print(os.getpid(), sock.recv(999), flush=True); os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            assert f'"result":[{printed.split()[0]},' in printed

    run(scenario())


DROP = f"os.setgroups([]); os.setresgid(*[{OTHER_ID}] * 3); os.setresuid(*[{OTHER_ID}] * 3)\n"


@needs_root
def test_who_dropped_roots_rights_is_not_root(path: Path) -> None:
    """Root that connects, forks and drops its rights is seen as what it is when it sends."""
    child = ASK + (
        "if not (pid := os.fork()):\n"
        f"    {DROP}"
        "    sock.send(ask); print(os.getpid(), sock.recv(999), flush=True); os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            assert f'"result":[{printed.split()[0]},{OTHER_ID},{OTHER_ID}]' in printed

    run(scenario())


@needs_root
def test_another_user_on_one_connection_is_hung_up_on(path: Path) -> None:
    """Nobody goes on under the name of who sent first; what was begun is answered."""
    child = ASK + (
        "sock.send(ask); first = sock.recv(999)\n" + DROP + "sock.send(ask)\n"
        "print(first, sock.recv(999), sock.recv(999))\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            printed = await run_child(child, host.path)
            assert '"result":' in printed
            assert f'"code":{int(Code.ACCESS_DENIED)}' in printed
            assert printed.count('"result":') == 1
            assert printed.rstrip().endswith("b''")
            await host.empty()

    run(scenario())


@needs_root
def test_a_request_in_two_hands_is_not_begun(path: Path) -> None:
    """A line that one user begins and another one ends is nobody's."""
    child = ASK + ("sock.send(ask[:9])\n" + DROP + "sock.send(ask[9:]); print(sock.recv(999))\n")

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            printed = await run_child(child, host.path)
            assert f'"code":{int(Code.ACCESS_DENIED)}' in printed
            assert handler.waiting_num == 0

    run(scenario())


@needs_root
def test_a_group_that_changes_is_seen(path: Path) -> None:
    """A process that gives up its group is no longer taken for a member of it."""
    child = ASK + (
        "sock.send(ask); sock.recv(999)\n"
        f"os.setresgid(*[{OTHER_ID}] * 3)\n"
        "sock.send(ask); print(sock.recv(999))\n"
    )

    async def scenario() -> None:
        async with serving(path, scripted(whoami)) as host:
            assert f",0,{OTHER_ID}]" in await run_child(child, host.path)

    run(scenario())


def test_bytes_that_nobody_sent_are_refused(path: Path) -> None:
    """Where the kernel does not name the sender nothing is done."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            assert host.server._listener is not None
            host.server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            peer = await host.connect()
            await peer.send(request(1))
            assert (await peer.answer()).code == Code.ACCESS_DENIED
            assert await peer.rest() == b""
            assert handler.waiting_num == 0

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
            await first.ended()
            await asyncio.sleep(0)
            peer.close()
            assert (await second.ended()).cancelled()
            await host.empty()

    run(scenario())
    assert "is gone: " in caplog.text
    assert all(record.levelno <= logging.INFO for record in caplog.records)
