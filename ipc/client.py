"""The blocking client, with boto3's face. Standard library only: other programs import it.

    s3 = connect().client("s3")
    s3.put_object(Bucket="bucket", Key="k", Body=b"…")
    s3.get_object(Bucket="bucket", Key="k")["Body"].read()

A connection may be shared by threads, and survives a fork and a restart of the daemon: each request
takes a socket of its own process, and one of which nothing can have been done is sent again.
"""

from __future__ import annotations

from functools import partial

from botod.ipc.conversation import Conversation
from botod.ipc.lines import Lines
from botod.ipc.requests import (
    DEFAULT_TIMEOUT_S,
    SYSTEM_SOCKET,
    default_socket,
    merged,
)
from botod.ipc.service_client import Client
from botod.ipc.streaming import StreamingBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self, Unpack

    from botod.ipc.options import Options

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "SYSTEM_SOCKET",
    "Client",
    "Connection",
    "StreamingBody",
    "connect",
    "default_socket",
]


def connect(
    path: str | None = None, *, timeout_s: float | None = None, wait_s: float = 0.0
) -> Connection:
    """Connect to the daemon at `path` (default: `default_socket()`).

    timeout_s: for connecting, and the deadline of each request that does not set its own; None: 60
    seconds, 900 for a request with a file or a stream. wait_s: how long to wait for a daemon that
    is not there, now and whenever it has gone away; 0: that is an error at once. Raises
    DaemonUnavailable.
    """
    return Connection(path or default_socket(), timeout_s=timeout_s, wait_s=wait_s)


class Connection:
    """A daemon, and the sockets to it that are in use or idle."""

    def __init__(self, path: str, *, timeout_s: float | None = None, wait_s: float = 0.0) -> None:
        self.path = path
        self._options = merged({"timeout_s": timeout_s})
        self._lines = Lines(path, timeout_s=timeout_s or DEFAULT_TIMEOUT_S, wait_s=wait_s)
        self._lines.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up what is idle, and what is in use once it is done; nothing new is taken."""
        self._lines.close()

    def client(self, service: str, **options: Unpack[Options]) -> Client:
        """Something with a method for each operation of `service`, as boto3.client has."""
        return Client(self._lines, service, merged(self._options, options))

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Any:
        """Do one request; bytes in params and result travel as they are.

        Raises ClientError (the service's own), RpcError (all others), DaemonUnavailable.
        """
        result = self._lines.do(method, dict(params or ()), merged(self._options, options))
        if isinstance(result, dict):
            for name, value in result.items():
                if isinstance(value, StreamingBody):
                    result[name] = value.read()
        return result

    def batch(
        self, calls: Sequence[tuple[str, Mapping[str, Any]]], **options: Unpack[Options]
    ) -> list[Any]:
        """Do many requests, `(method, params)` each, in as few messages as they fit in.

        The results in the calls' order; a request that failed has its error there instead. They run
        at the same time. Raises DaemonUnavailable if it is not known what became of all of them.
        """
        chosen = merged(self._options, options)
        outcomes: list[Any] = []
        while len(outcomes) < len(calls):
            rest = calls[len(outcomes) :]
            begin = partial(Conversation.begin_batch, calls=rest, options=chosen)
            _line, asked = self._lines.ask(begin)
            outcomes += [reply.outcome() for reply in asked.replies]
        return outcomes
