"""Both ends of the wire: a server whose handler the test settles, and peers that are plain sockets.

Peers read and write the wire with `json` alone, so that the decoder is not tested by itself.
"""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from botod.ipc.peer import Handler, Sender, ServerLimits
from botod.ipc.protocol import Limits, Request
from botod.ipc.server import Server
from support.pools import descriptors_num

STEP_TIMEOUT_S = 30.0
"""A bound for what has to happen; nothing is measured by it."""

LIMITS = ServerLimits(
    message=Limits(), connections=300, in_flight=64, unread_bytes=16 * 1024 * 1024
)


def limits(*, message: Limits | None = None, **changes: int) -> ServerLimits:
    """Limits where a few differ from the usual ones."""
    return replace(LIMITS, message=message or LIMITS.message, **changes)


async def until(condition: Callable[[], Any]) -> None:
    """Give the loop turns until something is so."""
    async with asyncio.timeout(STEP_TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0)


@dataclass(eq=False)
class Call:
    """One request that the handler got; the test settles its future."""

    request: Request
    sender: Sender
    future: "asyncio.Future[Any]"

    def answer(self, result: Any) -> None:
        self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        self.future.set_exception(error)

    async def ended(self) -> "asyncio.Future[Any]":
        """The future, once it has an outcome."""
        await asyncio.wait({self.future}, timeout=STEP_TIMEOUT_S)
        assert self.future.done(), "nobody settled or cancelled the request"
        return self.future


class Calls:
    """A handler that leaves each request to the test."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[Call] = asyncio.Queue()

    def __call__(self, request: Request, sender: Sender) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.put_nowait(Call(request, sender, future))
        return future

    async def next(self) -> Call:
        """The next request that came, in order."""
        async with asyncio.timeout(STEP_TIMEOUT_S):
            return await self._calls.get()

    @property
    def waiting_num(self) -> int:
        """Requests that came and that the test has not looked at."""
        return self._calls.qsize()


Script = Callable[[Request, Sender], Any]
"""What to answer: a result, a future of one, or an RpcError that is raised."""


def scripted(script: Script) -> Handler:
    """A handler that answers at once."""

    def handle(request: Request, sender: Sender) -> "asyncio.Future[Any]":
        result = script(request, sender)
        if isinstance(result, asyncio.Future):
            return result
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(result)
        return future

    return handle


def echo(request: Request, _sender: Sender) -> dict[str, Any]:
    """Answers with the params."""
    return request.params


@dataclass
class Answer:
    """One line from the daemon, and the bytes that it declares."""

    envelope: dict[str, Any]
    blobs: list[bytes] = field(default_factory=list)

    @property
    def id(self) -> Any:
        return self.envelope["id"]

    @property
    def result(self) -> Any:
        assert "error" not in self.envelope, f"an error came: {self.envelope}"
        return self.envelope["result"]

    @property
    def code(self) -> int:
        return int(self.envelope["error"]["code"])


def request(call_id: Any, method: str = "m", *blobs: bytes, **params: Any) -> bytes:
    """A request as it stands on the wire."""
    envelope: dict[str, Any] = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
    if blobs:
        envelope["bytes"] = [len(blob) for blob in blobs]
    return json.dumps(envelope).encode() + b"\n" + b"".join(blobs)


def notification(method: str = "m", **params: Any) -> bytes:
    """A request that nobody waits for, as it stands on the wire."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n"


class Peer:
    """A program at the other end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def answer(self) -> Answer:
        """The next message from the daemon."""
        while b"\n" not in self._buffer:
            assert await self._read(), f"the daemon hung up after {self._buffer!r}"
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        answer = Answer(json.loads(line))
        for size in answer.envelope.get("bytes", []):
            while len(self._buffer) < size:
                assert await self._read(), "the daemon hung up in the middle of bytes"
            answer.blobs.append(self._buffer[:size])
            self._buffer = self._buffer[size:]
        return answer

    async def rest(self) -> bytes:
        """All that still comes until the daemon hangs up."""
        while await self._read():
            pass
        return self._buffer

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    async def _read(self) -> int:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            try:
                data = await asyncio.get_running_loop().sock_recv(self.sock, 1 << 20)
            except ConnectionResetError:  # what we sent was not read; Linux says so after the data
                return 0
        self._buffer += data
        return len(data)


class Host:
    """A server, and the peers that a test connects to it."""

    def __init__(self, server: Server, path: Path) -> None:
        self.server = server
        self.path = path
        self.peers: list[Peer] = []

    async def connect(self) -> Peer:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        peer = Peer(sock)
        self.peers.append(peer)
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await asyncio.get_running_loop().sock_connect(sock, str(self.path))
        return peer

    async def empty(self) -> None:
        """Once the server has let go of all its peers."""
        await until(lambda: not self.server.stats())


def bound(path: Path) -> socket.socket:
    """A socket that is bound and does not listen yet."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


def watched_num() -> int:
    """How many descriptors the running loop watches."""
    return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def serving(
    path: Path, handler: Handler, server_limits: ServerLimits = LIMITS
) -> AsyncIterator[Host]:
    """A server on the running loop; at the end nothing of it may be left.

    Counted from outside: what the loop watches, and /proc/self/fd.
    """
    before = descriptors_num()
    watched_before = watched_num()
    server = Server(handler, server_limits)
    server.listen(bound(path))
    host = Host(server, path)
    try:
        yield host
    finally:
        for peer in host.peers:
            peer.close()
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await server.close(timeout_s=0)
    await asyncio.sleep(0)  # what peers waited for is forgotten in the next turn
    assert server.stats() == ()
    assert watched_num() == watched_before, "the loop still watches a closed descriptor"
    assert descriptors_num() <= before, "the server leaves descriptors behind"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a test's scenario on a loop of its own; what goes wrong in a callback fails it."""

    async def main() -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: errors.append(context)
        )
        await asyncio.wait_for(scenario, 4 * STEP_TIMEOUT_S)
        await asyncio.sleep(0)
        assert not errors, f"a callback of the loop raised: {errors}"

    asyncio.run(main())


class Daemon:
    """A server in a thread of its own, for clients that block."""

    def __init__(self, path: Path, handler: Handler, server_limits: ServerLimits = LIMITS) -> None:
        self.path = path
        self.server: Server
        self._handler = handler
        self._limits = server_limits
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(STEP_TIMEOUT_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the server, as the daemon does at its end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STEP_TIMEOUT_S)
        assert not self._thread.is_alive()

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Have the server's loop call a function."""
        self._loop.call_soon_threadsafe(function, *args)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.server = Server(self._handler, self._limits)
        self.server.listen(bound(self.path))
        self._started.set()
        await self._stop.wait()
        await self.server.close(timeout_s=0)


@contextlib.contextmanager
def strange_daemon(path: Path, converse: Callable[[socket.socket], object]) -> Iterator[None]:
    """Something that takes one connection and behaves as no daemon should."""
    listener = bound(path)
    listener.listen()
    listener.settimeout(STEP_TIMEOUT_S)

    def accept() -> None:
        sock, _address = listener.accept()
        with sock:
            sock.settimeout(STEP_TIMEOUT_S)
            converse(sock)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        thread.join(STEP_TIMEOUT_S)
        listener.close()
    assert not thread.is_alive()
