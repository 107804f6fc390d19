"""A daemon's handler that keeps objects, whichever way their bodies come and go."""

import asyncio
import os
from typing import Any

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import ClientError, Code, RpcError
from botod.ipc.exchange import Exchange
from botod.ipc.protocol import VERSION, Request
from botod.ipc.streams import IncomingStream, OutgoingStream

SMALL_BYTES = 64 * 1024

NO_SUCH_KEY = {"type": "NoSuchKey", "operation": "get_object", "http_status": 404}


class Store:
    """Keeps what is put, and what it was asked; bodies by descriptor, by stream and inline."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.ways: list[str] = []
        self.held: list[Exchange] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.request.method == "botod.hello":
            exchange.set_stream_credit(exchange.request.params["stream_credit_bytes"])
            exchange.answer({"protocol": VERSION})
            return
        self.requests.append(exchange.request)
        operation = getattr(self, f"_{exchange.request.method.partition('.')[2]}", None)
        if operation is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"no {exchange.request.method}")
        self._start(operation(exchange))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put_object(self, exchange: Exchange) -> None:
        body = exchange.request.params["Body"]
        self.ways.append(type(body).__name__)
        if isinstance(body, Descriptor):
            body = _read(body)
        elif isinstance(body, IncomingStream):
            try:
                body = await _gathered(body)
            except RpcError as error:
                exchange.fail(error)
                return
        self.objects[exchange.request.params["Key"]] = body
        exchange.progress({"bytes_sent": len(body) // 2})
        exchange.answer({"ETag": "e", "Size": len(body)})

    async def _get_object(self, exchange: Exchange) -> None:
        body = self.objects.get(exchange.request.params["Key"])
        if body is None:
            exchange.fail(ClientError(Code.SERVICE_ERROR, "no such key", NO_SUCH_KEY))
            return
        result: dict[str, Any] = {"ContentLength": len(body)}
        into = exchange.request.params.get("Body")
        if isinstance(into, Descriptor):
            os.pwrite(into.fd, body, into.offset or 0)
            exchange.answer(result)
        elif exchange.can_stream and len(body) > SMALL_BYTES:
            stream = exchange.open_stream()
            exchange.answer({**result, "Body": stream})
            self._start(_sent(stream, body))
        else:
            exchange.answer({**result, "Body": body})

    _upload_file = _put_object
    _download_file = _get_object

    async def _hold(self, exchange: Exchange) -> None:
        exchange.on_cancel = lambda: exchange.fail(RpcError(Code.CANCELLED, "cancelled"))
        self.held.append(exchange)

    async def _echo(self, exchange: Exchange) -> None:
        exchange.answer(exchange.request.params)


async def _sent(stream: OutgoingStream, body: bytes) -> None:
    try:
        await stream.send(body)
        stream.end()
    except RpcError:
        return  # the reader left


async def _gathered(stream: IncomingStream) -> bytes:
    whole = b""
    while piece := await stream.read():
        whole += piece
    return whole


def _read(body: Descriptor) -> bytes:
    size = os.fstat(body.fd).st_size if body.length is None else body.length
    return os.pread(body.fd, size, body.offset or 0)
