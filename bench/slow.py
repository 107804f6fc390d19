"""A server that answers everything after 2 s, plain or over TLS, as a process of its own."""

import asyncio
import contextlib
import multiprocessing
import os
import ssl
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

import trustme

from harness.processes import CORES

ANSWER_AFTER_S = 2.0

BODY = b"<SendMessageResponse><MessageId>5fea7756</MessageId></SendMessageResponse>"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Slow(NamedTuple):
    """Where it is. ca_file: "" if it is plain."""

    port: int
    ca_file: str

    @property
    def url(self) -> str:
        """Of S3."""
        return f"http{'s' if self.ca_file else ''}://localhost:{self.port}"


class Server(asyncio.Protocol):
    """One connection; keeps alive."""

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP has both directions"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._data.endswith(b"\r\n\r\n"):  # nobody sends a body
            self._data = b""
            loop = asyncio.get_running_loop()
            loop.call_later(ANSWER_AFTER_S, self._transport.write, ANSWER)


async def _serve(pipe: Connection, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, ssl=context, backlog=4096)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _process(pipe: Connection, context: ssl.SSLContext | None) -> None:
    os.sched_setaffinity(0, {max(CORES)})
    asyncio.run(_serve(pipe, context))


@contextlib.contextmanager
def running_slow(*, tls: bool) -> Iterator[Slow]:
    """Serve for the length of a block."""
    context, ca_file = None, ""
    with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
        if tls:
            authority = trustme.CA()
            ca_file = f"{folder}/ca.pem"
            authority.cert_pem.write_to_path(ca_file)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("localhost").configure_cert(context)
        ours, theirs = multiprocessing.Pipe()
        fork = multiprocessing.get_context("fork")  # a context cannot be sent to another Python
        process = fork.Process(target=_process, args=(theirs, context), daemon=True)
        process.start()
        try:
            yield Slow(ours.recv(), ca_file)
        finally:
            process.terminate()
            process.join(10)
