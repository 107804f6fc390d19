"""The client for asyncio: the blocking one's face, with await. Standard library only.

    async with await connect() as connection:
        s3 = connection.client("s3")
        await s3.put_object(Bucket="bucket", Key="k", Body=b"…")
        body = (await s3.get_object(Bucket="bucket", Key="k"))["Body"]
        await body.read()

All requests share one connection, and many may be in flight; each may be cancelled as any task is.
A body that nobody reads holds at most half a MiB here and keeps nobody waiting. A connection is of
one loop; a child that inherits it through a fork connects anew.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self, Unpack

from botod.ipc.aio_body import AsyncBody
from botod.ipc.aio_lines import AsyncLines
from botod.ipc.aio_service_client import Client
from botod.ipc.conversation import Conversation
from botod.ipc.options import Options
from botod.ipc.requests import DEFAULT_TIMEOUT_S, default_socket, merged

__all__ = ["AsyncBody", "Client", "Connection", "connect"]


async def connect(
    path: str | None = None, *, timeout_s: float | None = None, wait_s: float = 0.0
) -> "Connection":
    """Connect to the daemon; the arguments are those of `botod.ipc.connect`."""
    connection = Connection(path or default_socket(), timeout_s=timeout_s, wait_s=wait_s)
    await connection.open()
    return connection


class Connection:
    """A connection to the daemon, made anew when it is lost."""

    def __init__(self, path: str, *, timeout_s: float | None = None, wait_s: float = 0.0) -> None:
        self.path = path
        self._options = merged({"timeout_s": timeout_s})
        self._lines = AsyncLines(path, timeout_s=timeout_s or DEFAULT_TIMEOUT_S, wait_s=wait_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    async def open(self) -> None:
        """Connect, if that was not done. Raises DaemonUnavailable."""
        await self._lines.open()

    def close(self) -> None:
        """Hang up; the daemon ends what is still under way."""
        self._lines.close()

    def client(self, service: str, **options: Unpack[Options]) -> Client:
        """Something with a coroutine method for each operation of `service`."""
        return Client(self._lines, service, merged(self._options, options))

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, **options: Unpack[Options]
    ) -> Any:
        """Do one request; bytes in params and result travel as they are.

        Raises ClientError (the service's own), RpcError (all others), DaemonUnavailable.
        """
        result = await self._lines.do(method, dict(params or ()), merged(self._options, options))
        if isinstance(result, dict):
            for name, value in result.items():
                if isinstance(value, AsyncBody):
                    result[name] = await value.read()
        return result

    async def batch(
        self, calls: Sequence[tuple[str, Mapping[str, Any]]], **options: Unpack[Options]
    ) -> list[Any]:
        """Do many requests in one message; results and errors are in the calls' order."""
        chosen = merged(self._options, options)
        outcomes: list[Any] = []
        while len(outcomes) < len(calls):
            rest = calls[len(outcomes) :]
            begin = partial(Conversation.begin_batch, calls=rest, options=chosen)
            _line, asked = await self._lines.ask(begin)
            outcomes += [reply.outcome() for reply in asked.replies]
        return outcomes
