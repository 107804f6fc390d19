"""A server that is made when somebody connects.

Tornado's web is 1.4 MiB of memory, which a daemon that nobody asks for its numbers does not spend.
"""

import asyncio
import importlib
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botod.daemon.metrics.source import Source

if TYPE_CHECKING:
    from botod.daemon.metrics.web import BoundedServer

WEB = "botod.daemon.metrics.web"


class OnDemand:
    """Listening sockets, and what serves them from the first connection on. Needs the loop."""

    def __init__(
        self, sockets: Sequence[socket.socket], source: Source, *, checks_host: bool
    ) -> None:
        self._sockets = sockets
        self._source = source
        self._checks_host = checks_host
        self._loop = asyncio.get_running_loop()
        self._making: asyncio.Task[BoundedServer] | None = None
        for one in sockets:
            self._loop.add_reader(one, self._begin)

    async def close(self) -> None:
        """Listen no more, and end the connections."""
        if self._making is None:
            self._unwatch()
            for one in self._sockets:
                one.close()
            return
        server = await self._making
        server.stop()
        await server.close_all_connections()

    def _begin(self) -> None:
        self._unwatch()
        self._making = asyncio.create_task(self._made(), name="serve metrics")

    async def _made(self) -> "BoundedServer":
        web = await asyncio.to_thread(importlib.import_module, WEB)
        server: BoundedServer = web.make_server(self._source, checks_host=self._checks_host)
        server.add_sockets(self._sockets)
        return server

    def _unwatch(self) -> None:
        for one in self._sockets:
            self._loop.remove_reader(one)
