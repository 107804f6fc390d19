"""The daemon's own methods: they answer at once, whatever the jobs do."""

import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from botod.daemon.services.shapes import InvalidParam, Number, Struct
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


def without_params(answer: Callable[[], Any]) -> Callable[[Exchange], Any]:
    """A method that takes no params."""

    def method(exchange: Exchange) -> Any:
        if exchange.request.params:
            raise RpcError(Code.INVALID_PARAMS, f"{exchange.request.method} takes no params")
        return answer()

    return method


class Hello:
    """`botod.hello`: a peer says what it can, and learns what it may.

    limits: what is set, by the names of the settings.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = dict(limits)

    def __call__(self, exchange: Exchange) -> Any:
        try:
            params = HELLO.read(exchange.request.params, "")
        except InvalidParam as error:
            raise RpcError(Code.INVALID_PARAMS, str(error)) from None
        if "stream_credit_bytes" in params:
            exchange.set_stream_credit(params["stream_credit_bytes"])
        return {"protocol": VERSION, **who(), "limits": self._limits, "fixed": FIXED}
