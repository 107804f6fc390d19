"""Where a daemon's numbers are served: on admin.sock beside its socket, and on a port if wanted.

Of several workers one serves them for all: whoever leads. When it goes, however it does, the kernel
lets go of its lock and its sockets, and the next one has both within TRY_S and a moment.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botod.daemon.colleagues import Colleagues
from botod.daemon.leader import Leader
from botod.daemon.listener import SocketInUse, open_listener, remove_socket
from botod.daemon.metrics.on_demand import OnDemand
from botod.daemon.metrics.snapshot import Snapshot
from botod.daemon.metrics.source import Source
from botod.daemon.settings import MetricsSettings

logger = logging.getLogger(__name__)

NAME = "admin.sock"

METHOD = "botod.metrics"
"""By which workers ask each other, on their control sockets."""

TRY_S = 1.0
"""How often a worker looks whether it leads now: a lock that is tried, 2 us."""

OPEN_TRIES = 100
OPEN_PAUSE_S = 0.05
"""Who served there before may be about to end: 5 seconds."""


class Admin:
    """Serves the numbers of all workers while this one leads.

    folder: the runtime directory. leader, colleagues: None: this worker is the only one.
    """

    def __init__(
        self,
        folder: str,
        settings: MetricsSettings,
        snapshot: Snapshot,
        *,
        leader: Leader | None,
        colleagues: Colleagues | None,
    ) -> None:
        self._path = str(Path(folder) / NAME)
        self._settings = settings
        self._snapshot = snapshot
        self._leader = leader
        self._colleagues = colleagues
        self._source = Source(self._snapshots, self._is_ready)
        self._servers: dict[str, OnDemand] = {}
        self._make: Mapping[str, Callable[[], list[socket.socket]]] = {
            self._path: self._open_unix,
            **({settings_name(settings): self._open_port} if settings.port else {}),
        }
        self._told: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Serve if this worker leads, and from now on as soon as it does.

        Raises SocketInUse if it leads and the port is somebody else's. That admin.sock is, which is
        so for the second daemon in a directory, is logged: it is taken over when the other goes.
        """
        if self._leads() and self._settings.port:
            await self._open_patiently()
        self._task = asyncio.create_task(self._keep_serving(), name="admin")

    async def close(self) -> None:
        """Serve no more."""
        if self._task is not None:
            async with self._opening:  # a socket that a thread is making would have no owner
                self._task.cancel()
            await asyncio.wait([self._task])
        if self._path in self._servers:  # first: once nobody listens, the next one makes its own
            remove_socket(self._path)
        for server in self._servers.values():
            await server.close()
        self._servers.clear()

    async def _keep_serving(self) -> None:
        while True:
            if self._leads():
                await self._open_missing()
            await asyncio.sleep(TRY_S)

    def _leads(self) -> bool:
        return self._leader is None or self._leader.leads()

    async def _open_patiently(self) -> None:
        """Open the port. Raises SocketInUse."""
        for _ in range(OPEN_TRIES - 1):
            try:
                await self._open(settings_name(self._settings))
            except SocketInUse:
                await asyncio.sleep(OPEN_PAUSE_S)
            else:
                return
        await self._open(settings_name(self._settings))

    async def _open_missing(self) -> None:
        for name in self._make.keys() - self._servers.keys():
            try:
                await self._open(name)
            except SocketInUse as error:
                if name not in self._told:  # once: it is tried again every second
                    logger.warning("metrics are not served there: %s", error)
                self._told.add(name)

    async def _open(self, name: str) -> None:
        async with self._opening:
            sockets = await asyncio.to_thread(self._make[name])
            is_port = name != self._path
            self._servers[name] = OnDemand(sockets, self._source, checks_host=is_port)
        logger.info("metrics are served on %s", name)

    def _open_unix(self) -> list[socket.socket]:
        listener = open_listener(self._path, 0o600)
        listener.setblocking(False)
        return [listener]

    def _open_port(self) -> list[socket.socket]:
        settings = self._settings
        family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
        try:  # not by Tornado's bind_sockets, which leaves one open that it could not bind
            listener = socket.create_server((settings.address, settings.port), family=family)
        except OSError as error:
            words = os.strerror(error.errno or 0)
            raise SocketInUse(
                f"[metrics] port: cannot listen on {settings_name(settings)}: {words}"
            ) from None
        listener.setblocking(False)
        return [listener]

    async def _snapshots(self) -> Sequence[Mapping[str, Any]]:
        others: list[Any] = []
        if self._colleagues is not None:
            others, _silent = await self._colleagues.ask(METHOD, {})
        return [await self._snapshot(), *others]

    async def _is_ready(self) -> bool:
        if self._snapshot.is_ready:
            return True
        return any(one["is_ready"] for one in await self._snapshots())


def settings_name(settings: MetricsSettings) -> str:
    """The address and port as they stand in a URL."""
    address = f"[{settings.address}]" if ":" in settings.address else settings.address
    return f"{address}:{settings.port}"
