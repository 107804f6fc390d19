"""The daemon's own methods: they answer at once, whatever the jobs do."""

import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from botod.daemon.services.shapes import InvalidParam, Number, Struct
from botod.ipc.descriptors import MAX_FDS
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange
from botod.ipc.framing import MAX_BATCH
from botod.ipc.limits import ServerLimits
from botod.ipc.protocol import CHUNK_BYTES, VERSION
from botod.ipc.streams import WINDOW_BYTES

MAX_CREDIT_BYTES = 16 * 1024 * 1024
"""That a peer may grant a stream ahead: as much as it would have to hold of an inline answer."""

HELLO = Struct({}, {"stream_credit_bytes": Number(1, MAX_CREDIT_BYTES)})


def who() -> dict[str, Any]:
    """The process and its version."""
    return {"pid": os.getpid(), "version": version("botod")}


def without_params(answer: Callable[[], Any]) -> Callable[[Exchange], Any]:
    """A method that takes no params."""

    def method(exchange: Exchange) -> Any:
        if exchange.request.params:
            raise RpcError(Code.INVALID_PARAMS, f"{exchange.request.method} takes no params")
        return answer()

    return method


class Hello:
    """`botod.hello`: a peer says what it can, and learns what it may."""

    def __init__(
        self, limits: ServerLimits, *, job_timeout_s: float, job_timeout_max_s: float
    ) -> None:
        self._limits = {
            "line_bytes": limits.message.line_bytes,
            "inline_bytes": limits.message.inline_bytes,
            "in_flight_per_peer": limits.in_flight_per_peer,
            "in_flight_per_uid": limits.in_flight_per_uid,
            "requests_per_s_per_uid": limits.requests_per_s_per_uid,
            "streams_per_peer": limits.streams_per_peer,
            "descriptors": MAX_FDS,
            "batch": MAX_BATCH,
            "chunk_bytes": CHUNK_BYTES,
            "window_bytes": WINDOW_BYTES,
            "stream_credit_max_bytes": MAX_CREDIT_BYTES,
            "idle_timeout_s": limits.idle_timeout_s,
            "timeout_s": job_timeout_s,
            "timeout_max_s": job_timeout_max_s,
        }

    def __call__(self, exchange: Exchange) -> Any:
        try:
            params = HELLO.read(exchange.request.params, "")
        except InvalidParam as error:
            raise RpcError(Code.INVALID_PARAMS, str(error)) from None
        if "stream_credit_bytes" in params:
            exchange.set_stream_credit(params["stream_credit_bytes"])
        return {"protocol": VERSION, **who(), "limits": self._limits}
