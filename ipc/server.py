"""The daemon's end of the socket: takes connections, and lets them go again."""

import asyncio
import contextlib
import logging
import socket

from botod.ipc.errors import Code, RpcError
from botod.ipc.hang_ups import HangUps
from botod.ipc.peer import Handler, PeerConnection, PeerStats, ServerLimits

logger = logging.getLogger(__name__)

ACCEPTS_AT_ONCE = 64
"""Connections taken in one turn of the loop."""

ACCEPT_AGAIN_S = 1.0
"""Pause after a connection could not be taken: it waits, and would wake the loop in every turn."""

BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn."""


class Server:
    """Serves peers on one listening Unix socket."""

    def __init__(self, handler: Handler, limits: ServerLimits) -> None:
        self._handler = handler
        self._limits = limits
        self._hang_ups = HangUps()
        self._listener: socket.socket | None = None
        self._connections: dict[int, PeerConnection] = {}
        self._connections_total = 0
        self._emptied = asyncio.Event()

    def listen(self, listener: socket.socket) -> None:
        """Take connections from a bound Unix stream socket, which is ours from now on."""
        assert self._listener is None, "one server, one listener"
        listener.setblocking(False)
        # On the listener, so that accepted sockets have it from their first byte on.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listener.listen(BACKLOG)
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def stop_listening(self) -> None:
        """No new connections; those open go on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()

    async def close(self, *, timeout_s: float) -> None:
        """Stop listening, let answers be written for up to `timeout_s`, then hang up.

        Idempotent.
        """
        self.stop_listening()
        deadline = asyncio.get_running_loop().time() + timeout_s
        for connection in list(self._connections.values()):
            connection.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self._connections:
                    self._emptied.clear()
                    await self._emptied.wait()
        for connection in list(self._connections.values()):
            connection.hang_up()
        self._hang_ups.close()

    def stats(self) -> tuple[PeerStats, ...]:
        return tuple(connection.stats() for connection in self._connections.values())

    def _forget(self, connection: PeerConnection) -> None:
        del self._connections[connection.sock.fileno()]
        if not self._connections:
            self._emptied.set()

    def _accept(self) -> None:
        assert self._listener is not None, "accepting without a listener"
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors: those who wait are served later
                logger.warning("cannot accept a connection: %s", error)
                self._pause(self._listener)
                return
            self._adopt(sock)

    def _pause(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(ACCEPT_AGAIN_S, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if self._listener is listener:
            asyncio.get_running_loop().add_reader(listener, self._accept)

    def _adopt(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._connections_total += 1
        connection = PeerConnection(
            sock,
            self._connections_total,
            handler=self._handler,
            limits=self._limits,
            hang_ups=self._hang_ups,
            on_close=self._forget,
        )
        self._connections[sock.fileno()] = connection
        if len(self._connections) > self._limits.connections:
            connection.refuse(
                RpcError(
                    Code.OVERLOADED,
                    f"{self._limits.connections} peers are connected already",
                    {"retryable": True, "retry_after_ms": 1000},
                )
            )
