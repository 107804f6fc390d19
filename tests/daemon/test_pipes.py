"""Pipes: moved on the loop, never blocking, never touched otherwise."""

import asyncio
import fcntl
import os

import pytest

from botod.daemon.files import DescriptorFailed
from botod.daemon.pipes import PIPE_BYTES, PeerPipe
from botod.ipc.descriptors import Descriptor
from botod.pool import spawn
from support.bodies import LARGE, Rig, pipe, thread, write_all
from support.loops import BOUND_S, run, until
from support.pools import descriptors_num


def test_a_pipe_s_flags_are_the_peer_s() -> None:
    """O_NONBLOCK is not set on it, at no time."""
    seen = set()

    def write(writer: int) -> None:
        for start in range(0, len(LARGE), 100_000):
            write_all(writer, LARGE[start : start + 100_000], close=False)
            seen.add(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK)
        os.close(writer)

    with pipe() as (reader, writer), thread(lambda: write(writer)):
        Rig().put(Descriptor(reader), ContentLength=len(LARGE))
        seen.add(fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK)
    assert seen == {0}


def test_nor_while_it_is_waited_for() -> None:
    """The loop would set it on whatever it watches, and for whoever shares the pipe."""

    async def main() -> None:
        with pipe() as (reader, writer):
            one = PeerPipe(Descriptor(reader), unread_s=BOUND_S)
            reading = spawn(one.read)
            await until(lambda: reading.frame)
            assert not fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK
            os.write(writer, b"x")
            assert await reading == b"x"
            assert not fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK
            one.close()

    run(main)


def test_a_job_that_is_cancelled_while_a_pipe_is_empty() -> None:
    """It ends at once; the loop knows nothing of the pipe any more."""

    async def main(one: Rig, reader: int) -> None:
        one.bodies = None
        task = asyncio.ensure_future(
            one._in_greenlet("put_object", lambda: one._sent(Descriptor(reader), {}, 1))
        )
        for _ in range(20):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not asyncio.get_running_loop().remove_reader(reader)

    with pipe() as (reader, _writer):
        before = descriptors_num()
        run(lambda: main(Rig(), reader))
        assert descriptors_num() == before


def test_pipes_move_by_what_a_pipe_holds() -> None:
    """More at once could not be handed to the one of ours."""
    with pipe() as (reader, _writer):
        assert fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ) == PIPE_BYTES


def test_a_pipe_whose_reader_goes_away() -> None:
    """The kernel says so; the transfer is closed."""
    one = Rig()
    with (
        pipe() as (reader, writer),
        thread(lambda: (os.read(reader, 10), os.close(reader))),
        pytest.raises(DescriptorFailed, match="Broken pipe") as caught,
    ):
        one.get(LARGE, writer)
    assert caught.value.errno_name == "EPIPE"
    assert one.response.is_closed
    assert one.bodies is not None
    assert one.bodies.has_added


@pytest.mark.parametrize("content", [b"", b"miaow", LARGE])
def test_an_object_is_written_to_a_pipe(content: bytes) -> None:
    """As fast as it is read."""
    got = bytearray()

    def read(reader: int) -> None:
        while block := os.read(reader, 50_000):
            got.extend(block)

    with pipe() as (reader, writer), thread(lambda: read(reader)):
        assert Rig().get(content, writer)["ContentLength"] == len(content)
        os.close(writer)
    assert bytes(got) == content


def test_a_pipe_that_nobody_reads() -> None:
    """It is given up after the time that is set: the answer holds a slot."""
    one = Rig()
    one.unread_timeout_s = 0.0
    with pipe() as (_reader, writer), pytest.raises(DescriptorFailed, match="nothing was read"):
        one.get(LARGE, writer)
    assert one.response.is_closed
