"""The daemon's end of the socket: takes connections, and lets them go again."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from botod.ipc.errors import RpcError
from botod.ipc.exchange import Handler, OnRefused
from botod.ipc.exchanges import Shared
from botod.ipc.hang_ups import HangUps
from botod.ipc.life import Life
from botod.ipc.limits import Account, Accounts, Budget, Refusals, ServerLimits
from botod.ipc.peer import PeerConnection, PeerStats
from botod.ipc.receiving import connected_as

logger = logging.getLogger(__name__)

ACCEPTS_AT_ONCE = 64
"""Connections taken in one turn of the loop."""

ACCEPT_AGAIN_S = 1.0
"""Pause after a connection could not be taken: it waits, and would wake the loop in every turn."""

BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn."""

REFUSED_RETRY_MS = 1000
"""When to come back if there are too many connections: they last longer than requests."""


class Colleagues(Protocol):
    """Other processes that accept connections on the same listening socket."""

    def take(self, sock: socket.socket) -> bool:
        """Have one of them serve a connection of which nothing was read; False: nobody does."""

    def count(self, number: int) -> None:
        """Tell them that this process has so many."""


class Server:
    """Serves peers on one listening Unix socket.

    colleagues: None: there are none. on_refused: hears of what never comes to the handler.
    refusals: how often each limit refused something. budget: the bytes of all peers' messages.
    """

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        colleagues: Colleagues | None = None,
        *,
        on_refused: OnRefused | None = None,
    ) -> None:
        self.refusals = Refusals()
        self.budget = Budget(limits.buffered_bytes)
        self._limits = limits
        self._shared = Shared(handler, limits, self.refusals)
        if on_refused is not None:
            self._shared = replace(self._shared, on_refused=on_refused)
        self._accounts = Accounts(limits, self.budget)
        self._hang_ups = HangUps()
        self._colleagues = colleagues
        self._is_finishing = False
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

    def finish(self) -> None:
        """Stop listening, act on what has come by now, and let each connection come to its end.

        One without requests is closed at once; on the others new requests are refused.
        """
        self.stop_listening()
        self._is_finishing = True
        for connection in list(self._connections.values()):
            connection.finish()

    async def close(self, *, timeout_s: float) -> None:
        """Finish, let answers be written for up to `timeout_s`, then hang up. Idempotent."""
        self.finish()
        deadline = asyncio.get_running_loop().time() + timeout_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self._connections:
                    self._emptied.clear()
                    await self._emptied.wait()
        for connection in list(self._connections.values()):
            connection.end()
        self._hang_ups.close()

    def reload(self, limits: ServerLimits) -> None:
        """Have other limits: for all together at once, for one connection from the next one on."""
        self._limits = limits
        self._shared = replace(self._shared, limits=limits)
        self._accounts.reload(limits)
        self.budget.total_bytes = limits.buffered_bytes

    def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that was accepted elsewhere, of which nothing was read."""
        connection = self._adopt(sock)
        if self._is_finishing and connection.life is not Life.CLOSED:  # as if it is one too many
            connection.finish()

    def stats(self) -> tuple[PeerStats, ...]:
        return tuple(connection.stats() for connection in self._connections.values())

    def used(self) -> Mapping[str, int]:
        """How much of each limit is in use: of a peer's or a user's, by the one who has most."""
        peers = self.stats()
        return {
            "peers": len(peers),
            "in_flight_per_peer": max((one.in_flight_num for one in peers), default=0),
            "unread_bytes": max((one.unread_bytes for one in peers), default=0),
            "streams_per_peer": max((one.streams_num for one in peers), default=0),
            "buffered_bytes": self.budget.used_bytes,
            **self._accounts.most(),
        }

    def end(self, number: int, error: RpcError) -> bool:
        """Hang up on a connection, with `error` as its last word; False: it is not there."""
        for connection in self._connections.values():
            if connection.number == number:
                connection.end(error)
                return True
        return False

    def _forget(self, connection: PeerConnection) -> None:
        del self._connections[connection.sock.fileno()]
        connection.account.peers_num -= 1
        self._count()
        if not self._connections:
            self._emptied.set()

    def _count(self) -> None:
        if self._colleagues is not None:
            self._colleagues.count(len(self._connections))

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
            if self._colleagues is None or not self._colleagues.take(sock):
                self._adopt(sock)

    def _pause(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(ACCEPT_AGAIN_S, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if self._listener is listener:
            asyncio.get_running_loop().add_reader(listener, self._accept)

    def _adopt(self, sock: socket.socket) -> PeerConnection:
        sock.setblocking(False)
        # Linux 6.16 and later inherit it as the peer connects, which may have been before `listen`.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._connections_total += 1
        account = self._accounts.of(connected_as(sock).uid, now=asyncio.get_running_loop().time())
        account.peers_num += 1
        connection = PeerConnection(
            sock,
            self._connections_total,
            shared=self._shared,
            accounts=self._accounts,
            account=account,
            hang_ups=self._hang_ups,
            on_close=self._forget,
        )
        self._connections[sock.fileno()] = connection
        self._count()
        self._check_number(connection, account)
        return connection

    def _check_number(self, connection: PeerConnection, account: Account) -> None:
        """Refuse one connection too many, at all or of its user."""
        for limit, number, most, who in (
            ("peers", len(self._connections), self._limits.peers, "peers"),
            ("peers_per_uid", account.peers_num, self._limits.peers_per_uid, "peers of this user"),
        ):
            if number > most:
                words = f"{most} {who} are connected already"
                connection.refuse(
                    self.refusals.error(limit, words, retry_after_ms=REFUSED_RETRY_MS)
                )
                return
