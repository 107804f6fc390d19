"""The blocking client, with boto3's face. Standard library only: other programs import it.

    s3 = connect().client("s3")
    s3.put_object(Bucket="bucket", Key="k", Body=b"…")
    s3.get_object(Bucket="bucket", Key="k")["Body"].read()

One connection carries one request at a time; threads that share a client take turns.
"""

import io
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from botod.ipc.errors import ClientError, Code, DaemonUnavailable, ProtocolError, RpcError
from botod.ipc.framing import Decoder, Message, MessageLimits, Refused
from botod.ipc.markers import Declared, unpack
from botod.ipc.protocol import encode_request

SYSTEM_SOCKET = "/run/botod/botod.sock"

GRACE_S = 5.0
"""Beyond a request's own timeout: the daemon answers at the deadline, the answer has to travel."""

DEFAULT_TIMEOUT_S = 60.0
"""What the daemon gives a request that says nothing."""

READ_BYTES = 256 * 1024

_ANSWER_LIMITS = MessageLimits(line_bytes=64 * 1024 * 1024, inline_bytes=1024 * 1024 * 1024)
"""The daemon is trusted more than its peers are: lists of results are long lines."""

_ERRORS: Mapping[int, type[RpcError]] = {Code.SERVICE_ERROR: ClientError}


def default_socket() -> str:
    """Where the daemon is: $BOTOD_SOCKET, else the system's socket, else the user's."""
    named = os.environ.get("BOTOD_SOCKET")
    if named:
        return named
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and not os.path.exists(SYSTEM_SOCKET):  # noqa: PTH110 - pathlib is slow to import
        return f"{runtime}/botod.sock"
    return SYSTEM_SOCKET


def connect(path: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> "Connection":
    """Connect to the daemon at `path` (default: `default_socket()`).

    timeout_s: for connecting, and the deadline of each request that does not set its own. Raises
    DaemonUnavailable.
    """
    return Connection(path or default_socket(), timeout_s=timeout_s)


class Connection:
    """A connection to the daemon."""

    def __init__(self, path: str, *, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._last_id = 0
        self._decoder = Decoder(_ANSWER_LIMITS)
        self._socket: socket.socket | None = self._connected()

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
        """Hang up; the daemon ends what is still under way for this connection."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def client(self, service: str, *, profile: str | None = None) -> "Client":
        """Something with a method for each operation of `service`, as boto3.client has."""
        return Client(self, service, profile)

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        profile: str | None = None,
    ) -> Any:
        """Do one request; bytes in params and result travel as they are.

        timeout_s: the request's deadline, for waiting, attempts and sleeping together. Raises
        ClientError (the service's own), RpcError (all others), DaemonUnavailable.
        """
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        options: dict[str, Any] = {"timeout_s": timeout_s}
        if profile is not None:
            options["profile"] = profile
        with self._lock:
            self._last_id += 1
            pieces = encode_request(self._last_id, method, params or {}, options)
            deadline = time.monotonic() + timeout_s + GRACE_S
            message = self._exchange(pieces, deadline)
            if _was_idle(message):  # and so nothing of the request was read
                self.close()
                self._socket, self._decoder = self._connected(), Decoder(_ANSWER_LIMITS)
                message = self._exchange(pieces, deadline)
        return _result(message)

    def _connected(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(self.timeout_s)
        try:
            sock.connect(self.path)
        except OSError as error:
            sock.close()
            raise DaemonUnavailable(
                f"no daemon answers at {self.path}: {error.strerror or error}; "
                "start one with `botod run`, or name its socket in $BOTOD_SOCKET"
            ) from None
        return sock

    def _exchange(self, pieces: list[bytes], deadline: float) -> Message:
        """Write one request and read its answer. After a failure the connection is of no use."""
        if self._socket is None:
            raise DaemonUnavailable("this connection is closed; connect anew")
        try:
            self._socket.settimeout(max(0.0, deadline - time.monotonic()))
            self._socket.sendall(b"".join(pieces))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have said why before it hung up
        except OSError as error:
            self.close()
            raise DaemonUnavailable(f"{self.path}: {error}") from error
        except BaseException:
            self.close()
            raise
        try:
            return self._read_answer(deadline)
        except OSError as error:
            self.close()
            raise DaemonUnavailable(
                f"{self.path}: {error}; whether the request was done is not known"
            ) from error
        except BaseException:
            self.close()
            raise

    def _read_answer(self, deadline: float) -> Message:
        assert self._socket is not None, "reading from a closed connection"
        while True:
            event = self._decoder.next()
            if isinstance(event, Refused):
                raise event.error
            if isinstance(event, Message) and event.envelope.get("id") in (self._last_id, None):
                return event
            if event is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError("timed out")
                self._socket.settimeout(left_s)
                data = self._socket.recv(READ_BYTES)
                if not data:
                    raise ConnectionResetError("the daemon hung up")
                self._decoder.feed(data)


class Client:
    """The operations of one service as methods: `client.get_object(Bucket="bucket", Key="k")`."""

    def __init__(self, connection: Connection, service: str, profile: str | None) -> None:
        self._connection = connection
        self._service = service
        self._profile = profile

    def __repr__(self) -> str:
        return f"<Client {self._service} at {self._connection.path}>"

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def call(**params: Any) -> Any:
            result = self._connection.call(
                f"{self._service}.{operation}", _readable(params), profile=self._profile
            )
            if isinstance(result, dict) and isinstance(result.get("Body"), bytes):
                result["Body"] = StreamingBody(result["Body"])
            return result

        call.__name__ = operation
        return call


class StreamingBody(io.BytesIO):
    """An object's body, to be read as boto3's."""

    def iter_chunks(self, chunk_size: int = 1024) -> Any:
        """The rest, in pieces of `chunk_size` bytes."""
        return iter(lambda: self.read(chunk_size), b"")


def _readable(params: dict[str, Any]) -> dict[str, Any]:
    """Params with open files replaced by what is in them."""
    return {
        name: value.read() if hasattr(value, "read") else value for name, value in params.items()
    }


def _was_idle(message: Message) -> bool:
    """Whether the daemon had closed the connection because nobody used it."""
    error = _error(message)
    return error is not None and error.code == Code.IDLE


def _result(message: Message) -> Any:
    error = _error(message)
    if error is not None:
        raise error
    return unpack(message.envelope.get("result"), Declared(message.blobs))


def _error(message: Message) -> RpcError | None:
    """The error that an answer says; one of ours, if what it says is none."""
    match message.envelope.get("error"):
        case None:
            return None
        case {"code": int(code), "message": str(words), **rest}:
            data = rest.get("data") or {}
            if isinstance(data, dict):
                return _ERRORS.get(code, RpcError)(code, words, data)
    return ProtocolError(Code.BAD_ANSWER, "what came as an error is none of JSON-RPC's")
