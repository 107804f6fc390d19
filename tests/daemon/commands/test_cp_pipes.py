"""Pipes and terminals as bodies: no byte is lost, and the loop is never blocked."""

import asyncio
import os
import pty
import threading
from collections.abc import Awaitable, Callable

import pytest

from botod.daemon.commands.cp_pipes import PipeReader, write, write_whole
from support.daemons import BOUND_S

BODY = bytes(range(256)) * 4000
"""More than a pipe holds."""


def in_time(work: Callable[[], Awaitable[None]]) -> None:
    """Run it, for a bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(BOUND_S):
            await work()

    asyncio.run(bounded())


async def all_of(fd: int) -> bytes:
    """What a reader gives to its end."""
    reader, data = PipeReader(fd), b""
    while piece := await reader.read(1000):
        assert len(piece) <= 1000
        data += piece
    return data


def test_a_pipe_is_read_to_its_end() -> None:
    """As it comes, from a writer that is slower and one that is faster."""
    reads, writes = os.pipe()

    def produce() -> None:
        write_whole(writes, BODY)
        os.close(writes)

    producer = threading.Thread(target=produce)
    producer.start()

    async def consume() -> None:
        assert await all_of(reads) == BODY

    in_time(consume)
    producer.join(BOUND_S)
    os.close(reads)


def test_the_loop_goes_on_while_nothing_comes() -> None:
    """And a read that is cancelled leaves nothing behind."""
    reads, writes = os.pipe()

    async def wait() -> None:
        reader = PipeReader(reads)
        reading = asyncio.create_task(reader.read(9))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        os.write(writes, b"later")
        assert await reader.read(9) == b"later"

    in_time(wait)
    for fd in (reads, writes):
        assert os.get_blocking(fd)
        os.close(fd)


def test_a_device_that_cannot_be_waited_for_is_read() -> None:
    """epoll takes neither /dev/null nor a file."""
    null = os.open("/dev/null", os.O_RDONLY)

    async def read() -> None:
        assert await all_of(null) == b""

    in_time(read)
    os.close(null)


def test_the_end_of_a_terminals_input_is_an_end() -> None:
    """Ctrl-D at the beginning of a line."""
    terminal, ours = pty.openpty()
    os.write(terminal, b"line\n\x04")

    async def read() -> None:
        assert await all_of(ours) == b"line\n"

    in_time(read)
    os.close(ours)
    os.close(terminal)


def test_a_terminal_that_was_closed_is_no_end() -> None:
    """What was typed so far would look whole."""
    terminal, ours = pty.openpty()

    async def read() -> None:
        reader = PipeReader(ours)
        os.close(terminal)
        with pytest.raises(OSError, match=r"error|closed"):
            await reader.read(9)

    in_time(read)
    os.close(ours)


def test_writing_waits_for_the_reader_in_a_thread() -> None:
    """The loop goes on meanwhile; all of it arrives."""
    reads, writes = os.pipe()

    async def work() -> None:
        writing = asyncio.create_task(write(writes, BODY))
        data = b""
        while len(data) < len(BODY):
            data += await asyncio.to_thread(os.read, reads, 1 << 20)
        await writing
        assert data == BODY

    in_time(work)
    os.close(reads)
    os.close(writes)


def test_writing_to_nobody_is_a_broken_pipe() -> None:
    """As the system says it."""
    reads, writes = os.pipe()
    os.close(reads)
    with pytest.raises(BrokenPipeError):
        write_whole(writes, b"x")
    os.close(writes)
