"""The server that answers, over real sockets and TLS, what a test's fake would have answered.

It has a certificate for every name that is asked for. Some tests replace what Python's `socket` and
`ssl` modules consist of while they run, so this takes what it needs from there beforehand.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import trustme

STEP_TIMEOUT_S = 30.0
TLS_HANDSHAKE = b"\x16"
"""What a client's first byte is when it speaks TLS, and never when it speaks HTTP."""

Socket = socket.socket
SSLContext = ssl.SSLContext
wrap_socket = ssl.SSLContext.wrap_socket


@dataclass(frozen=True)
class Answer:
    """What to answer. `headers` frame the body, or none of them does."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def encoded(self, *, bodiless: bool) -> bytes:
        """The bytes on the wire; bodiless: of an answer to HEAD, or with a status without body."""
        pairs = list(self.headers)
        if not bodiless and not any(name.lower() == "content-length" for name, _value in pairs):
            pairs.append(("Content-Length", str(len(self.body))))
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{n}: {v}" for n, v in pairs)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if bodiless else head + self.body


NOTHING_PREPARED = Answer(501, "Nothing prepared", (), b"")
"""boto takes it for an answer and does not try again."""


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Loopback(ThreadingHTTPServer):
    """Answers the next request with `answer`, once, and keeps what it `seen`."""

    daemon_threads = True

    def __init__(self, ca_file: Path) -> None:
        self.answer = NOTHING_PREPARED
        self.seen: Seen | None = None
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(ca_file))
        self._context_of = cache(self._new_context)
        super().__init__(("127.0.0.1", 0), _Conversation)

    def get_request(self) -> tuple[Any, Any]:
        # What socket.accept does, which by now may make a socket of another class.
        fd, address = self.socket._accept()  # type: ignore[attr-defined]
        return Socket(self.address_family, self.socket_type, 0, fileno=fd), address

    def secured(self, sock: socket.socket) -> socket.socket:
        """The server's side of TLS, with a certificate for the name that the client asks for."""
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = self._choose
        return wrap_socket(context, sock, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is the client's business: the test sees its side of it."""

    def _choose(self, sock: Any, name: str | None, _context: ssl.SSLContext) -> None:
        sock.context = self._context_of(name or "127.0.0.1")

    def _new_context(self, name: str) -> ssl.SSLContext:
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # As S3's: the name of a bucket may have what that in a certificate may not. A wildcard
        # stands for one label, with two more behind it.
        _bucket, _dot, rest = name.partition(".")
        self._ca.issue_cert(f"*.{rest}" if "." in rest else name).configure_cert(context)
        return context


class _Conversation(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = STEP_TIMEOUT_S
    server: Loopback

    def setup(self) -> None:
        if self.request.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
            self.request = self.server.secured(self.request)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(1 << 16)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # Not self.path, from which parse_request takes a second slash.
        target = self.raw_requestline.split(b" ")[1].decode("latin-1")
        server = self.server
        server.seen = Seen(self.command, target, tuple(self.headers.items()), body)
        answer, server.answer = server.answer, NOTHING_PREPARED
        bodiless = self.command == "HEAD" or answer.status in {204, 304}
        self.wfile.write(answer.encoded(bodiless=bodiless))


@contextlib.contextmanager
def loopback(ca_file: Path) -> Iterator[Loopback]:
    """Serve for the length of a block; who is to believe the server trusts `ca_file`."""
    with Loopback(ca_file) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(STEP_TIMEOUT_S)
