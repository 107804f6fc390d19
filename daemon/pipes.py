"""Pipes that peers pass: read and written on the loop, without ever blocking.

A pipe's O_NONBLOCK is the peer's own, and never touched: the loop would set it, so it watches an
epoll of ours instead, which the pipe is in. And a plain read blocks whenever somebody else was
faster, a plain write of more than the 4,096 bytes that poll promises. `splice` has a flag for the
one call instead: it moves bytes between the peer's pipe and one of ours, which is non-blocking.
"""

import asyncio
import os
import select
from collections.abc import Callable
from functools import partial

from botod.daemon.files import DescriptorFailed, failed
from botod.daemon.job_states import JobState
from botod.ipc.descriptors import Descriptor
from botod.pool import wait

PIPE_BYTES = 64 * 1024
"""What a pipe holds unless somebody changed that; more of ours would count against the limit of
pipe memory that a user has."""


class PeerPipe:
    """One end of a pipe of a peer's, until it is closed.

    unread_s: how long it may be full: the answer that goes into it holds a slot. One who writes a
    pipe may take its time, until the job's deadline.
    """

    def __init__(self, descriptor: Descriptor, *, unread_s: float) -> None:
        self._descriptor = descriptor
        self._unread_s = unread_s
        self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._epoll = select.epoll()

    def close(self) -> None:
        """Let go of what is our own; the peer's pipe is the request's."""
        self._epoll.close()
        os.close(self._in)
        os.close(self._out)

    def read(self, size: int = PIPE_BYTES) -> bytes:
        """At least a byte, at most `size`; b"" when all writers are gone. Parks."""
        with self._descriptor.use() as fd:
            ready = partial(self._wait_for, fd, select.EPOLLIN)
            moved = self._move(fd, self._in, min(size, PIPE_BYTES), ready)
        return os.read(self._out, moved) if moved else b""

    def write(self, data: bytes) -> None:
        """Write all of `data`; parks. Raises DescriptorFailed when no reader is left."""
        view = memoryview(data)
        with self._descriptor.use() as fd:
            ready = partial(self._wait_for, fd, select.EPOLLOUT, self._unread_s)
            while view:
                waiting = os.write(self._in, view[:PIPE_BYTES])
                view = view[waiting:]
                while waiting:
                    waiting -= self._move(self._out, fd, waiting, ready)

    def _move(self, source: int, target: int, size: int, ready: Callable[[], None]) -> int:
        """Move bytes as soon as the peer's end is ready; 0 at the end."""
        doing = "writing to" if source == self._out else "reading"
        while True:
            try:
                return os.splice(source, target, size, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:
                ready()
            except OSError as error:
                raise failed(doing, error) from None

    def _wait_for(self, fd: int, event: int, most_s: float | None = None) -> None:
        """Park until the kernel says that something can be done, or has gone wrong.

        most_s: how long at most. Raises DescriptorFailed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._epoll.register(fd, event)
        loop.add_reader(self._epoll.fileno(), _settle, future, True)
        timer = None if most_s is None else loop.call_later(most_s, _settle, future, False)
        try:
            is_ready = wait(future, JobState.PEER)
        finally:
            loop.remove_reader(self._epoll.fileno())
            self._epoll.unregister(fd)
            if timer is not None:
                timer.cancel()
        if not is_ready:
            raise DescriptorFailed(f"nothing was read from the pipe for {most_s:g} s")


def _settle(future: "asyncio.Future[bool]", is_ready: bool) -> None:  # noqa: FBT001 - a callback
    if not future.done():
        future.set_result(is_ready)
