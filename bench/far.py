"""A server at a distance: a proxy of bytes that takes half a round trip each way.

In user space, so that it is the same on kernels without netem. A connection takes a round trip
more, as TCP's own handshake with the far end would. It is a process of its own on the last core.
"""

import asyncio
import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

from nginx import Nginx

from harness.processes import CORES

ROUND_TRIP_S = 0.020


class Far(NamedTuple):
    """Where the proxy is."""

    port: int
    ca_file: str

    @property
    def url(self) -> str:
        """Of the server behind it."""
        return f"https://localhost:{self.port}"


class Late:
    """Writes what it is given half a round trip later, in order."""

    def __init__(self, writer: asyncio.StreamWriter, not_before: float) -> None:
        self._writer = writer
        self._not_before = not_before
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        """b"" is the end."""
        due = max(self._loop.time(), self._not_before) + ROUND_TRIP_S / 2
        self._loop.call_at(due, self._write, data)

    def _write(self, data: bytes) -> None:
        if not data:
            self._writer.close()
        elif not self._writer.is_closing():
            self._writer.write(data)


async def _copy(reader: asyncio.StreamReader, late: Late) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            late.write(data)
    late.write(b"")


async def _serve(pipe: Connection, port: int) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected = asyncio.get_running_loop().time() + ROUND_TRIP_S
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _copy(reader, Late(far_writer, connected)), _copy(far_reader, Late(writer, connected))
        )

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _process(pipe: Connection, port: int) -> None:
    os.sched_setaffinity(0, {max(CORES)})
    asyncio.run(_serve(pipe, port))


@contextlib.contextmanager
def far(server: Nginx) -> Iterator[Far]:
    """The server, but far away, for the length of a block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_process, args=(theirs, server.port), daemon=True)
    process.start()
    try:
        yield Far(ours.recv(), server.ca_file)
    finally:
        process.terminate()
        process.join(10)
