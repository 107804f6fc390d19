"""The daemon's own methods: they are answered whatever the jobs do."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

from botod.daemon.services.operation import Params
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
        read_params(exchange, None)
        exchange.answer(answer())

    return method


def answered_later(
    answer: Callable[[Params], Awaitable[Any]], shape: Struct | None = None
) -> Callable[[Exchange], None]:
    """A method that has to wait for something. It may raise RpcError.

    shape: of its params; None: it takes none.
    """
    running: set[asyncio.Task[None]] = set()  # the loop alone would let them be collected

    async def settle(exchange: Exchange, params: Params) -> None:
        try:
            exchange.answer(await answer(params))
        except RpcError as error:
            exchange.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug there: the peer is told, all go on
            exchange.fail(internal_error(error))

    def method(exchange: Exchange) -> None:
        params = read_params(exchange, shape)
        task = asyncio.create_task(settle(exchange, params), name=exchange.request.method)
        running.add(task)
        task.add_done_callback(running.discard)

    return method


def read_params(exchange: Exchange, shape: Struct | None) -> Params:
    """The params of one of the daemon's own methods. Raises RpcError, which says what may be.

    shape: None: there may be none.
    """
    given = exchange.request.params
    if shape is None:
        if given:
            raise RpcError(Code.INVALID_PARAMS, f"{exchange.request.method} takes no params")
        return {}
    try:
        params: Params = shape.read(given, "")
    except InvalidParam as error:
        raise RpcError(Code.INVALID_PARAMS, str(error)) from None
    return params


class Hello:
    """`botod.hello`: a peer says what it can, and learns what it may.

    limits: what is set, by the names of the settings.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self.limits = dict(limits)

    def __call__(self, exchange: Exchange) -> None:
        params = read_params(exchange, HELLO)
        if "stream_credit_bytes" in params:
            exchange.set_stream_credit(params["stream_credit_bytes"])
        exchange.answer({"protocol": VERSION, **who(), "limits": self.limits, "fixed": FIXED})
