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

import asyncio
import inspect
import io
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self, Unpack

from botod.ipc.aio_body import AsyncBody
from botod.ipc.aio_line import AsyncLine, open_line
from botod.ipc.conversation import (
    BODY_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    GRACE_S,
    Begin,
    Conversation,
    Inflow,
    Outflow,
    Reply,
    Written,
    nothing_done,
)
from botod.ipc.errors import DaemonLost, DaemonUnavailable
from botod.ipc.files import PartFile, Progress, is_special
from botod.ipc.paging import PAGED, Pages, paging_of
from botod.ipc.requests import Options, default_socket, merged, prepared, timed
from botod.ipc.retrying import Retrying
from botod.ipc.sending import Pieces, checked, piece_reader, size_of, to_fill
from botod.ipc.service_client import COPY_BYTES, Exceptions


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
        self._timeout_s = timeout_s or DEFAULT_TIMEOUT_S
        self._wait_s = wait_s
        self._line: AsyncLine | None = None
        self._connecting = asyncio.Lock()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    async def open(self) -> None:
        """Connect, if that was not done. Raises DaemonUnavailable."""
        await self._usable(Retrying(self._wait_s))

    def close(self) -> None:
        """Hang up; the daemon ends what is still under way."""
        self._is_closed = True
        if self._line is not None:
            self._line.close()

    def client(self, service: str, **options: Unpack[Options]) -> "Client":
        """Something with a coroutine method for each operation of `service`."""
        return Client(self, service, merged(self._options, options))

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, **options: Unpack[Options]
    ) -> Any:
        """Do one request; bytes in params and result travel as they are.

        Raises ClientError (the service's own), RpcError (all others), DaemonUnavailable.
        """
        result = await self.do(method, params or {}, merged(self._options, options))
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
            timeout_s = float(chosen.get("timeout_s", BODY_TIMEOUT_S))
            _line, replies = await self._ask(begin, timeout_s)
            outcomes += [reply.outcome() for reply in replies]
        return outcomes

    async def do(
        self,
        method: str,
        params: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        reads_streams: bool = False,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Any:
        """Do one request; a body that still comes is an AsyncBody in the result."""
        options, timeout_s = timed(params, options)
        line, (reply,) = await self._ask(
            lambda conversation: conversation.begin(
                method, params, options, on_progress=on_progress
            ),
            timeout_s,
            reads_streams=reads_streams,
        )
        result = reply.result()
        if isinstance(result, dict):
            for name, value in result.items():
                is_body = name == "Body" and reads_streams and isinstance(value, bytes)
                inflow = Inflow.whole(value) if is_body else value
                if isinstance(inflow, Inflow):
                    result[name] = AsyncBody(line, inflow, timeout_s=timeout_s)
        return result

    async def _ask(
        self, begin: Begin, timeout_s: float, *, reads_streams: bool = False
    ) -> tuple[AsyncLine, list[Reply]]:
        retrying = Retrying(self._wait_s)
        while True:
            line = await self._usable(retrying)
            replies, written = begin(line.conversation)
            hello = line.conversation.hello() if reads_streams else []
            line.send(replies, Written(hello + written.pieces, written.fds))
            await self._settled(line, replies, timeout_s)
            nothing = nothing_done(replies)
            if nothing is None:
                return line, replies
            await self._pause(retrying, nothing)

    async def _settled(self, line: AsyncLine, replies: list[Reply], timeout_s: float) -> None:
        """Once all are answered; if nobody waits any more, the daemon is told."""
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                await _send_stream(line, replies[0])
                for reply in replies:
                    await line.until(lambda reply=reply: reply.is_done, reply)  # type: ignore[misc]
        except TimeoutError:
            raise DaemonLost(
                f"{self.path}: timed out; whether the request was done is not known"
            ) from None
        finally:
            for reply in replies:
                line.cancel(reply)

    async def _usable(self, retrying: Retrying) -> AsyncLine:
        async with self._connecting:
            while True:
                if self._is_closed:
                    raise DaemonUnavailable("this connection is closed; connect anew")
                if self._line is not None and self._line.is_usable:
                    return self._line
                try:
                    self._line = await open_line(self.path, timeout_s=self._timeout_s)
                except DaemonUnavailable as error:
                    await self._pause(retrying, error)

    async def _pause(self, retrying: Retrying, error: Exception) -> None:
        await asyncio.sleep(retrying.pause_s(error, now=asyncio.get_running_loop().time()))


class Client:
    """The operations of one service: `await client.get_object(Bucket="bucket", Key="k")`."""

    exceptions = Exceptions()

    def __init__(self, connection: Connection, service: str, options: Mapping[str, Any]) -> None:
        self._connection = connection
        self._service = service
        self._options = options

    def __repr__(self) -> str:
        return f"<aio.Client {self._service} at {self._connection.path}>"

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)

        async def call(**params: Any) -> Any:
            return await self._do(operation, prepared(params))

        call.__name__ = operation
        return call

    def with_options(self, **options: Unpack[Options]) -> "Client":
        """The same client with other options, for one call or for many."""
        return Client(self._connection, self._service, merged(self._options, options))

    def can_paginate(self, operation_name: str) -> bool:
        return (self._service, operation_name) in PAGED

    def get_paginator(self, operation_name: str) -> "Paginator":
        """Raises ValueError if the operation does not answer in pages."""
        paging = paging_of(self._service, operation_name)
        return Paginator(
            getattr(self, operation_name), lambda params, config: Pages(paging, params, config)
        )

    async def upload_file(
        self,
        Filename: str | os.PathLike[str],  # noqa: N803 - boto3's names
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Put a file as an object; the daemon reads it."""
        with open(Filename, "rb") as file:  # noqa: PTH123, ASYNC230 - opened, not read
            await self.upload_fileobj(file, Bucket, Key, ExtraArgs, Callback)

    async def upload_fileobj(
        self,
        Fileobj: Any,  # noqa: N803
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Put what a file object gives from where it stands to its end."""
        progress = Progress(Callback, "bytes_sent")
        params = prepared({"Bucket": Bucket, "Key": Key, "Body": Fileobj, **(ExtraArgs or {})})
        await self._do("put_object", params, progress)
        size = size_of(params)
        if size is not None:
            progress.reached(size)

    async def download_file(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Filename: str | os.PathLike[str],  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Get an object as a file, which is there whole, or as it was before."""
        path = os.fspath(Filename)
        if is_special(path):
            with open(path, "wb") as special:  # noqa: PTH123, ASYNC230 - opened, not read
                await self.download_fileobj(Bucket, Key, special, ExtraArgs, Callback)
            return
        with PartFile(path) as part:
            await self.download_fileobj(Bucket, Key, part.file, ExtraArgs, Callback)
            part.keep()

    async def download_fileobj(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Fileobj: Any,  # noqa: N803
        ExtraArgs: Mapping[str, Any] | None = None,  # noqa: N803
        Callback: Callable[[int], object] | None = None,  # noqa: N803
    ) -> None:
        """Write an object to a file object, where it stands."""
        progress = Progress(Callback, "bytes_received")
        params = {"Bucket": Bucket, "Key": Key, **(ExtraArgs or {})}
        part = to_fill(Fileobj)
        if part is None:
            done = 0
            async with (await self._do("get_object", params))["Body"] as body:
                async for chunk in body.iter_chunks(COPY_BYTES):
                    Fileobj.write(chunk)
                    done += len(chunk)
                    progress.reached(done)
            return
        result = await self._do("get_object", {**params, "Body": part}, progress)
        if part.offset is not None:
            Fileobj.seek(part.offset + result["ContentLength"])
        progress.reached(result["ContentLength"])

    async def _do(
        self, operation: str, params: Mapping[str, Any], progress: Progress | None = None
    ) -> Any:
        return await self._connection.do(
            f"{self._service}.{operation}",
            params,
            self._options,
            reads_streams=True,
            on_progress=None if progress is None else progress.listener,
        )


class Paginator:
    """The pages of an operation: `async for page in paginator.paginate(Bucket="bucket")`."""

    def __init__(self, call: Callable[..., Any], begin: Callable[[Any, Any], Pages]) -> None:
        self._call = call
        self._begin = begin

    async def paginate(self, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """PaginationConfig: as boto3's: MaxItems, PageSize, StartingToken."""
        pages = self._begin(params, params.pop("PaginationConfig", None))
        while pages.params is not None:
            yield pages.took(await self._call(**pages.params))


async def _send_stream(line: AsyncLine, reply: Reply) -> None:
    """Send what belongs to a request as fast as the daemon lets it come, while it is wanted."""
    outflow = reply.outflow
    if outflow is None or reply.source is None:
        return
    read = _reader(reply.source)
    while room := await _room(line, outflow):
        piece = await read(room)
        if not outflow.room_bytes:  # answered meanwhile
            return
        line.send((), outflow.data(piece) if piece else outflow.end())
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
