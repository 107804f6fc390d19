"""The daemon's end of the socket: who is let in, who is turned away, and how it ends."""

import asyncio
import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from botod.ipc import server as server_module
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Sender
from botod.ipc.peer import VISIT_S
from botod.ipc.protocol import Request
from botod.ipc.server import ACCEPTS_AT_ONCE, Server
from support.ipc import (
    LIMITS,
    STEP_TIMEOUT_S,
    Calls,
    Host,
    Peer,
    bound,
    echo,
    envelope,
    limits,
    line,
    notification,
    request,
    run,
    say_hello,
    scripted,
    serving,
    stream_credit,
    stream_data,
    stream_end,
    until,
    upload,
)
from support.pools import descriptors_num


async def closing(host: Host, timeout_s: float) -> "asyncio.Task[None]":
    """A close of the server that has begun."""
    task = asyncio.create_task(host.server.close(timeout_s=timeout_s))
    await asyncio.sleep(0)
    return task


async def assert_served(peer: Peer) -> None:
    """A request over this connection is answered."""
    await peer.send(request("hello", here=True))
    answer = await peer.answer()
    assert (answer.id, answer.result) == ("hello", {"here": True})


@contextlib.contextmanager
def descriptors_at_most(number: int) -> Iterator[None]:
    """Let this process open descriptors below a number only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Letting in


def test_peers_do_not_disturb_each_other(path: Path) -> None:
    """While one works, others send nonsense, hang up in the middle and pass descriptors."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            good = await host.connect()
            for number in range(20):
                nonsense, halfway, silent = [await host.connect() for _ in range(3)]
                await nonsense.send(os.urandom(1000).replace(b"\n", b"") + b"\n" + request(1))
                await halfway.send(request(1, "m", b"x" * 1000)[:-number])
                await silent.send(b"")
                await assert_served(good)
                halfway.close()
                assert (await nonsense.answer()).code == Code.PARSE_ERROR
                await assert_served(good)
                silent.close()

    run(scenario())


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_peer_that_dies_with_answers_unread(
    path: Path, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """What it sent before is acted on; then its jobs are cancelled, on a loop of libuv's too.

    That loop tells of the error once: with the bytes before it, not with the end behind them.
    """

    async def scenario() -> None:
        cancelled: list[Any] = []
        asked: list[Exchange] = []

        def keep(exchange: Exchange) -> None:
            exchange.on_cancel = lambda: cancelled.append(exchange.request.request_id)
            asked.append(exchange)

        server = Server(keep, LIMITS)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        server.listen(listener)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
            peer.sendall(asking(1) + asking(2))
            await until(lambda: len(asked) == 2)
            asked[0].answer("unread")
            await asyncio.sleep(0)
            peer.sendall(asking(3))
        await until(lambda: not server.stats())
        assert len(asked) == 3
        assert sorted(cancelled) == [2, 3]
        await server.close(timeout_s=0)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), STEP_TIMEOUT_S))


def asking(number: int) -> bytes:
    """A request with this id."""
    return b'{"jsonrpc": "2.0", "id": %d, "method": "x.y"}\n' % number


def test_many_connections_leave_nothing(path: Path) -> None:
    """Two hundred peers come, are served and go, each in one of the ways there are to go."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            first = await host.connect()
            await assert_served(first)
            before = descriptors_num()
            for _ in range(20):
                peers = [await host.connect() for _ in range(10)]
                for number, peer in enumerate(peers):
                    await assert_served(peer)
                    if number % 3 == 0:
                        peer.half_close()
                        assert await peer.rest() == b""
                    elif number % 3 == 1:
                        await peer.send(b"nonsense\n")
                        await peer.rest()
                    peer.close()
            await until(lambda: len(host.server.stats()) == 1)
            assert descriptors_num() == before
            assert len(host.server._hang_ups._callbacks) == 1
            await assert_served(first)

    run(scenario())


def test_more_wait_at_the_door_than_are_taken_at_once(path: Path) -> None:
    """Connections beyond what one turn of the loop takes are taken in the next ones."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peers = [await host.connect() for _ in range(2 * ACCEPTS_AT_ONCE + 1)]
            for peer in peers:
                await assert_served(peer)
            assert len(host.server.stats()) == len(peers)

    run(scenario())


def test_a_connection_that_is_refused_asks_nothing(path: Path) -> None:
    """What a refused peer had sent already is not begun."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(peers=0)) as host:
            peer = await host.connect()
            await peer.send(request(1))
            assert (await peer.answer()).code == Code.OVERLOADED
            assert await peer.rest() == b""
            assert handler.waiting_num == 0

    run(scenario())


def test_out_of_descriptors(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who cannot be accepted is logged once, not in every turn of the loop; others go on."""
    monkeypatch.setattr(server_module, "ACCEPT_AGAIN_S", 3600.0)

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            inside = await host.connect()
            await assert_served(inside)
            waiting = await host.connect()
            with descriptors_at_most(waiting.sock.fileno() + 1):
                await until(lambda: caplog.records)
                for _ in range(20):
                    await asyncio.sleep(0)
                assert len(caplog.records) == 1
                assert "cannot accept a connection: " in caplog.text
                await assert_served(inside)

    run(scenario())
    caplog.clear()


def test_who_waits_for_a_descriptor_is_served_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When there are descriptors again, those at the door are let in."""
    monkeypatch.setattr(server_module, "ACCEPT_AGAIN_S", 0.0)

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            waiting = await host.connect()
            with descriptors_at_most(waiting.sock.fileno() + 1):
                await until(lambda: len(caplog.records) >= 2)
            await assert_served(waiting)

    run(scenario())
    caplog.clear()


def test_out_of_descriptors_until_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that stops listening meanwhile does not look at the door again."""
    monkeypatch.setattr(server_module, "ACCEPT_AGAIN_S", 0.0)

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            waiting = await host.connect()
            with descriptors_at_most(waiting.sock.fileno() + 1):
                await until(lambda: caplog.records)
                host.server.stop_listening()
            for _ in range(5):
                await asyncio.sleep(0)
            assert host.server.stats() == ()

    run(scenario())
    caplog.clear()


# The end


def test_who_stops_listening_refuses_new_ones(path: Path) -> None:
    """Nobody new gets in; those who are there are served as ever."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            inside = await host.connect()
            await assert_served(inside)
            host.server.stop_listening()
            host.server.stop_listening()
            with pytest.raises(ConnectionRefusedError):
                await host.connect()
            await assert_served(inside)

    run(scenario())


def test_close_hangs_up_on_the_idle_at_once(path: Path) -> None:
    """Who has nothing under way is not waited for, however long the timeout."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            silent, served = await host.connect(), await host.connect()
            await assert_served(served)
            task = await closing(host, timeout_s=1e9)
            assert await silent.rest() == await served.rest() == b""
            await task

    run(scenario())


def test_close_lets_answers_be_written(path: Path) -> None:
    """What runs is awaited and answered, then the peer is hung up on; nothing new is begun."""
    body = os.urandom(1_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, other = await host.connect(), await host.connect()
            await peer.send(request(1))
            await other.send(notification())
            asked, told = await handler.next(), await handler.next()
            task = await closing(host, timeout_s=1e9)
            await peer.send(request(2))
            refused = await peer.answer()
            assert (refused.id, refused.code) == (2, Code.SHUTTING_DOWN)
            assert refused.envelope["error"]["data"]["retryable"] is True
            asked.answer(body)
            answer = await peer.answer()
            assert (answer.id, answer.blobs) == (1, [body])
            assert await peer.rest() == b""
            assert not task.done(), "a notification runs on"
            told.answer(None)
            assert await other.rest() == b""
            await task
            assert handler.waiting_num == 0

    run(scenario())


def test_close_lets_streams_go_on(path: Path) -> None:
    """Both ways, to their end: credit and data are read while new requests are refused."""
    body = os.urandom(1_000_000)

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, other = await host.connect(), await host.connect()
            await say_hello(peer, handler, credit_bytes=1000)
            await peer.send(request("down"))
            stream = (await handler.next()).answer_stream()
            assert (await peer.answer()).id == "down"
            sending = asyncio.create_task(stream.send(body))
            assert len((await peer.answer()).blobs[0]) == 1000
            await other.send(upload("up", 1))
            up = await handler.next()
            reading = asyncio.create_task(up.body.read())
            assert (await other.answer()).method == "stream.credit"
            task = await closing(host, timeout_s=1e9)
            await peer.send(stream_credit(1, len(body)))
            got = 1000
            while got < len(body):
                got += len((await peer.answer()).blobs[0])
            await sending
            stream.end()
            assert (await peer.answer()).method == "stream.end"
            assert await peer.rest() == b""
            assert not task.done()
            await other.send(stream_data(1, b"some") + stream_end(1))
            assert await reading == b"some"
            assert await up.body.read() == b""
            up.answer("whole")
            assert (await other.answer()).result == "whole"
            assert await other.rest() == b""
            await task

    run(scenario())


def test_close_breaks_off_streams_when_the_time_is_up(path: Path) -> None:
    """Who sends and who reads is told, on our side; the peer sees the hang-up."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await say_hello(peer, handler, credit_bytes=4)
            await peer.send(request("down") + upload("up", 1))
            stream = (await handler.next()).answer_stream()
            sending = asyncio.create_task(stream.send(b"0123456789"))
            up = await handler.next()
            reading = asyncio.create_task(up.body.read())
            await asyncio.sleep(0)
            await host.server.close(timeout_s=0.01)
            for task in (sending, reading):
                with pytest.raises(RpcError) as caught:
                    await task
                assert caught.value.code == Code.CANCELLED
            assert up.is_cancelled
            assert b'"end"' not in await peer.rest()

    run(scenario())


def test_a_batch_during_close(path: Path) -> None:
    """One that was begun is answered whole; one that comes later is refused item by item."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(line([envelope(1), envelope(2)]))
            calls = [await handler.next() for _ in range(2)]
            calls[0].answer(None)
            task = await closing(host, timeout_s=1e9)
            await peer.send(line([envelope(3), {"jsonrpc": "2.0", "method": "told"}]))
            (refused,) = await peer.entries()
            assert (refused.id, refused.code) == (3, Code.SHUTTING_DOWN)
            calls[1].answer(None)
            assert [answer.id for answer in await peer.entries()] == [1, 2]
            assert await peer.rest() == b""
            await task

    run(scenario())


def test_a_half_closed_peer_during_close(path: Path) -> None:
    """It waits for its answer as before, and gets it."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            peer.half_close()
            call = await handler.next()
            await until(lambda: host.life == ["half-closed"])
            task = await closing(host, timeout_s=1e9)
            call.answer("fine")
            assert (await peer.answer()).result == "fine"
            assert await peer.rest() == b""
            await task

    run(scenario())


def test_close_does_not_wait_longer_than_it_may(path: Path) -> None:
    """When the time is up, what still runs for a peer is ended, and the peer hung up on."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(notification() + request(1))
            told, asked = await handler.next(), await handler.next()
            await host.server.close(timeout_s=0.01)
            assert host.server.stats() == ()
            assert asked.is_cancelled
            assert not told.is_cancelled
            told.answer("nobody hears it")
            assert await peer.rest() == b""

    run(scenario())


def test_close_does_not_wait_for_who_does_not_read(path: Path) -> None:
    """An answer that cannot be written within the time is given up."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            (await handler.next()).answer(b"x" * 5_000_000)
            await host.server.close(timeout_s=0.01)
            assert host.server.stats() == ()
            assert 0 < len(await peer.rest()) < 5_000_000

    run(scenario())


def test_a_peer_that_leaves_during_close_is_not_waited_for(path: Path) -> None:
    """The last peer's hang-up ends the waiting."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.send(request(1))
            call = await handler.next()
            task = await closing(host, timeout_s=1e9)
            peer.close()
            await task
            assert call.is_cancelled

    run(scenario())


def test_closing_twice_is_closing_once(path: Path) -> None:
    """Stopping is idempotent, and works on a server that never listened."""

    async def scenario() -> None:
        before = descriptors_num()
        server = Server(scripted(echo), LIMITS)
        await server.close(timeout_s=0)
        await server.close(timeout_s=0)
        assert descriptors_num() == before

    run(scenario())


def test_one_listener_a_server(path: Path) -> None:
    """A second listener would be forgotten by stop_listening: it is a mistake of ours."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            with bound(path.with_name("t")) as second, pytest.raises(AssertionError, match="one"):
                host.server.listen(second)

    run(scenario())


def test_a_listener_that_listens_already(path: Path) -> None:
    """A socket as a service manager hands it over, with peers waiting in it, is taken as it is."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)):
            ready = bound(path.with_name("t"))
            ready.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # PassCredentials=yes
            ready.listen()
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path.with_name("t")))
                sock.setblocking(False)
                early = Peer(sock)
                await early.send(request("early", here=True))
                server = Server(scripted(echo), LIMITS)
                server.listen(ready)
                assert (await early.answer()).result == {"here": True}
                (stats,) = server.stats()
                assert stats.pid == os.getpid()
                await server.close(timeout_s=0)

    run(scenario())


# Several processes on one listening socket, and a change of limits


class Others:
    """Colleagues that take what they are told to."""

    def __init__(self, *, take: bool) -> None:
        self.takes = take
        self.taken: list[socket.socket] = []
        self.counts: list[int] = []

    def take(self, sock: socket.socket) -> bool:
        if self.takes:
            self.taken.append(sock)
        return self.takes

    def count(self, number: int) -> None:
        self.counts.append(number)


def test_a_fresh_connection_may_go_to_a_colleague(path: Path) -> None:
    """It is served there, with all that its peer had sent; here it counts for nothing."""

    async def scenario() -> None:
        others = Others(take=True)
        async with serving(path, scripted(echo), colleagues=others) as host:
            peer = await host.connect()
            await peer.send(request("hello", here=True))
            await until(lambda: others.taken)
            assert host.server.stats() == ()
            assert others.counts == []
            host.server.adopt(others.taken.pop())
            answer = await peer.answer()
            assert answer.result == {"here": True}
            assert others.counts == [1]
            peer.close()
            await host.empty()
            assert others.counts == [1, 0]

    run(scenario())


def test_a_connection_that_no_colleague_takes(path: Path) -> None:
    """Is served here, and counted."""

    async def scenario() -> None:
        others = Others(take=False)
        async with serving(path, scripted(echo), colleagues=others) as host:
            peer = await host.connect()
            await assert_served(peer)
            assert others.counts == [1]

    run(scenario())


def test_a_connection_from_before_the_server_listens(path: Path) -> None:
    """As under supervisor, whose socket is there first: its sender is known all the same."""

    async def scenario() -> None:
        listener = bound(path)
        listener.listen()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.setblocking(False)
            peer = Peer(sock)
            await peer.send(request("hello", here=True))
            server = Server(scripted(echo), LIMITS)
            server.listen(listener)
            assert (await peer.answer()).result == {"here": True}
            await server.close(timeout_s=1)

    run(scenario())


def test_finishing_answers_what_has_come(path: Path) -> None:
    """A request that was sent before is done; a connection without one is closed."""

    async def scenario() -> None:
        calls = Calls()
        async with serving(path, calls) as host:
            asking, idle = await host.connect(), await host.connect()
            await asking.send(request(1))
            await until(lambda: len(host.server.stats()) == 2)
            await asking.send(request(2))
            host.server.finish()
            assert await idle.rest() == b""
            for _ in range(2):
                (await calls.next()).answer({})
            assert {(await asking.answer()).id for _ in range(2)} == {1, 2}
            assert await asking.rest() == b""

    run(scenario())


def test_finishing_reads_all_that_has_come(path: Path) -> None:
    """One read ends behind descriptors that are passed; there may be requests behind it."""

    async def scenario() -> None:
        async with serving(path, scripted(echo)) as host:
            peer = await host.connect()
            await peer.send(request(1))
            assert (await peer.answer()).id == 1
            with path.with_name("file").open("w") as file:
                passing = line(envelope(2, "m", params={}, fds=1))
                socket.send_fds(peer.sock, [passing], [file.fileno()])
            peer.sock.send(request(3))
            host.server.finish()
            answers = [await peer.answer() for _ in range(2)]
            assert [(one.id, "result" in one.envelope) for one in answers] == [(2, True), (3, True)]
            assert await peer.rest() == b""

    run(scenario())


def test_finishing_acts_on_all_that_was_read(path: Path) -> None:
    """Though it takes several visits: those that were read are not refused."""
    number = 64

    async def scenario() -> None:
        async with serving(path, scripted(slow_echo)) as host:
            peer = await host.connect()
            await peer.send(request(0))
            assert (await peer.answer()).id == 0
            peer.sock.send(b"".join(request(one) for one in range(1, number)))
            host.server.finish()
            answers = [await peer.answer() for _ in range(1, number)]
            assert all("result" in one.envelope for one in answers)
            assert await peer.rest() == b""

    run(scenario())


def slow_echo(request: Request, sender: Sender) -> dict[str, Any]:
    """One that is longer at work than what is done in one visit."""
    until = time.monotonic() + VISIT_S
    while time.monotonic() < until:
        pass
    return echo(request, sender)


def test_what_is_adopted_by_a_server_that_finishes(path: Path) -> None:
    """Its request is taken, as it was on its way to us; then it is closed."""

    async def scenario() -> None:
        others = Others(take=True)
        async with serving(path, scripted(echo), colleagues=others) as host:
            peer = await host.connect()
            await peer.send(request(1, here=True))
            await until(lambda: others.taken)
            host.server.finish()
            host.server.adopt(others.taken.pop())
            assert (await peer.answer()).result == {"here": True}
            assert await peer.rest() == b""

    run(scenario())


def test_one_too_many_is_adopted_by_a_server_that_finishes(path: Path) -> None:
    """It is refused and closed, which is all there is to finish."""

    async def scenario() -> None:
        others = Others(take=True)
        async with serving(path, scripted(echo), limits(peers=0), colleagues=others) as host:
            peer = await host.connect()
            await until(lambda: others.taken)
            host.server.finish()
            host.server.adopt(others.taken.pop())
            assert (await peer.answer()).limit == "peers"
            assert await peer.rest() == b""

    run(scenario())


def test_other_limits(path: Path) -> None:
    """For all together at once; a connection has those that held when it was made."""

    async def scenario() -> None:
        calls = Calls()
        async with serving(path, calls, limits(in_flight_per_peer=1, peers=2)) as host:
            first = await host.connect()
            await first.send(request(1))
            call = await calls.next()
            host.server.reload(limits(in_flight_per_peer=2, peers=3, buffered_bytes=5000))
            assert host.server.budget.total_bytes == 5000
            await first.send(request(2))
            assert (await first.answer()).limit == "in_flight_per_peer"
            second, third = await host.connect(), await host.connect()
            for peer in (second, third):
                await peer.send(request(1))
                await peer.send(request(2))
            answered = [call, *[await calls.next() for _ in range(4)]]
            for one in answered:
                one.answer({})
            fourth = await host.connect()
            assert (await fourth.answer()).limit == "peers"

    run(scenario())


def test_what_no_handler_sees_is_told(tmp_path: Path) -> None:
    """Each request that is none, or over a limit, and a connection that is ended; who sent it."""
    told: list[tuple[int, int, str, int]] = []

    def refused(sender: Sender, method: str, error: RpcError) -> None:
        told.append((sender.uid, sender.pid, method, error.code))

    async def scenario() -> None:
        calls = Calls()
        most = limits(in_flight_per_peer=1)
        async with serving(tmp_path / "s", calls, most, on_refused=refused) as host:
            peer = await host.connect()
            await peer.send(request(1, "first") + request(2, "second"))
            await peer.send(line({"jsonrpc": "1.0", "method": "old", "id": 3}))
            await peer.send(line([envelope(4, "fourth"), 7]))
            await peer.send(line({"jsonrpc": "2.0", "method": "$/cancelRequest", "id": 5}))
            await peer.send(b"no JSON\n")
            await until(lambda: len(told) == 6)

    run(scenario())
    me = (os.getuid(), os.getpid())
    assert told[:4] == [
        (*me, "second", Code.OVERLOADED),
        (*me, "old", Code.INVALID_REQUEST),
        (*me, "fourth", Code.OVERLOADED),
        (*me, "", Code.INVALID_REQUEST),
    ]
    assert told[4][2] == "$/cancelRequest"
    assert told[5] == (*me, "", Code.PARSE_ERROR)


def test_a_connection_too_many_is_told(tmp_path: Path) -> None:
    """By who connected: nothing of it was read."""
    told: list[tuple[int, str, int]] = []

    def refused(sender: Sender, method: str, error: RpcError) -> None:
        told.append((sender.uid, method, error.code))

    async def scenario() -> None:
        most = limits(peers=1)
        async with serving(tmp_path / "s", scripted(echo), most, on_refused=refused) as host:
            await host.connect()
            await host.connect()
            await until(lambda: told)

    run(scenario())
    assert told == [(os.getuid(), "", Code.OVERLOADED)]


def test_a_connection_that_is_ended(path: Path) -> None:
    """It is told why, what it had asked for is cancelled, and the others go on."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, other = await host.connect(), await host.connect()
            await peer.send(request(1))
            asked = await handler.next()
            number = asked.sender.connection_id
            assert host.server.end(number, RpcError(Code.CANCELLED, "an administrator did it"))
            word = await peer.answer()
            assert (word.id, word.code) == (None, Code.CANCELLED)
            assert await peer.rest() == b""
            assert asked.is_cancelled
            asked.fail(RpcError(Code.CANCELLED, "it was cancelled"))
            assert not host.server.end(number, RpcError(Code.CANCELLED, "again"))
            await other.send(request(2))
            (await handler.next()).answer(None)
            assert (await other.answer()).id == 2

    run(scenario())


def test_how_much_of_the_limits_is_used(path: Path) -> None:
    """By all, and by the peer and the user who have most."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            assert not any(host.server.used().values())
            peer, other = await host.connect(), await host.connect()
            for number in (1, 2):
                await peer.send(request(number))
            await other.send(request(3))
            asked = [await handler.next() for _ in range(3)]
            used = host.server.used()
            assert (used["peers"], used["peers_per_uid"]) == (2, 2)
            assert (used["in_flight_per_peer"], used["in_flight_per_uid"]) == (2, 3)
            for exchange in asked:
                exchange.answer(None)
            assert host.server.used()["in_flight_per_uid"] == 0

    run(scenario())
