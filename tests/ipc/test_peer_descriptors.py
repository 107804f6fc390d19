"""Descriptors that come beside bytes: whose they are, and that each is closed in every outcome."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botod.ipc.descriptor_queue import MAX_FDS, SURPLUS_FDS
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import MAX_DRAIN_BYTES
from support.ipc import (
    STEP_TIMEOUT_S,
    Call,
    Calls,
    Host,
    Peer,
    cancel_request,
    envelope,
    limits,
    line,
    request,
    run,
    serving,
    until,
    upload,
)
from support.pools import descriptors_num


class Pipe:
    """A pipe whose writing end is passed: its reading end tells when nobody has it any more."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def let_go(self) -> None:
        """Close our own writing end: those that were passed are left."""
        os.close(self.writing)

    @property
    def is_held(self) -> bool:
        """Whether somebody has the writing end open."""
        try:
            return os.read(self.reading, 1) != b""
        except BlockingIOError:
            return True


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe to pass the writing end of."""
    pipe = Pipe()
    yield pipe
    os.close(pipe.reading)
    with contextlib.suppress(OSError):
        os.close(pipe.writing)


def with_fd(call_id: Any, *, number: int = 1, blobs: bytes = b"", **members: Any) -> bytes:
    """A request with descriptors."""
    params = {"Body": {"$fd": 0}} if number else {}
    if blobs:
        members["bytes"] = [len(blobs)]
    return line(envelope(call_id, fds=number, params=params, **members)) + blobs


def write_to(call: Call, data: bytes) -> None:
    """Write to the descriptor that came as `Body`."""
    descriptor = call.request.params["Body"]
    assert isinstance(descriptor, Descriptor)
    with descriptor.use() as fd:
        os.write(fd, data)


async def held_call(host: Host, calls: Calls, pipe: Pipe, *, call_id: Any = 1) -> tuple[Peer, Call]:
    """A peer whose request has the only writing end of the pipe."""
    peer = await host.connect()
    await peer.pass_fds(with_fd(call_id), pipe.writing)
    call = await calls.next()
    pipe.let_go()
    assert pipe.is_held
    return peer, call


# With which line they come


def test_a_part_of_a_file(path: Path, tmp_path: Path) -> None:
    """Offset and length beside `$fd` come with the descriptor; it is open, and not inherited."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            (tmp_path / "file").write_bytes(b"0123456789")
            params = {"Body": {"$fd": 0, "offset": 3, "length": 4}}
            with (tmp_path / "file").open("rb") as file:
                await peer.pass_fds(line(envelope(1, fds=1, params=params)), file.fileno())
            descriptor = (await handler.next()).request.params["Body"]
            assert (descriptor.offset, descriptor.length) == (3, 4)
            with descriptor.use() as fd:
                assert not os.get_inheritable(fd)
                assert os.pread(fd, descriptor.length, descriptor.offset) == b"3456"

    run(scenario())


@pytest.mark.parametrize("at", ["first", "middle", "last"])
def test_they_may_come_with_any_byte_of_their_line(path: Path, pipe: Pipe, at: str) -> None:
    """The kernel attaches them to one byte; the line may come in many writes around it."""
    sent = with_fd(1)
    cut = {"first": 1, "middle": len(sent) // 2, "last": len(sent)}[at]

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            for number in range(len(sent)):
                byte = sent[number : number + 1]
                if number == cut - 1:
                    await peer.pass_fds(byte, pipe.writing)
                else:
                    await peer.send(byte)
            write_to(await handler.next(), b"here")
            assert os.read(pipe.reading, 10) == b"here"

    run(scenario())


def test_several_lines_with_one_each(path: Path) -> None:
    """In one write, in several, together at once or one by one: each line has its own."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            pipes = [Pipe() for _ in range(6)]
            fds = [pipe.writing for pipe in pipes]
            await peer.pass_fds(with_fd(0) + request("none") + with_fd(1) + with_fd(2), *fds[:3])
            await peer.pass_fds(with_fd(3)[:10], fds[3])
            await peer.pass_fds(with_fd(3)[10:] + with_fd(4), fds[4])
            await peer.pass_fds(with_fd(5), fds[5])
            for pipe in pipes:
                pipe.let_go()
            calls = [await handler.next() for _ in range(7)]
            del calls[1]
            for call in calls:
                write_to(call, str(call.request.request_id).encode())
            assert [os.read(pipe.reading, 10) for pipe in pipes] == [b"%d" % n for n in range(6)]
            assert all(pipe.is_held for pipe in pipes)
            for call, pipe in zip(calls, pipes, strict=True):
                call.answer(None)
                assert not pipe.is_held
                os.close(pipe.reading)

    run(scenario())


def test_several_with_one_line(path: Path) -> None:
    """A line takes as many as it declares, in their order, and refers to each by its place."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            pipes = [Pipe() for _ in range(MAX_FDS)]
            params = {str(number): {"$fd": number} for number in reversed(range(MAX_FDS))}
            await peer.pass_fds(
                line(envelope(1, fds=MAX_FDS, params=params)), *[pipe.writing for pipe in pipes]
            )
            call = await handler.next()
            for number, pipe in enumerate(pipes):
                pipe.let_go()
                with call.request.params[str(number)].use() as fd:
                    os.write(fd, b"%d" % number)
                assert os.read(pipe.reading, 10) == b"%d" % number
            call.answer(None)
            assert not any(pipe.is_held for pipe in pipes)
            for pipe in pipes:
                os.close(pipe.reading)

    run(scenario())


def test_bytes_and_a_descriptor(path: Path, pipe: Pipe) -> None:
    """One message may have both; the descriptor waits for the last byte."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            sent = with_fd(1, blobs=b"0123456789")
            await peer.pass_fds(sent[:-1], pipe.writing)
            await peer.send(sent[-1:] + request(2))
            write_to(await handler.next(), b"x")
            assert (await handler.next()).request.request_id == 2

    run(scenario())


def test_one_that_no_line_declares_is_kept_for_the_next(path: Path, pipe: Pipe) -> None:
    """Descriptors may come before their line is read, so a small surplus lies there, in order."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(request(1), pipe.writing)
            await handler.next()
            await peer.send(with_fd(2))
            write_to(await handler.next(), b"x")

    run(scenario())


# What is refused


def test_fewer_than_declared(path: Path, pipe: Pipe) -> None:
    """The request is refused under its id, those that came are closed, and the next is done."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(with_fd(1, number=2, blobs=b"body") + request(2), pipe.writing)
            answer = await peer.answer()
            assert (answer.id, answer.code) == (1, Code.INVALID_REQUEST)
            assert (await handler.next()).request.request_id == 2
            pipe.let_go()
            assert not pipe.is_held

    run(scenario())


@pytest.mark.parametrize("number", [MAX_FDS + 1, -1, "1", True, None])
def test_a_number_that_cannot_be_told_ends_the_connection(
    path: Path, pipe: Pipe, number: Any
) -> None:
    """Nobody knows whose the next descriptors would be."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(line(envelope(1, fds=number)), pipe.writing)
            assert (await peer.answer()).code == Code.INVALID_REQUEST
            assert await peer.rest() == b""
            pipe.let_go()
            assert not pipe.is_held

    run(scenario())


@pytest.mark.parametrize("in_flight", [True, False])
def test_a_surplus_ends_the_connection(path: Path, pipe: Pipe, in_flight: bool) -> None:
    """More than a peer may leave undeclared, over many writes: none is kept, others go on."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, other = await host.connect(), await host.connect()
            if in_flight:
                await peer.send(request(1))
                call = await handler.next()
            for _ in range(SURPLUS_FDS + MAX_FDS):
                await peer.pass_fds(b"\n", pipe.writing)
            await peer.silent()
            await peer.pass_fds(b"\n", pipe.writing)
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            if in_flight:
                call.answer("fine")
                assert (await peer.answer()).result == "fine"
            assert await peer.rest() == b""
            pipe.let_go()
            assert not pipe.is_held
            await other.send(request(2))
            assert (await handler.next()).request.request_id == 2

    run(scenario())


@pytest.mark.parametrize("number", [SURPLUS_FDS + MAX_FDS + 1, 253])
def test_more_than_a_control_message_holds(path: Path, pipe: Pipe, number: int) -> None:
    """The kernel drops what does not fit, so that nobody can tell whose the rest are."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(with_fd(1), *[pipe.writing] * number)
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.INVALID_REQUEST)
            assert await peer.rest() == b""
            pipe.let_go()
            assert not pipe.is_held

    run(scenario())


@pytest.mark.parametrize(
    "refused",
    [
        line(envelope(1, fds=1, colour="red")),
        line(envelope(1, fds=1, params=[1])),
        line({"jsonrpc": "1.0", "id": 1, "fds": 1}),
        line(envelope(1, fds=1, params={"a": {"$fd": 0}, "b": {"$fd": 0}})),
        line(envelope(1, fds=1, params={"a": {"$fd": 0, "offset": -1}})),
        line(envelope(1, fds=1, streams=[1, 1])),
        line(envelope(1, fds=1, bytes=[2000])) + b"x" * 2000,
        line(envelope("held", fds=1)),
    ],
)
def test_those_of_a_refused_request_are_closed(path: Path, pipe: Pipe, refused: bytes) -> None:
    """Whatever it is refused for: the descriptors go, the connection stays."""

    async def scenario() -> None:
        small = limits(message=limits().message._replace(inline_bytes=1000))
        async with serving(path, handler := Calls(), small) as host:
            peer = await host.connect()
            await peer.send(request("held"))
            await handler.next()
            before = descriptors_num()
            await peer.pass_fds(refused, pipe.writing)
            assert "error" in (await peer.answer()).envelope
            assert descriptors_num() == before
            pipe.let_go()
            assert not pipe.is_held
            await peer.send(request(2))
            assert (await handler.next()).request.request_id == 2

    run(scenario())


@pytest.mark.parametrize(
    "bad",
    [
        line({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}, "fds": 1}),
        line({"jsonrpc": "2.0", "method": "stream.end", "params": {"stream": 1}, "fds": 2}),
        line(envelope(1, fds=1, bytes=[MAX_DRAIN_BYTES + 1])),
        line(envelope(1, fds=1, bytes=-1)),
        b"nonsense\n",
    ],
)
def test_those_of_a_faulty_message_are_closed(path: Path, pipe: Pipe, bad: bytes) -> None:
    """What ends the connection leaves no descriptor behind either."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(bad, pipe.writing)
            assert "error" in (await peer.answer()).envelope
            assert await peer.rest() == b""
            pipe.let_go()
            assert not pipe.is_held

    run(scenario())


def test_descriptors_with_a_batch_belong_to_no_request(path: Path, pipe: Pipe) -> None:
    """Nothing in an array can declare them; they wait for a line that does, or for the end."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(line([envelope(1, fds=1), envelope(2)]), pipe.writing)
            call = await handler.next()
            assert call.request.request_id == 2
            call.answer(None)
            refused, _fine = await peer.entries()
            assert (refused.id, refused.code) == (1, Code.INVALID_REQUEST)
            pipe.let_go()
            peer.close()
            await host.empty()
            assert not pipe.is_held

    run(scenario())


def test_too_many_of_one_user(path: Path) -> None:
    """Over all connections of a user; the refused ones are closed, and those that end make room."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(descriptors_per_uid=3)) as host:
            before = descriptors_num()
            peers = [await host.connect() for _ in range(2)]
            reading, writing = os.pipe()
            await peers[0].pass_fds(with_fd(1, number=2), writing, writing)
            first = await handler.next()
            await peers[1].pass_fds(with_fd(2, number=2), writing, writing)
            answer = await peers[1].answer()
            assert (answer.id, answer.code, answer.limit) == (
                2,
                Code.OVERLOADED,
                "descriptors_per_uid",
            )
            assert host.server.refusals.by_limit() == {"descriptors_per_uid": 1}
            await peers[1].pass_fds(with_fd(3), writing)
            await handler.next()
            await peers[1].send(request("none"))
            await handler.next()
            first.answer(None)
            assert (await peers[0].answer()).id == 1
            await peers[0].pass_fds(with_fd(4, number=2), writing, writing)
            await handler.next()
            os.close(reading)
            os.close(writing)
            assert descriptors_num() == before + 2 * 2 + 1 + 2

    run(scenario())


# When they are closed


def test_an_answer_closes_them(path: Path, pipe: Pipe) -> None:
    """The descriptor is the request's: with its result it goes."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            _peer, call = await held_call(host, handler, pipe)
            call.answer("fine")
            assert not pipe.is_held

    run(scenario())


def test_an_error_closes_them(path: Path, pipe: Pipe) -> None:
    """A request that fails has no need of them."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            _peer, call = await held_call(host, handler, pipe)
            call.fail(RpcError(Code.SERVICE_ERROR, "no"))
            assert not pipe.is_held

    run(scenario())


def test_a_handler_that_raises_closes_them(
    path: Path, pipe: Pipe, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the handler leaves nothing open."""

    def buggy(_exchange: object) -> None:
        raise ZeroDivisionError("a bug")

    async def scenario() -> None:
        async with serving(path, buggy) as host:
            peer = await host.connect()
            await peer.pass_fds(with_fd(1), pipe.writing)
            assert (await peer.answer()).code == Code.INTERNAL_ERROR
            pipe.let_go()
            assert not pipe.is_held

    run(scenario())
    caplog.clear()


@pytest.mark.parametrize("how", ["cancel", "hang-up"])
def test_one_that_is_cancelled_has_them_until_it_is_settled(
    path: Path, pipe: Pipe, how: str
) -> None:
    """Its work may be reading them still: they go when the handler says that it is over."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, call = await held_call(host, handler, pipe)
            if how == "cancel":
                await peer.send(cancel_request(1))
            else:
                peer.close()
            await call.cancelled()
            assert pipe.is_held
            call.settle()
            assert not pipe.is_held

    run(scenario())


def test_a_notification_has_them_after_the_hang_up(path: Path, pipe: Pipe) -> None:
    """Its work goes on, and so does what it needs."""

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer = await host.connect()
            params = {"Body": {"$fd": 0}}
            told = line({"jsonrpc": "2.0", "method": "m", "fds": 1, "params": params})
            await peer.pass_fds(told, pipe.writing)
            call = await handler.next()
            pipe.let_go()
            peer.close()
            await host.empty()
            write_to(call, b"still here")
            assert os.read(pipe.reading, 20) == b"still here"
            call.answer(None)
            assert not pipe.is_held

    run(scenario())


@pytest.mark.parametrize(
    "sent", [with_fd(1)[:-9], with_fd(1, blobs=b"half")[:-1], b"\n"], ids=["line", "body", "none"]
)
@pytest.mark.parametrize("how", ["hang-up", "half-close", "server close"])
def test_those_of_half_a_message_are_closed(path: Path, pipe: Pipe, sent: bytes, how: str) -> None:
    """Whoever breaks it off, and in whichever part of the message."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            before = descriptors_num()
            await peer.pass_fds(sent, pipe.writing)
            await until(lambda: descriptors_num() > before)
            pipe.let_go()
            assert pipe.is_held
            if how == "hang-up":
                peer.close()
            elif how == "half-close":
                peer.half_close()
            else:
                await host.server.close(timeout_s=0)
            await host.empty()
            assert not pipe.is_held

    run(scenario())


def test_one_in_use_stays_open_until_it_is_let_go(path: Path, pipe: Pipe) -> None:
    """A thread that writes while the request ends never writes to somebody else's file."""
    begun, go_on = threading.Event(), threading.Event()

    async def scenario() -> None:
        async with serving(path, handler := Calls()) as host:
            peer, call = await held_call(host, handler, pipe)
            descriptor = call.request.params["Body"]

            def work() -> None:
                with descriptor.use() as fd:
                    begun.set()
                    assert go_on.wait(STEP_TIMEOUT_S)
                    os.write(fd, b"late")

            thread = threading.Thread(target=work)
            thread.start()
            assert begun.wait(STEP_TIMEOUT_S)
            call.answer("over")
            assert (await peer.answer()).result == "over"
            assert pipe.is_held
            with pytest.raises(ValueError, match="closed"), descriptor.use():
                pass
            go_on.set()
            thread.join(STEP_TIMEOUT_S)
            assert os.read(pipe.reading, 10) == b"late"
            assert not pipe.is_held

    run(scenario())


def test_descriptors_of_a_request_with_a_stream(path: Path, pipe: Pipe) -> None:
    """A request refused for its stream lets go of its descriptor too."""

    async def scenario() -> None:
        async with serving(path, handler := Calls(), limits(streams_per_peer=1)) as host:
            peer = await host.connect()
            await peer.send(upload(1, 1))
            await handler.next()
            await peer.pass_fds(line(envelope(2, fds=1, streams=[2])), pipe.writing)
            assert (await peer.answer()).limit == "streams_per_peer"
            pipe.let_go()
            assert not pipe.is_held

    run(scenario())


def test_a_socket_ends_the_connection(path: Path) -> None:
    """None is ever taken; a peer's own end of it would hide that the peer is gone."""

    async def scenario() -> None:
        async with serving(path, Calls()) as host:
            peer = await host.connect()
            await peer.pass_fds(b"\n", peer.sock.fileno())
            answer = await peer.answer()
            assert (answer.id, answer.code) == (None, Code.DESCRIPTOR_FAILED)
            peer.close()
            await host.empty()

    run(scenario())


def test_those_that_no_line_declares_count_for_their_user(path: Path, pipe: Pipe) -> None:
    """Over all of his connections; far above the limit the connection ends."""

    async def scenario() -> None:
        async with serving(path, Calls(), limits(descriptors_per_uid=4)) as host:
            peers = [await host.connect() for _ in range(3)]
            for peer in peers:
                await peer.pass_fds(b"\n", *[pipe.writing] * 4)
            answer = await peers[2].answer()
            assert (answer.id, answer.code) == (None, Code.OVERLOADED)
            assert host.server.refusals.by_limit() == {"descriptors_per_uid": 1}

    run(scenario())
