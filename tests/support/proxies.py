"""A real HTTP proxy for tests: whole URLs by request, tunnels by CONNECT, with or without login."""

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from support.loops import BOUND_S


@dataclass
class ProxyServer:
    """The proxy while it runs: the first lines of what it was asked."""

    port: int
    lines: list[str] = field(default_factory=list)
    refused_num: int = 0


@contextlib.contextmanager
def proxy_server(user: str | None = None, password: str = "") -> Iterator[ProxyServer]:
    """Serve on a free loopback port; with a user, only for who gives the password."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = ProxyServer(listener.getsockname()[1])
    login = base64.b64encode(f"{user}:{password}".encode()).decode() if user else None

    def converse(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(BOUND_S)
            data = b""
            while b"\r\n\r\n" not in data:
                data += client.recv(65536) or _gone()
            head = data.partition(b"\r\n\r\n")[0].decode("latin-1")
            method, target, _version = head.split("\r\n")[0].split(" ")
            server.lines.append(f"{method} {target}")
            if login and f"proxy-authorization: basic {login}".lower() not in head.lower():
                server.refused_num += 1
                client.sendall(
                    b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n"
                    b'Proxy-Authenticate: Basic realm="r"\r\n\r\n'
                )
                return
            url = urlsplit(f"//{target}" if method == "CONNECT" else target)
            with socket.create_connection((url.hostname, url.port), BOUND_S) as upstream:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connected\r\nX-Proxy: not the server's\r\n\r\n")
                else:
                    path = url.path + (f"?{url.query}" if url.query else "")
                    upstream.sendall(data.replace(target.encode(), path.encode(), 1))
                other = threading.Thread(target=_pump, args=(client, upstream), daemon=True)
                other.start()
                _pump(upstream, client)
                other.join(BOUND_S)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = listener.accept()
                threading.Thread(target=converse, args=(client,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(BOUND_S)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _gone() -> bytes:
    raise ConnectionError("the client left")
