"""Each limit of the wire: its error, its count, and that nothing is held afterwards.

That all figures are back to zero `serving` looks at, after each of them.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.ipc.errors import Code
from botod.ipc.life import Life
from botod.ipc.session import UNREAD_MAX
from support.ipc import (
    Answer,
    Call,
    Calls,
    Clock,
    Host,
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


def assert_refused(host: Host, answer: Answer, limit: str, *, count: int = 1) -> None:
    """The answer names the limit, and says that asking again may help; it is counted."""
    assert (answer.code, answer.limit) == (Code.OVERLOADED, limit)
    data = answer.envelope["error"]["data"]
    assert data["retryable"] is True
    assert data["retry_after_ms"] > 0
    assert host.server.refusals.by_limit() == {limit: count}


async def asked(peer: Peer, calls: Calls, sent: bytes) -> Call:
    """The one request that was sent, as the handler got it."""
    await peer.send(sent)
    return await calls.next()


async def full(host: Host, calls: Calls, *, size: int) -> Peer:
    """A peer that reads nothing, with an answer that does not fit into its socket."""
    peer = await host.connect()
    call = await asked(peer, calls, request("large"))
    call.answer(b"x" * size)
    (stats,) = host.server.stats()
    assert stats.unread_bytes > 0
    return peer


# How many


def test_requests_in_flight_of_a_peer(path: Path) -> None:
    """Beyond the limit a request is answered at once; one that ends makes room."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(in_flight_per_peer=2)) as host:
            peer, other = await host.connect(), await host.connect()
            await peer.send(request(1) + request(2) + request(3) + notification("dropped"))
            answer = await peer.answer()
            assert answer.id == 3
            assert_refused(host, answer, "in_flight_per_peer", count=2)
            first, second = await handler.next(), await handler.next()
            (await asked(other, handler, request(1))).answer("has room of its own")
            assert (await other.answer()).id == 1
            first.answer("one")
            assert (await peer.answer()).result == "one"
            fourth = await asked(peer, handler, request(4))
            assert fourth.request.request_id == 4
            second.answer("two")
            fourth.answer("four")
            assert [(await peer.answer()).result for _ in range(2)] == ["two", "four"]

    run(scenario())


def test_requests_in_flight_of_a_user(path: Path) -> None:
    """All connections of a user count together, also those that are gone."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(in_flight_per_uid=2)) as host:
            peers = [await host.connect() for _ in range(3)]
            told = await asked(peers[0], handler, notification())
            call = await asked(peers[1], handler, request(1))
            peers[0].close()
            await until(lambda: len(host.server.stats()) == 2)
            await peers[2].send(request(2))
            assert_refused(host, await peers[2].answer(), "in_flight_per_uid")
            told.answer(None)
            third = await asked(peers[2], handler, request(3))
            third.answer("fine")
            assert (await peers[2].answer()).result == "fine"
            assert not call.is_cancelled

    run(scenario())


def test_requests_a_second_of_a_user(path: Path) -> None:
    """A burst may come; then as many as the time that passed allows, over all connections."""

    async def scenario() -> None:
        slow = limits(requests_per_s_per_uid=2)
        async with serving(path, scripted(echo), slow) as host:
            clock = Clock()
            clock.stop()
            peer, other = await host.connect(), await host.connect()
            await peer.send(request(1) + request(2) + request(3))
            answers = [await peer.answer() for _ in range(3)]
            assert [answer.id for answer in answers] == [1, 2, 3]
            assert_refused(host, answers[2], "requests_per_s_per_uid")
            await other.send(request(4))
            assert_refused(host, await other.answer(), "requests_per_s_per_uid", count=2)
            await clock.forward(0.5)
            await other.send(request(5) + request(6))
            assert (await other.answer()).result == {}
            assert_refused(host, await other.answer(), "requests_per_s_per_uid", count=3)
            await clock.forward(20)
            await peer.send(b"".join(request(number) for number in range(3)))
            answers = [await peer.answer() for _ in range(3)]
            assert ["error" in answer.envelope for answer in answers] == [False, False, True]

    run(scenario())


def test_connections(path: Path) -> None:
    """One more than may be is told why and hung up on; one that leaves makes room."""

    async def scenario() -> None:
        async with serving(path, scripted(echo), limits(peers=2)) as host:
            first, second = await host.connect(), await host.connect()
            await second.send(request(1))
            await second.answer()
            third = await host.connect()
            answer = await third.answer()
            assert answer.id is None
            assert_refused(host, answer, "peers")
            assert await third.rest() == b""
            first.close()
            await until(lambda: len(host.server.stats()) == 1)
            fourth = await host.connect()
            await fourth.send(request(1))
            assert (await fourth.answer()).id == 1

    run(scenario())


def test_connections_of_a_user(path: Path) -> None:
    """They are told apart from the limit on all."""

    async def scenario() -> None:
        async with serving(path, scripted(echo), limits(peers_per_uid=1)) as host:
            first = await host.connect()
            await first.send(request(1))
            await first.answer()
            second = await host.connect()
            assert_refused(host, await second.answer(), "peers_per_uid")
            assert await second.rest() == b""
            first.close()
            await host.empty()
            third = await host.connect()
            await third.send(request(1))
            assert (await third.answer()).id == 1

    run(scenario())


# How many bytes


def test_a_line_that_is_too_long(path: Path) -> None:
    """As long as may be is read; a byte more is a fault, as soon as it has come."""
    params = {"x": "y" * 500}
    size = len(request(1, **params)) - 1

    async def scenario() -> None:
        exact = limits(message=limits().message._replace(line_bytes=size))
        async with serving(path, scripted(echo), exact) as host:
            peer = await host.connect()
            await peer.send(request(1, **params))
            assert (await peer.answer()).result == params
            await peer.send(request(12, **params)[: size + 1])
            assert (await peer.answer()).code == Code.LINE_TOO_LONG
            assert await peer.rest() == b""

    run(scenario())


def test_a_body_that_is_too_large(path: Path) -> None:
    """As large as may be is read; one byte more is refused before it comes, and drained."""

    async def scenario() -> None:
        small = limits(message=limits().message._replace(inline_bytes=1000))
        async with serving(path, handler := Calls(), small) as host:
            peer = await host.connect()
            call = await asked(peer, handler, request(1, "m", b"x" * 600, b"y" * 400))
            assert host.server.budget.used_bytes == 1000
            call.answer(None)
            await peer.answer()
            sent = request(2, "m", b"\n" * 600, b"\n" * 401)
            await peer.send(sent[:-1001])
            answer = await peer.answer()
            assert (answer.id, answer.code) == (2, Code.BODY_TOO_LARGE)
            assert host.server.budget.used_bytes == 0
            await peer.send(sent[-1001:] + request(3))
            assert (await handler.next()).request.request_id == 3

    run(scenario())


def test_bytes_of_all_peers(path: Path) -> None:
    """What all hold together has a limit; it is refused under the id, drained, and room comes."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(buffered_bytes=1000)) as host:
            peer, other = await host.connect(), await host.connect()
            call = await asked(peer, handler, request(1, "m", b"x" * 600))
            await other.send(request(2, "m", b"\n" * 401))
            answer = await other.answer()
            assert answer.id == 2
            assert_refused(host, answer, "buffered_bytes")
            await other.send(request(3, "m", b"y" * 400))
            assert (await handler.next()).request.request_id == 3
            assert host.server.budget.used_bytes == 1000
            call.answer(None)
            fourth = await asked(other, handler, request(4, "m", b"z" * 600))
            assert fourth.request.request_id == 4

    run(scenario())


def test_a_line_that_is_half_here_counts_too(path: Path) -> None:
    """From some size on, until the rest of it comes or the peer is gone."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            data = request(1, pad="x" * 100_000)
            await peer.send(data[:-2])
            await until(lambda: 90_000 < host.server.budget.used_bytes <= len(data))
            await peer.send(data[-2:])
            (await handler.next()).answer("read")
            assert (await peer.answer()).result == "read"
            await until(lambda: host.server.budget.used_bytes == 0)
            await peer.send(data[:-2])
            await until(lambda: host.server.budget.used_bytes > 90_000)
            peer.close()
            await host.empty()
            assert host.server.budget.used_bytes == 0

    run(scenario())


def test_answers_that_wait_count_too(path: Path) -> None:
    """The budget is of both ways: unread answers of one leave less room for all."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(buffered_bytes=1_000_000)) as host:
            peer = await full(host, handler, size=1_500_000)
            other = await host.connect()
            await other.send(request(1, "m", b"x"))
            assert_refused(host, await other.answer(), "buffered_bytes")
            assert len((await peer.answer()).blobs[0]) == 1_500_000
            await asked(other, handler, request(2, "m", b"x"))

    run(scenario())


def test_who_does_not_read_asks_no_more(path: Path) -> None:
    """Over the limit new requests are refused; an answer over it is read whole all the same."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(unread_bytes=1_000_000)) as host:
            peer = await host.connect()
            (await asked(peer, handler, request("large"))).answer(b"x" * 5_000_000)
            await peer.send(request("refused"))
            await until(lambda: host.server.refusals.by_limit() == {"unread_bytes": 1})
            assert len((await peer.answer()).blobs[0]) == 5_000_000
            refused = await peer.answer()
            assert refused.id == "refused"
            assert_refused(host, refused, "unread_bytes")
            (await asked(peer, handler, request("again"))).answer("well")
            assert (await peer.answer()).result == "well"

    run(scenario())


@pytest.mark.parametrize("sent", [request(None), b'{"colour":1}\n'], ids=["refused", "no request"])
def test_who_goes_on_sending_and_does_not_read(path: Path, sent: bytes) -> None:
    """Errors would fill the memory as well: after so many the connection ends with another one."""

    async def scenario() -> None:
        async with serving(path, scripted(echo), limits(unread_bytes=1000)) as host:
            peer = await host.connect()
            await until(host.server.stats)
            sending = asyncio.ensure_future(peer.send(sent * 4 * UNREAD_MAX))
            (connection,) = host.server._connections.values()
            await until(lambda: connection.life is Life.HALF_CLOSED)
            sending.cancel()
            lines = (await peer.rest()).splitlines()
            assert json.loads(lines[-1])["error"]["code"] == Code.TOO_SLOW
            assert UNREAD_MAX < len(lines) < 4 * UNREAD_MAX
            await host.empty()

    run(scenario())


# How long


def test_who_takes_nothing_of_its_answers(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After some time it is hung up on; one that takes a little now and then is not."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(unread_timeout_s=10)) as host:
            clock = Clock()
            peer = await full(host, handler, size=3_000_000)
            running = await asked(peer, handler, request("running"))
            for _ in range(5):
                await clock.forward(6)
                assert host.life == ["open"]
                (before,) = host.server.stats()
                taken = 0
                while taken < 300_000:
                    taken += await peer._read()
                await until(lambda before=before: host.server.stats() != (before,))  # type: ignore[misc]
            await clock.forward(11)
            await host.empty()
            assert running.is_cancelled
            assert host.server.refusals.by_limit() == {"unread_timeout_s": 1}

    run(scenario())
    assert "took nothing of its answers in time; hung up" in caplog.text
    caplog.clear()


def test_the_time_to_read_begins_when_there_is_something_to_read(path: Path) -> None:
    """A socket that is full to the brim with answers long taken is not held against the next."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(unread_timeout_s=10)) as host:
            clock = Clock()
            probe, peer = await host.connect(), await host.connect()
            fits_num = await fill(host, probe, handler, most=10_000)
            probe.close()
            await until(lambda: len(host.server.stats()) == 1)
            late = await asked(peer, handler, request("late"))
            await fill(host, peer, handler, most=fits_num)
            assert host.server.stats()[0].unread_bytes == 0
            await clock.forward(30)
            late.answer("x" * 400)
            assert host.server.stats()[0].unread_bytes > 0, "the socket was not full"
            await clock.forward(5)
            assert host.life == ["open"]
            for _ in range(fits_num):
                assert (await peer.answer()).id == "fill"
            assert (await peer.answer()).id == "late"

    run(scenario())


def test_answers_that_wait_for_others_are_not_unread(path: Path) -> None:
    """They were not offered yet: neither a limit nor a timer holds them against the peer."""

    async def scenario() -> None:
        few = limits(unread_timeout_s=10, unread_bytes=100)
        async with serving(path, handler := Calls(), few) as host:
            clock = Clock()
            peer = await host.connect()
            await peer.send(request(1) + request(2))
            first, _second = await handler.next(), await handler.next()
            await clock.forward(30)
            (connection,) = host.server._connections.values()
            first.answer("x" * 400)
            connection._on_time()
            assert host.life == ["open"]
            assert host.server.stats()[0].unread_bytes == 0
            await peer.send(request(3))
            connection._act(connection._read_once)
            assert (await handler.next()).request.request_id == 3
            assert (await peer.answer()).id == 1

    run(scenario())


async def fill(host: Host, peer: Peer, calls: Calls, *, most: int) -> int:
    """Give answers that the peer does not read; how many fit into its socket."""
    for number in range(most):
        (await asked(peer, calls, request("fill"))).answer("x" * 400)
        await asyncio.sleep(0)  # it is written with what one turn brings
        if any(stats.unread_bytes for stats in host.server.stats()):
            return number
    return most


@pytest.mark.parametrize(
    "half", [request(1)[:-9], request(1, "m", b"12345")[:-1]], ids=["line", "body"]
)
def test_half_a_message(path: Path, half: bytes) -> None:
    """A message that is not whole in time is a fault; what runs is answered before the end."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(half_sent_timeout_s=10)) as host:
            clock = Clock()
            peer = await host.connect()
            call = await asked(peer, handler, request("running") + half)
            await clock.forward(6)
            await peer.silent()
            await clock.forward(6)
            answer = await peer.answer()
            assert (answer.id, answer.code, answer.limit) == (
                None,
                Code.TOO_SLOW,
                "half_sent_timeout_s",
            )
            assert host.server.refusals.by_limit() == {"half_sent_timeout_s": 1}
            call.answer("fine")
            assert (await peer.answer()).result == "fine"
            assert await peer.rest() == b""

    run(scenario())


def test_a_steady_sender_is_not_cut(path: Path) -> None:
    """Who pipelines, so that every read ends inside a message, sends for as long as it likes."""

    async def scenario() -> None:
        patient = limits(half_sent_timeout_s=5)
        async with serving(path, scripted(echo), patient) as host:
            clock = Clock()
            peer = await host.connect()
            await peer.send(request(0)[:20])
            for number in range(10):
                await clock.forward(4)
                await peer.send(request(number)[20:] + request(number + 1)[:20])
                assert (await peer.answer()).id == number

    run(scenario())


@pytest.mark.parametrize("refused", [True, False])
def test_a_large_body_has_more_time(path: Path, refused: bool) -> None:
    """A second more for each MiB, also for bytes that are read only to be dropped."""
    size = 12 * 1024 * 1024
    inline_bytes = 1000 if refused else size

    async def scenario() -> None:
        patient = limits(
            half_sent_timeout_s=2,
            idle_timeout_s=5,  # looked at then, and the time for the message with it
            message=limits().message._replace(inline_bytes=inline_bytes),
        )
        async with serving(path, handler := Calls(), patient) as host:
            clock = Clock()
            peer = await host.connect()
            body = b"x" * size
            sent = request(1, "m", body)
            at = len(sent) - len(body)
            await peer.send(sent[:at])
            for start in range(at, len(sent), 1024 * 1024):
                await peer.send(sent[start : start + 1024 * 1024])
                await until(lambda: unread_by_server(peer) == 0)
                await clock.forward(1)
            await peer.send(request(2))
            if refused:
                assert (await peer.answer()).code == Code.BODY_TOO_LARGE
            else:
                await handler.next()
            assert (await handler.next()).request.request_id == 2
            assert host.server.refusals.by_limit() == ({"inline_bytes": 1} if refused else {})

    run(scenario())


def unread_by_server(peer: Peer) -> int:
    """Bytes that were sent and not read yet, by the kernel's word."""
    return int(struct.unpack("i", fcntl.ioctl(peer.sock, termios.TIOCOUTQ, b"\0" * 4))[0])


def test_an_idle_connection(path: Path) -> None:
    """It is told before it is closed; one that asks now and then is not idle."""

    async def scenario() -> None:
        async with serving(path, scripted(echo), limits(idle_timeout_s=10)) as host:
            clock = Clock()
            idle, busy = await host.connect(), await host.connect()
            for number in range(2):
                await busy.send(request(number))
                assert (await busy.answer()).id == number
                await clock.forward(6)
            answer = await idle.answer()
            assert (answer.id, answer.code, answer.limit) == (None, Code.IDLE, "idle_timeout_s")
            assert await idle.rest() == b""
            assert host.server.refusals.by_limit() == {"idle_timeout_s": 1}
            await busy.send(request(9))
            assert (await busy.answer()).id == 9

    run(scenario())


def test_who_waits_for_an_answer_is_not_idle(path: Path) -> None:
    """A request in flight keeps the connection; when it is answered the time begins."""

    async def scenario() -> None:
        patient = limits(idle_timeout_s=10, unread_timeout_s=4)
        async with serving(path, handler := Calls(), patient) as host:
            clock = Clock()
            peer = await host.connect()
            call = await asked(peer, handler, request(1))
            for _ in range(5):
                await clock.forward(8)
                await peer.silent()
            call.answer("at last")
            assert (await peer.answer()).result == "at last"
            await clock.forward(6)
            await peer.silent()
            await clock.forward(6)
            assert (await peer.answer()).code == Code.IDLE

    run(scenario())


# Who is counted


@contextlib.contextmanager
def real_user(uid: int) -> Iterator[None]:
    """Send as another user: the kernel names the real one beside the bytes."""
    os.setreuid(uid, 0)
    try:
        yield
    finally:
        os.setreuid(0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_each_user_has_an_account(path: Path) -> None:
    """What one has leaves another its own; who connected as root and sends as another is that."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(in_flight_per_uid=1)) as host:
            roots, others = await host.connect(), await host.connect()
            await asked(roots, handler, request(1))
            accounts = host.server._accounts._accounts
            assert {uid: account.peers_num for uid, account in accounts.items()} == {0: 2}
            with real_user(12345):
                call = await asked(others, handler, request(2))
            assert call.sender.uid == 12345
            assert {uid: account.peers_num for uid, account in accounts.items()} == {0: 1, 12345: 1}
            with real_user(12345):
                await others.send(request(3))
            assert_refused(host, await others.answer(), "in_flight_per_uid")

    run(scenario())
