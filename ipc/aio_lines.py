"""The connection of an asyncio client: one for all its requests, made anew when it is lost."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from botod.ipc.aio_body import AsyncBody
from botod.ipc.aio_line import AsyncLine, open_line
from botod.ipc.aio_sending import send_stream
from botod.ipc.conversation import Begin
from botod.ipc.errors import DaemonLost, DaemonUnavailable
from botod.ipc.flows import Inflow
from botod.ipc.reply import nothing_done
from botod.ipc.requests import GRACE_S
from botod.ipc.retrying import Retrying
from botod.ipc.streaming import body_name
from botod.ipc.writing import Written


class AsyncLines:
    """The connection to the daemon at `path`. timeout_s: for making one."""

    def __init__(self, path: str, *, timeout_s: float, wait_s: float) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._line: AsyncLine | None = None
        self._left: list[AsyncLine] = []  # to daemons that stop, with requests still under way
        self._connecting = asyncio.Lock()
        self._is_closed = False

    async def open(self) -> None:
        """Connect, if that was not done. Raises DaemonUnavailable."""
        await self._usable(Retrying(self._wait_s))

    def close(self) -> None:
        """Hang up; the daemon ends what is still under way."""
        self._is_closed = True
        for line in (*self._left, self._line):
            if line is not None:
                line.close()

    async def do(
        self,
        method: str,
        params: dict[str, Any],
        options: Mapping[str, Any],
        *,
        reads_streams: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """Do one request; a body that still comes is an AsyncBody in the result.

        reads_streams: whether one that is here is, too.
        """
        line, asked = await self.ask(
            lambda conversation: conversation.begin(
                method, params, options, reads_streams=reads_streams, on_progress=on_progress
            )
        )
        reply = asked.replies[0]
        result = reply.result()
        if reads_streams and isinstance(result, dict):
            body = body_name(method)
            if isinstance(result.get(body), bytes):
                whole = Inflow.whole(result[body])
                result[body] = AsyncBody(line, whole, timeout_s=asked.timeout_s)
        if reply.has_inflow:
            for name, value in result.items():
                if isinstance(value, Inflow):
                    result[name] = AsyncBody(line, value, timeout_s=asked.timeout_s)
        return result

    async def ask(self, begin: Begin) -> tuple[AsyncLine, Written]:
        """Do what one message asks for; its replies are settled. Raises DaemonUnavailable."""
        retrying = Retrying(self._wait_s)
        while True:
            line = await self._usable(retrying)
            asked = begin(line.conversation)
            line.send(asked)
            await self._settled(line, asked)
            nothing = nothing_done(asked.replies)
            if nothing is None:
                return line, asked
            await self._pause(retrying, nothing)

    async def _settled(self, line: AsyncLine, asked: Written) -> None:
        """Once all are answered; if nobody waits any more, the daemon is told."""
        try:
            async with asyncio.timeout(asked.timeout_s + GRACE_S):
                if asked.replies[0].source is not None:
                    await send_stream(line, asked.replies[0])
                for reply in asked.replies:
                    await line.until(lambda reply=reply: reply.is_done, reply)  # type: ignore[misc]
        except TimeoutError:
            raise DaemonLost(
                f"{self.path}: timed out; whether the request was done is not known"
            ) from None
        finally:
            for reply in asked.replies:
                line.cancel(reply)

    async def _usable(self, retrying: Retrying) -> AsyncLine:
        if self._line is not None and self._line.is_usable:
            return self._line
        async with self._connecting:
            while True:
                if self._is_closed:
                    self.close()  # what was opened meanwhile
                    raise DaemonUnavailable("this connection is closed; connect anew")
                if self._line is not None and self._line.is_usable:
                    return self._line
                self._leave()
                try:
                    self._line = await open_line(self.path, timeout_s=self._timeout_s)
                except DaemonUnavailable as error:
                    await self._pause(retrying, error)

    def _leave(self) -> None:
        """Send nothing more over the line that there is; what is under way on it goes on."""
        left = [line for line in (*self._left, self._line) if line is not None]
        self._left = [line for line in left if line.is_connected and line.conversation.is_busy]
        for line in left:
            if line not in self._left:
                line.close()
        self._line = None

    async def _pause(self, retrying: Retrying, error: Exception) -> None:
        await asyncio.sleep(retrying.pause_s(error, now=asyncio.get_running_loop().time()))
