"""Both ends of the wire: a server whose handler the test settles, and peers that are plain sockets.

Peers read and write the wire with `json` alone, so that the decoder is not tested by itself.
"""

import array
import asyncio
import contextlib
import fcntl
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from botod.ipc.controls import CHUNK_BYTES
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import (
    NOTHING,
    Brought,
    Exchange,
    Handler,
    OnRefused,
    Outcome,
    Sender,
    Stage,
)
from botod.ipc.framing import MessageLimits
from botod.ipc.limits import Budget, ServerLimits
from botod.ipc.protocol import Request
from botod.ipc.server import Colleagues, Server
from botod.ipc.streams import IncomingStream, OutgoingStream
from support.pools import descriptors_num

STEP_TIMEOUT_S = 30.0
"""A bound for what has to happen; nothing is measured by it."""

LIMITS = ServerLimits(peers=300, peers_per_uid=300, in_flight_per_peer=64)


def limits(*, message: MessageLimits | None = None, **changes: Any) -> ServerLimits:
    """Limits where a few differ from the usual ones."""
    return replace(LIMITS, message=message or LIMITS.message, **changes)


async def some_turns() -> None:
    """Give the loop more turns than anything takes that needs no other party."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any]) -> None:
    """Give the loop turns until something is so."""
    async with asyncio.timeout(STEP_TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0)


class Clock:
    """The running loop's clock, which the test can put forward.

    It goes on by itself too, so that a step that never ends is still noticed: limits that a test
    reaches are of many seconds, and nothing is asserted about how fast anything is.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ahead_s = 0.0
        self._real = loop.time
        loop.time = lambda: self._real() + self._ahead_s  # type: ignore[method-assign]

    def stop(self) -> None:
        """Let it go on by `forward` only."""
        now = self._real()
        self._real = lambda: now

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once, as work in the loop does that takes long."""
        self._ahead_s += seconds

    async def forward(self, seconds: float) -> None:
        """Let what is under way happen, so much time pass, and what is due then happen."""
        await some_turns()
        self.jump(seconds)
        await some_turns()


class Call:
    """One request that the handler got; the test settles it."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._cancelled = asyncio.Event()
        exchange.on_cancel = self._cancelled.set

    @property
    def request(self) -> Request:
        return self.exchange.request

    @property
    def sender(self) -> Sender:
        return self.exchange.sender

    @property
    def is_cancelled(self) -> bool:
        """Whether the peer cancelled it, or hung up."""
        return self._cancelled.is_set()

    def answer(self, result: Any) -> None:
        self.exchange.answer(result)

    def fail(self, error: RpcError) -> None:
        self.exchange.fail(error)

    def settle(self) -> None:
        """End it, if the test did not: as a handler does whose work was cancelled."""
        if self.exchange.stage is Stage.RUNNING:
            self.exchange.fail(RpcError(Code.CANCELLED, "nobody settled it"))

    def answer_stream(self) -> OutgoingStream:
        """Answer with a stream as `Body`."""
        stream = self.exchange.open_stream()
        self.exchange.answer({"Body": stream})
        return stream

    @property
    def body(self) -> IncomingStream:
        """The stream that came as `Body`."""
        stream = self.request.params["Body"]
        assert isinstance(stream, IncomingStream)
        return stream

    async def cancelled(self) -> None:
        """Once the peer has cancelled it, or hung up."""
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await self._cancelled.wait()


class Calls:
    """A handler that leaves each request to the test."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[Call] = asyncio.Queue()
        self._all: list[Call] = []

    def __call__(self, exchange: Exchange) -> None:
        call = Call(exchange)
        self._all.append(call)
        self._calls.put_nowait(call)

    def settle(self) -> None:
        """End all that the test did not."""
        for call in self._all:
            call.settle()

    async def next(self) -> Call:
        """The next request that came, in order."""
        async with asyncio.timeout(STEP_TIMEOUT_S):
            return await self._calls.get()

    @property
    def waiting_num(self) -> int:
        """Requests that came and that the test has not looked at."""
        return self._calls.qsize()


async def say_hello(peer: "Peer", calls: Calls, *, credit_bytes: int) -> None:
    """Tell the server that this peer reads streams."""
    await peer.send(request("hello"))
    call = await calls.next()
    call.exchange.set_stream_credit(credit_bytes)
    call.answer(None)
    assert (await peer.answer()).id == "hello"


Script = Callable[[Request, Sender], Any]
"""What to answer: a result, or an RpcError that is raised."""


def scripted(script: Script) -> Handler:
    """A handler that answers at once."""
    return lambda exchange: exchange.answer(script(exchange.request, exchange.sender))


def echo(request: Request, _sender: Sender) -> dict[str, Any]:
    """Answers with the params."""
    return request.params


@dataclass
class Answer:
    """One line from the daemon, and the bytes that it declares."""

    envelope: dict[str, Any]
    blobs: list[bytes] = field(default_factory=list)

    @property
    def method(self) -> str | None:
        """Of a message that is no answer."""
        method: str | None = self.envelope.get("method")
        return method

    @property
    def params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.envelope["params"]
        return params

    @property
    def limit(self) -> str:
        """Which limit refused the request."""
        limit: str = self.envelope["error"]["data"]["limit"]
        return limit

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


def line(value: Any) -> bytes:
    """A line of JSON."""
    return json.dumps(value).encode() + b"\n"


def envelope(call_id: Any, method: str = "m", **members: Any) -> dict[str, Any]:
    """A request with any members beside its method."""
    return {"jsonrpc": "2.0", "id": call_id, "method": method, **members}


def request(call_id: Any, method: str = "m", *blobs: bytes, **params: Any) -> bytes:
    """A request as it stands on the wire."""
    declared = {"bytes": [len(blob) for blob in blobs]} if blobs else {}
    return line(envelope(call_id, method, params=params, **declared)) + b"".join(blobs)


def notification(method: str = "m", **params: Any) -> bytes:
    """A request that nobody waits for, as it stands on the wire."""
    return line({"jsonrpc": "2.0", "method": method, "params": params})


def upload(call_id: Any, number: int) -> bytes:
    """A request whose `Body` is a stream."""
    params = {"Body": {"$stream": number}}
    return line(envelope(call_id, "upload", params=params, streams=[number]))


def stream_data(number: int, data: bytes) -> bytes:
    """Bytes of a stream, in as many pieces as it takes, as they stand on the wire."""
    pieces = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return b"".join(stream_piece(number, piece) for piece in pieces)


def stream_piece(number: int, data: bytes) -> bytes:
    """One piece of a stream, however large."""
    params = {"stream": number}
    message = {"jsonrpc": "2.0", "method": "stream.data", "params": params, "bytes": [len(data)]}
    return line(message) + data


def stream_end(number: int) -> bytes:
    """The end of a stream, as it stands on the wire."""
    return notification("stream.end", stream=number)


def stream_credit(number: int, size: int) -> bytes:
    """Leave to send so many bytes more of a stream."""
    return notification("stream.credit", stream=number, bytes=size)


def cancel_request(call_id: Any) -> bytes:
    """Word that the answer to a request is not wanted any more."""
    return notification("$/cancelRequest", id=call_id)


class Peer:
    """A program at the other end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def pass_fds(self, data: bytes, *fds: int) -> None:
        """Send bytes, all at once, and descriptors with them."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
        assert self.sock.sendmsg([data], [rights]) == len(data)
        await asyncio.sleep(0)

    async def value(self) -> Any:
        """The next line of JSON from the daemon."""
        while b"\n" not in self._buffer:
            assert await self._read(), f"the daemon hung up after {self._buffer!r}"
        text, _newline, self._buffer = self._buffer.partition(b"\n")
        return json.loads(text)

    async def entries(self) -> list[Answer]:
        """The next message from the daemon, which is an answer to a batch."""
        return [Answer(entry) for entry in await self.value()]

    async def answer(self) -> Answer:
        """The next message from the daemon."""
        answer = Answer(await self.value())
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

    async def silent(self) -> None:
        """Nothing comes, however many turns the loop is given."""
        await some_turns()
        assert not self._buffer
        with contextlib.suppress(BlockingIOError):
            raise AssertionError(f"this came: {self.sock.recv(1000)!r}")

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

    @property
    def life(self) -> list[str]:
        """What each connection is still good for."""
        return [connection.life.value for connection in self.server._connections.values()]

    async def empty(self) -> None:
        """Once the server has let go of all its peers."""
        await until(lambda: not self.server.stats())


def bound(path: Path) -> socket.socket:
    """A socket that is bound and does not listen yet."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


def assert_nothing_held(server: Server) -> None:
    """Nothing that a peer may have of us is counted any more."""
    assert server.budget.used_bytes == 0
    for account in server._accounts._accounts.values():
        held = (account.peers_num, account.in_flight_num, account.descriptors_num)
        assert held == (0, 0, 0), f"peers, requests, descriptors of {account.uid}: {held}"


def watched_num() -> int:
    """How many descriptors the running loop watches."""
    return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def serving(
    path: Path,
    handler: Handler,
    server_limits: ServerLimits = LIMITS,
    *,
    colleagues: Colleagues | None = None,
    on_refused: OnRefused | None = None,
) -> AsyncIterator[Host]:
    """A server on the running loop; at the end nothing of it may be left.

    Counted from outside: what the loop watches, and /proc/self/fd.
    """
    before = descriptors_num()
    watched_before = watched_num()
    server = Server(handler, server_limits, colleagues, on_refused=on_refused)
    server.listen(bound(path))
    host = Host(server, path)
    try:
        yield host
    finally:
        for peer in host.peers:
            peer.close()
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await server.close(timeout_s=0)
        if isinstance(handler, Calls):
            handler.settle()
    await asyncio.sleep(0)  # what peers waited for is forgotten in the next turn
    assert server.stats() == ()
    assert_nothing_held(server)
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


def opened() -> int:
    """A descriptor of ours, as one that came."""
    return os.open(os.devnull, os.O_RDONLY)


def is_open(fd: int) -> bool:
    """Whether the kernel knows it. Nothing else may be opened meanwhile."""
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def unheard(
    call_id: Any, *, is_notification: bool = False, brought: Brought = NOTHING, **options: Any
) -> Exchange:
    """A request whose answer goes nowhere."""
    request = Request(call_id, is_notification, "m", {}, options)
    return Exchange(request, Sender(1, 1, 1, 1), brought, Budget(0), Nowhere(), can_stream=False)


class Nowhere:
    """Where nobody hears what becomes of an exchange."""

    def make_stream(self) -> OutgoingStream:
        raise AssertionError("nobody would read it")

    def set_stream_credit(self, size: int) -> None:
        pass

    def tell_progress(self, exchange: Exchange, value: dict[str, Any]) -> None:
        pass

    def deliver(self, exchange: Exchange, outcome: Outcome) -> None:
        pass

    def end(self, exchange: Exchange) -> None:
        pass
