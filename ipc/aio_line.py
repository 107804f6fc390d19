"""One connection to the daemon on an asyncio loop, with many requests in flight."""

import _socket as socket  # as in line.py, whose sockets these are too
import array
import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from botod.ipc.conversation import Conversation
from botod.ipc.errors import ProtocolError
from botod.ipc.flows import Inflow
from botod.ipc.line import PIECES_MAX, connected, no_daemon, read_buffer, without
from botod.ipc.reply import Reply
from botod.ipc.writing import Written


class Outgoing:
    """A message that is being written, with copies of the descriptors that go with it."""

    def __init__(self, written: Written) -> None:
        self.replies = written.replies
        self.fds = [os.dup(fd) for fd in written.fds] if written.fds else []
        self.rest: Sequence[Any] = written.pieces

    def close(self) -> None:
        while self.fds:
            os.close(self.fds.pop())


class AsyncLine:
    """A connection of this process and of the running loop."""

    def __init__(self, path: str, sock: socket.socket) -> None:
        self.conversation = Conversation(path)
        self.loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = sock
        self._pid = os.getpid()
        self._buffer = read_buffer()
        self._outbox: deque[Outgoing] = deque()
        self._can_write = True
        self._is_full = False  # the loop says when the socket takes more
        self._on_drained: list[asyncio.Future[None]] = []
        sock.setblocking(False)
        self.loop.add_reader(sock, self._on_readable)

    @property
    def is_connected(self) -> bool:
        """Whether this process made it, and it has not ended."""
        return self._pid == os.getpid() and self._socket is not None

    @property
    def is_usable(self) -> bool:
        """Whether another request may go over it."""
        return self.is_connected and self._can_write and self.conversation.is_open

    def send(self, written: Written) -> None:
        """Write a message as soon as the socket takes it; after the end it is dropped."""
        if self._socket is None or not self._can_write:
            return
        self._outbox.append(Outgoing(written))
        if len(self._outbox) == 1:
            self._flush()

    async def drained(self) -> None:
        """Once all that was sent is written, or never will be."""
        while self._outbox:
            done = self.loop.create_future()
            self._on_drained.append(done)
            await done

    async def until(self, condition: Callable[[], bool], watched: Any) -> None:
        """Once something is so that changes with `watched.on_change`."""
        while not condition():
            changed = self.loop.create_future()
            watched.on_change = partial(_wake, changed)
            await changed

    def cancel(self, reply: Reply) -> None:
        """Nobody waits for an answer any more."""
        message = self.conversation.cancel(reply)
        if message is not None:
            self.send(message)

    def forget(self, inflow: Inflow) -> None:
        """Nobody reads a stream any more."""
        message = inflow.cancel()
        if message is not None:
            self.send(message)

    def close(self) -> None:
        """Hang up: the daemon ends what is under way; what waits here fails."""
        self._end(None, "the connection was closed")

    def _on_readable(self) -> None:
        """Take all that is there: libuv tells of an error once, and then of nothing behind it."""
        while self._socket is not None:
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(error)
                return
            if not size:
                self._end(None)
                return
            try:
                self.conversation.receive(self._buffer[:size])
            except ProtocolError as error:
                self._hang_up()
                self.conversation.broke(error)

    def _flush(self) -> None:
        try:
            while self._outbox and self._socket is not None:
                self._write(self._outbox[0], self._socket)
        except BlockingIOError:
            assert self._socket is not None, "a closed socket was written to"
            if not self._is_full:
                self.loop.add_writer(self._socket, self._flush)
                self._is_full = True
            return
        except OSError:  # it may have said why: what came is read before the end is
            self._can_write = False
            self._drop_outbox()
        self._wake_drained()

    def _write(self, message: Outgoing, sock: socket.socket) -> None:
        while message.rest:
            rights: list[Any] = []
            if message.fds:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", message.fds))]
            sent = sock.sendmsg(message.rest[:PIECES_MAX], rights)
            message.close()
            message.rest = without(message.rest, sent)
        self._outbox.popleft()
        self.conversation.wrote(message.replies)

    def _wake_drained(self) -> None:
        if self._is_full and self._socket is not None:
            self.loop.remove_writer(self._socket)
            self._is_full = False
        waiting, self._on_drained = self._on_drained, []
        for one in waiting:
            _wake(one)

    def _drop_outbox(self) -> None:
        while self._outbox:
            self._outbox.pop().close()

    def _end(self, error: OSError | None, words: str = "the daemon hung up") -> None:
        if self._socket is not None:
            self._hang_up()
            self.conversation.ended(error, words)

    def _hang_up(self) -> None:
        sock = self._socket
        assert sock is not None, "hung up twice"
        self._drop_outbox()
        if self._pid == os.getpid():
            self.loop.remove_reader(sock)
            self._wake_drained()
        self._socket = None
        sock.close()


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def open_line(path: str, *, timeout_s: float) -> AsyncLine:
    """Connect. Raises DaemonUnavailable."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(path)
    except BlockingIOError:  # too many connect: only a blocking one is let in later
        sock.close()
        sock = await asyncio.to_thread(connected, path, timeout_s)
    except OSError as error:
        sock.close()
        raise no_daemon(path, error) from None
    return AsyncLine(path, sock)
