"""How a body goes out as a stream from asyncio: what may block is read in a thread."""

import asyncio
import inspect
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

from botod.ipc.aio_line import AsyncLine
from botod.ipc.flows import Outflow
from botod.ipc.reply import Reply
from botod.ipc.sending import Pieces, checked, piece_reader


async def send_stream(line: AsyncLine, reply: Reply) -> None:
    """Send what belongs to a request as fast as the daemon lets it come, while it is wanted."""
    outflow = reply.outflow
    assert outflow is not None, "what has a source has a stream"
    assert reply.source is not None, "called for what sends nothing"
    read = _reader(reply.source)
    while room := await _room(line, outflow):
        piece = await read(room)
        if not outflow.room_bytes:  # answered meanwhile
            return
        line.send(outflow.data(piece) if piece else outflow.end())
        if not piece:
            return
        await line.drained()


async def _room(line: AsyncLine, outflow: Outflow) -> int:
    """How much the next piece may have, once it may have some; 0: no more is wanted."""
    await line.until(lambda: bool(outflow.room_bytes) or not outflow.is_wanted, outflow)
    return outflow.room_bytes


def _reader(pieces: Pieces) -> Callable[[int], Any]:
    """What gives the next bytes of a body; a file that may block is read in a thread."""
    source = pieces.source
    if hasattr(source, "__aiter__") and not hasattr(source, "read"):
        return _AsyncCutter(aiter(source)).read
    if inspect.iscoroutinefunction(getattr(source, "read", None)):
        return source.read  # type: ignore[no-any-return]
    read = piece_reader(pieces)
    if hasattr(source, "read") and not isinstance(source, io.BytesIO):
        return lambda size: asyncio.to_thread(read, size)

    async def at_once(size: int) -> bytes:
        return read(size)

    return at_once


class _AsyncCutter:
    """Pieces of any size as pieces of the sizes that are asked for."""

    def __init__(self, source: AsyncIterator[Any]) -> None:
        self._source = source
        self._rest = memoryview(b"")

    async def read(self, size: int) -> bytes:
        while not self._rest:
            piece = await anext(self._source, None)
            if piece is None:
                return b""
            self._rest = memoryview(checked(piece))
        cut, self._rest = self._rest[:size], self._rest[size:]
        return bytes(cut)
