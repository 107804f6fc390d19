"""SimpleDB for the demo and the tests: in memory, with the real query API and its signatures.

Reads are always consistent, and nothing outlives the process.

    python -m botod.daemon.demo.simpledb --port 0 --access-key X --secret-key Y
"""

import argparse
import contextlib
import re
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botod.daemon.demo.actions import Answer, Request, SimpleDB, error_answer
from botod.daemon.demo.errors import Refused
from botod.daemon.demo.signature import Keys

MAX_BODY_BYTES = 1024 * 1024
"""SimpleDB's bound of a request."""

MAX_DRAINED_BYTES = 16 * MAX_BODY_BYTES
"""What is read of a body that is refused, so that its sender gets to read the answer."""

IDLE_TIMEOUT_S = 120.0
"""A connection holds a thread; one that says nothing for so long is closed."""

STOP_POLL_S = 0.02
"""How often socketserver looks whether it should end: what each test waits for at its end."""

STOP_TIMEOUT_S = 10.0

FORM = "application/x-www-form-urlencoded"


class SimpleDBServer(ThreadingHTTPServer):
    """Listens from the start; answers while serve_forever runs.

    tls: speak HTTPS with this context
    """

    request_queue_size = 128  # a test may open many connections at once

    def __init__(
        self, address: tuple[str, int], service: SimpleDB, tls: ssl.SSLContext | None = None
    ) -> None:
        self.service = service
        self.connections_total = 0
        self.requests_total = 0
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._change = threading.Lock()
        super().__init__(address, _Conversation)

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self.server_address[0]!s}:{self.server_port}"

    def server_bind(self) -> None:
        # HTTPServer's own looks up the name of the address, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def count_request(self) -> None:
        with self._change:
            self.requests_total += 1

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        if self._tls is not None:
            # The handshake is done at the first read, in the connection's own thread.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._change:
            self.connections_total += 1
            self._open.add(connection)
        return connection, peer

    def shutdown_request(self, request: Any) -> None:
        with self._change:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that breaks off is no error of the server's; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        """End what is still open, so that no thread waits for a peer any longer."""
        with self._change:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Conversation(BaseHTTPRequestHandler):
    """One connection: a request after the other, each answered with one write."""

    server: SimpleDBServer

    protocol_version = "HTTP/1.1"
    server_version = "SimpleDB"
    timeout = IDLE_TIMEOUT_S
    # Head and body leave together: as two writes, the second waits for the acknowledgement of the
    # first, which the peer delays by 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    error_content_type = "text/xml;charset=UTF-8"
    error_message_format = (
        "<?xml version='1.0' encoding='utf-8'?>\n<Response><Errors><Error>"
        "<Code>InvalidHttpRequest</Code><Message>%(message)s</Message></Error></Errors></Response>"
    )

    def do_GET(self) -> None:
        self._answer_with(self._parameters())

    def do_POST(self) -> None:
        try:
            parameters = [self._parameters(), self._form()]
        except Refused as error:
            self._send(error_answer(error))
            return
        self._answer_with("&".join(filter(None, parameters)))

    def handle_expect_100(self) -> bool:
        go_on = super().handle_expect_100()
        self.wfile.flush()  # the peer holds its body back until it has this
        return go_on

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet: the demo's output is its own, and a test's log is looked at."""

    def _parameters(self) -> str:
        return self.path.partition("?")[2]

    def _answer_with(self, parameters: str) -> None:
        self.server.count_request()
        path = self.path.partition("?")[0]
        host = self.headers.get("Host", "")
        request = Request(self.command, host, path, parameters)
        self._send(self.server.service.answer(request))

    def _form(self) -> str:
        body = self._body()
        if self.headers.get_content_type() != FORM:
            raise Refused("InvalidHttpRequest", f"The body of a POST has to be of type {FORM}.")
        try:
            return body.decode("ascii")
        except UnicodeDecodeError:
            raise Refused("InvalidHttpRequest", "The form is not percent-encoded.") from None

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length", "")
        # Without a length nobody knows where the next request starts.
        if not re.fullmatch("[0-9]{1,20}", text) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused("InvalidHttpRequest", "The request must have a Content-Length.")
        length = int(text)
        if length > MAX_BODY_BYTES:
            self._drain(length)
            raise Refused(
                "InvalidHttpRequest",
                f"The body has {length} bytes, at most {MAX_BODY_BYTES} are taken.",
            )
        return self.rfile.read(length)

    def _drain(self, length: int) -> None:
        self.close_connection = True
        left = min(length, MAX_DRAINED_BYTES)
        while left and (piece := self.rfile.read(min(left, MAX_BODY_BYTES))):
            left -= len(piece)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)


@contextlib.contextmanager
def serving(
    access_key: str,
    secret_key: str,
    *,
    clock: Callable[[], float] = time.time,
    tls: ssl.SSLContext | None = None,
) -> Iterator[SimpleDBServer]:
    """A server on a free loopback port, in a thread, for the length of a block.

    clock: what tells the time that requests expire by, in seconds since 1970
    """
    service = SimpleDB(Keys(access_key, secret_key), clock)
    server = SimpleDBServer(("127.0.0.1", 0), service, tls)
    thread = threading.Thread(target=server.serve_forever, args=(STOP_POLL_S,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        server.end_connections()
        thread.join(STOP_TIMEOUT_S)


def main() -> None:
    """Serve until SIGTERM; the first line on standard output says where."""
    parser = argparse.ArgumentParser(description="Serve SimpleDB from memory.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-key", required=True)
    arguments = parser.parse_args()
    keys = Keys(arguments.access_key, arguments.secret_key)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    with SimpleDBServer((arguments.address, arguments.port), SimpleDB(keys)) as server:
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
