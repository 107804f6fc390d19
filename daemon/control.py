"""The daemon's own methods: they are answered whatever the jobs do."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

from botod.daemon.services.shapes import InvalidParam, Number, Struct
from botod.ipc.answering import internal_error
from botod.ipc.controls import CHUNK_BYTES
from botod.ipc.descriptor_queue import MAX_FDS
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange
from botod.ipc.framing import MAX_BATCH
from botod.ipc.protocol import VERSION
from botod.ipc.streams import WINDOW_BYTES

MAX_CREDIT_BYTES = 16 * 1024 * 1024
"""That a peer may grant a stream ahead: as much as it would have to hold of an inline answer."""

BOTOD_VERSION = version("botod")
"""Read once: it stands in a file, which takes 0.2 ms, and a descriptor that may not be there."""

FIXED = {
    "descriptors": MAX_FDS,
    "batch": MAX_BATCH,
    "chunk_bytes": CHUNK_BYTES,
    "window_bytes": WINDOW_BYTES,
    "stream_credit_max_bytes": MAX_CREDIT_BYTES,
}
"""Numbers of the wire that cannot be set."""

HELLO = Struct({}, {"stream_credit_bytes": Number(1, MAX_CREDIT_BYTES)})


def who() -> dict[str, Any]:
    """The process and its version."""
    return {"pid": os.getpid(), "version": BOTOD_VERSION}


def without_params(answer: Callable[[], Any]) -> Callable[[Exchange], None]:
    """A method that takes no params, and answers at once."""

    def method(exchange: Exchange) -> None:
        _check_no_params(exchange)
        exchange.answer(answer())

    return method


def answered_later(answer: Callable[[], Awaitable[Any]]) -> Callable[[Exchange], None]:
    """A method that takes no params, and has to wait for something. It may raise RpcError."""
    running: set[asyncio.Task[None]] = set()  # the loop alone would let them be collected

    async def settle(exchange: Exchange) -> None:
        try:
            exchange.answer(await answer())
        except RpcError as error:
            exchange.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug there: the peer is told, all go on
            exchange.fail(internal_error(error))

    def method(exchange: Exchange) -> None:
        _check_no_params(exchange)
        task = asyncio.create_task(settle(exchange), name=exchange.request.method)
        running.add(task)
        task.add_done_callback(running.discard)

    return method


def _check_no_params(exchange: Exchange) -> None:
    if exchange.request.params:
        raise RpcError(Code.INVALID_PARAMS, f"{exchange.request.method} takes no params")


class Hello:
    """`botod.hello`: a peer says what it can, and learns what it may.

    limits: what is set, by the names of the settings.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self.limits = dict(limits)

    def __call__(self, exchange: Exchange) -> None:
        try:
            params = HELLO.read(exchange.request.params, "")
        except InvalidParam as error:
            raise RpcError(Code.INVALID_PARAMS, str(error)) from None
        if "stream_credit_bytes" in params:
            exchange.set_stream_credit(params["stream_credit_bytes"])
        exchange.answer({"protocol": VERSION, **who(), "limits": self.limits, "fixed": FIXED})
