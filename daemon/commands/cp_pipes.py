"""Standard input, standard output and other pipes, read and written without blocking the loop.

Their flags are shared with whoever has the other end or a copy, so O_NONBLOCK is never set.
"""

import asyncio
import errno
import os
import select

READ_BYTES = 256 * 1024

LAST_LOOK_S = 0.02
"""After the end of a pipe, for a signal to arrive: Ctrl-C goes to all of a pipeline, and whoever
wrote may be gone before we hear of it. What it had written would look whole."""


class PipeReader:
    """A body of unknown length. fd: a pipe, a terminal, a socket or a device."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_terminal = os.isatty(fd)

    async def read(self, size: int) -> bytes:
        """Some bytes, at most `size`; b"" at the end. Raises OSError."""
        await self._until_readable()
        data = os.read(self._fd, min(size, READ_BYTES))
        if not data:
            await asyncio.sleep(LAST_LOOK_S)
            if self._is_terminal and not os.isatty(self._fd):
                raise OSError(errno.EIO, "the terminal was closed")
        return data

    async def _until_readable(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if poll.poll(0):
            return
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._fd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._fd)


async def write(fd: int, data: bytes) -> None:
    """Write all of it, in a thread: a pipe blocks for as long as nobody reads it. Raises OSError.

    Cancelled, it leaves the thread to itself.
    """
    await asyncio.to_thread(write_whole, fd, data)


def write_whole(fd: int, data: bytes) -> None:
    """Write all of it: a disk that is nearly full takes a part first. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
