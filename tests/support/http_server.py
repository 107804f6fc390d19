"""A small HTTP/1.1 server over plain sockets that can break off at any byte and counts copies.

Each connection is a thread. `answer(exchange)` decides what happens to a request; it may send any
bytes, cut the connection, reset it, or wait.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

STEP_TIMEOUT_S = 30.0


@dataclass
class Exchange:
    """One request, and the wire it came on."""

    sock: socket.socket
    connection_number: int
    number: int
    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.lower(): value.strip() for name, _colon, value in pairs}

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ok(self, body: bytes = b"", *headers: str, status: str = "200 OK") -> None:
        """Send a whole answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode() + (b"" if self.method == "HEAD" else body))

    def cut(self) -> None:
        """Close the connection: a FIN for the client."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        """Close it the hard way: an RST for the client."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Answer = Callable[[Exchange], None]


def always_ok(exchange: Exchange) -> None:
    """The answer where a test is not about answers."""
    exchange.ok(b"fine")


@dataclass
class HttpServer:
    """The server while it runs."""

    port: int
    requests: list[Exchange] = field(default_factory=list)
    connections_total: int = 0
    open_now: set[socket.socket] = field(default_factory=set)
    says_continue: bool = True

    def copies(self, target: str) -> int:
        """How often a request for `target` arrived."""
        return sum(1 for request in self.requests if request.target == target)

    def hang_up(self) -> None:
        """Close all connections that are open now."""
        for sock in list(self.open_now):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def http_server(
    answer: Answer = always_ok,
    *,
    tls: ssl.SSLContext | None = None,
    on_connect: Callable[[socket.socket, int], bool] | None = None,
    port: int = 0,
) -> Iterator[HttpServer]:
    """Serve on a free loopback port, or on `port`, for the length of a block.

    on_connect: called with each new connection and its number; False closes it unread.
    """
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    server = HttpServer(port=listener.getsockname()[1])
    lock = threading.Lock()
    stopping = threading.Event()

    def converse(sock: socket.socket, number: int) -> None:
        try:
            sock.settimeout(STEP_TIMEOUT_S)
            if on_connect is not None and not on_connect(sock, number):
                return
            if tls is not None:
                plain, sock = sock, tls.wrap_socket(sock, server_side=True)
                with lock:
                    server.open_now.discard(plain)
                    server.open_now.add(sock)
            while (exchange := _read_request(sock, number, server, lock)) is not None:
                answer(exchange)
        except OSError:
            pass  # the client went away, or this connection was cut on purpose
        finally:
            with lock:
                server.open_now.discard(sock)
            sock.close()

    def accept() -> None:
        while not stopping.is_set():
            try:
                sock, _address = listener.accept()
            except OSError:
                return
            with lock:
                server.connections_total += 1
                server.open_now.add(sock)
                number = server.connections_total
            threading.Thread(target=converse, args=(sock, number), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(STEP_TIMEOUT_S)
        server.hang_up()


def _read_request(
    sock: socket.socket, number: int, server: HttpServer, lock: threading.Lock
) -> Exchange | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None
        data += piece
    head, _blank, body = data.partition(b"\r\n\r\n")
    method, target, _version = head.split(b"\r\n")[0].decode("latin-1").split(" ", 2)
    exchange = Exchange(sock, number, 0, method, target, head, b"")
    if "expect" in exchange.headers and server.says_continue:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    coming = _Coming(sock, body)
    if exchange.headers.get("transfer-encoding") == "chunked":
        exchange.body = _read_chunks(coming)
    else:
        exchange.body = coming.read(int(exchange.headers.get("content-length", 0)))
    with lock:
        server.requests.append(exchange)
        exchange.number = len(server.requests)
    return exchange


class _Coming:
    """What follows the head: some bytes are here, the others come."""

    def __init__(self, sock: socket.socket, here: bytes) -> None:
        self._sock = sock
        self._here = bytearray(here)

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; ConnectionError if the client leaves before."""
        while len(self._here) < size:
            self._receive(min(1 << 20, size - len(self._here)))
        return self._cut(size)

    def read_line(self) -> bytes:
        while b"\r\n" not in self._here:
            self._receive(65536)
        return self._cut(self._here.index(b"\r\n") + 2)

    def _receive(self, size: int) -> None:
        piece = self._sock.recv(size)
        if not piece:
            raise ConnectionError("the client left in the middle of a body")
        self._here += piece

    def _cut(self, size: int) -> bytes:
        data = bytes(self._here[:size])
        del self._here[:size]
        return data


def _read_chunks(coming: _Coming) -> bytes:
    parts = []
    while size := int(coming.read_line().partition(b";")[0], 16):
        parts.append(coming.read(size))
        assert coming.read_line() == b"\r\n", "a chunk is longer than its size"
    assert coming.read_line() == b"\r\n", "a trailer"
    return b"".join(parts)
