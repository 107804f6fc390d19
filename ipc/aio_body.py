"""Bodies that are read with await."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from botod.ipc.aio_line import AsyncLine
from botod.ipc.errors import DaemonUnavailable
from botod.ipc.flows import Inflow
from botod.ipc.streaming import CHUNK_BYTES


class AsyncBody:
    """A body that is read once, from its beginning to its end; as boto3's, with await.

    line: on which the inflow comes. timeout_s: how long nothing may come.
    """

    def __init__(self, line: AsyncLine, inflow: Inflow, *, timeout_s: float) -> None:
        self._rest = memoryview(b"")
        self._line = line
        self._inflow = inflow
        self._timeout_s = timeout_s

    def __del__(self) -> None:
        if not self._inflow.is_over and not self._line.loop.is_closed():
            self._line.loop.call_soon_threadsafe(self._line.forget, self._inflow)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.iter_chunks()

    def close(self) -> None:
        """Read no more: what is left is not sent."""
        self._line.forget(self._inflow)
        self._rest = memoryview(b"")
        self._inflow.end(None)

    async def read(self, amt: int | None = None) -> bytes:
        """At most `amt` bytes, fewer only at the end; all that is left without it.

        Raises RpcError and DaemonUnavailable: what came is not whole.
        """
        pieces = []
        while (amt is None or amt > 0) and await self._fill():
            size = len(self._rest) if amt is None else min(amt, len(self._rest))
            pieces.append(bytes(self._rest[:size]))
            self._rest = self._rest[size:]
            amt = None if amt is None else amt - size
        return b"".join(pieces)

    async def iter_chunks(self, chunk_size: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
        """The rest, in pieces of `chunk_size` bytes; the last may have fewer."""
        while chunk := await self.read(chunk_size):
            yield chunk

    async def iter_lines(
        self, chunk_size: int = CHUNK_BYTES, *, keepends: bool = False
    ) -> AsyncIterator[bytes]:
        """The rest, line by line; the last may lack its end."""
        pending = b""
        async for chunk in self.iter_chunks(chunk_size):
            *lines, pending = (pending + chunk).splitlines(keepends=True)
            for one in lines:
                yield one if keepends else one.splitlines()[0]
        for one in pending.splitlines(keepends=keepends):
            yield one

    async def _fill(self) -> bool:
        if not self._rest:
            self._rest = memoryview(await self._pull())
        return bool(self._rest)

    async def _pull(self) -> bytes:
        inflow = self._inflow
        if not inflow.has_news:  # of small bodies all is here, and a clock would cost as much
            await self._until_news()
        piece = inflow.take() or b""
        credit = self._inflow.credit()
        if credit is not None:
            self._line.send(credit)
        return piece

    async def _until_news(self) -> None:
        inflow = self._inflow
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._line.until(lambda: inflow.has_news, inflow)
        except TimeoutError:
            raise DaemonUnavailable("nothing came in time: the body is not whole") from None
