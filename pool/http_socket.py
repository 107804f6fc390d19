"""What http.client takes for a connected socket, with the pool at its other end.

http.client writes a request into it and reads an answer out of it, as bytes; so whatever is built
upon http.client (urllib, urllib3, requests) keeps its own connections, responses and errors. The
head of a request is read here and goes to the pool as a request of its own; the answer's head is
written out again. As curl has put chunks together, the answer ends where the file does, and its
header `Transfer-Encoding` is left out.
"""

import asyncio
import contextlib
import http.client
import io
import re
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from botod.pool.connection import HTTPConnection
from botod.pool.errors import OutcomeUnknown, PoolError
from botod.pool.failures import CertificateError, failure_error
from botod.pool.origin import Origin
from botod.pool.pool import Pool
from botod.pool.response import HTTPResponse, wait_for_change
from botod.pool.transfer import State, Transfer

HEAD_END = b"\r\n\r\n"
HEAD_MAX_BYTES = 1024 * 1024
"""A request's head longer than this is a mistake; servers take some ten kilobytes."""

NO_DESCRIPTOR = 1 << 30
"""A number that no open file has: a poll says of it what it says of a dead connection."""

FOLD = re.compile(r"\r\n[ \t]+")
"""A header that goes on in the next line, as http.client writes one with several values."""


class ConnectionLost(OutcomeUnknown, http.client.RemoteDisconnected):
    """A request that got no full answer, in the words of http.client as well as in the pool's."""


class PooledSocket:
    """A place to make requests to, one after the other; each leases a slot of its own.

    timeout: seconds in which something must have happened; None: the client's idle timeout counts.
    fileno: gives a descriptor that a poll finds unreadable, as it finds an idle connection.
    """

    def __init__(
        self,
        pool: Pool,
        origin: Origin,
        *,
        timeout: float | None,
        fileno: Callable[[], int] = lambda: NO_DESCRIPTOR,
    ) -> None:
        self.pool = pool
        self.fileno = fileno
        self._origin = origin
        self._timeout = timeout
        self._head = bytearray()
        self._exchange: _Exchange | None = None

    def __repr__(self) -> str:
        return f"<PooledSocket to {self._origin}>"

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def setsockopt(self, *_option: Any) -> None:
        """Options are curl's."""

    def sendall(self, data: Any) -> None:
        """Take a piece of a request: of its head, until that is whole, then of its body."""
        piece = data if isinstance(data, bytes) else bytes(memoryview(data))
        if self._exchange is None:
            self._head += piece
            head, end, piece = bytes(self._head).partition(HEAD_END)
            if not end:
                if len(head) > HEAD_MAX_BYTES:
                    raise ValueError(f"a request's head longer than {HEAD_MAX_BYTES} bytes")
                return
            self._head.clear()
            self._exchange = _Exchange(self.pool, self._origin, self.gettimeout)
            self._exchange.begin(head)
        if piece:
            self._exchange.send_body(piece)

    def makefile(self, mode: str = "rb", *_options: Any) -> io.BufferedReader:
        """The answer to what was sent, as a file; what is sent from now on is the next request."""
        assert mode == "rb", "http.client writes by sendall"
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            raise http.client.ResponseNotReady
        return io.BufferedReader(_Answer(exchange))

    def close(self) -> None:
        """Stop a request whose answer nobody took. An answer goes on, as with a real socket."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()

    def shutdown(self, _how: int) -> None:
        self.close()


class _Exchange:
    """One request of a socket and its answer, with http.client's errors and timeouts."""

    def __init__(self, pool: Pool, origin: Origin, timeout_now: Callable[[], float | None]) -> None:
        self._pool = pool
        self._connection = HTTPConnection(pool, origin)
        self._timeout_now = timeout_now

    def begin(self, head: bytes) -> None:
        """Send a head. Returns when it is on its way; raises if it could not be."""
        connection = self._connection
        first, *lines = FOLD.sub(" ", head.decode("latin-1")).split("\r\n")
        method, target, _version = first.split(" ")
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for line in lines:
            name, _colon, value = line.partition(":")
            connection.putheader(name, value.strip())
        with _as_http_client():
            connection.endheaders()
            transfer = connection.started()
            while not (transfer.sent or transfer.ended):
                self._wait(transfer, or_sent=True)
            if not (transfer.sent or transfer.answered):
                self.close()
                raise self._failure(transfer)

    def send_body(self, data: bytes) -> None:
        transfer = self._connection.started()
        if transfer.request.upload is None:
            raise ValueError("a body whose length the request did not say")
        with _as_http_client(), self._bounded(transfer):
            self._connection.send(data)

    def answer(self) -> tuple[HTTPResponse, Transfer]:
        """Wait for the answer's head."""
        transfer = self._connection.started()
        with _as_http_client(), self._bounded(transfer):
            return self._connection.getresponse(), transfer

    def close(self) -> None:
        """Stop the request if its response was not taken yet."""
        self._connection.close()

    def read(self, transfer: Transfer, size: int) -> bytes:
        """At most `size` bytes of the answer's body, as soon as there are any; none at its end."""
        with _as_http_client():
            while not (pieces := self._pool.client.take(transfer, size)) and not transfer.ended:
                self._wait(transfer)
            if not pieces and transfer.state is not State.COMPLETE:
                raise self._failure(transfer)
            return b"".join(pieces)

    def wait_for_end(self, transfer: Transfer) -> None:
        """Let curl end an answer that is here in full, so that its connection is kept."""
        with _as_http_client():
            while not transfer.ended:
                self._wait(transfer)

    def _wait(self, transfer: Transfer, *, or_sent: bool = False) -> None:
        idempotent = self._connection.idempotent
        with self._bounded(transfer):
            wait_for_change(self._pool, transfer, idempotent=idempotent, or_sent=or_sent)
            if transfer.state is State.ABORTED:
                raise self._failure(transfer)

    def _failure(self, transfer: Transfer) -> Exception:
        return failure_error(transfer, idempotent=self._connection.idempotent)

    @contextlib.contextmanager
    def _bounded(self, transfer: Transfer) -> Iterator[None]:
        """Stop the transfer if the block takes longer than the socket's timeout."""
        timeout = self._timeout_now()
        if timeout is None:
            yield
            return
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            self._pool.client.abort(transfer)

        timer = asyncio.get_running_loop().call_later(timeout, expire)
        try:
            yield
        except PoolError as error:
            if expired:
                raise TimeoutError("timed out") from error
            raise
        finally:
            timer.cancel()


class _Answer(io.RawIOBase):
    """The bytes of an answer, head and body, as they would come from a socket."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self._transfer: Transfer | None = None
        self._response: HTTPResponse | None = None
        self._head = b""
        self._missing_bytes: int | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        data = self._read(self._transfer or self._begin(), size)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of the answer: a transfer under way is stopped."""
        if not self.closed:
            self._exchange.close()
            if self._response is not None:
                self._response.close()
        super().close()

    def _begin(self) -> Transfer:
        # Kept with this file: the pool's response stops its transfer when it is let go.
        response, transfer = self._exchange.answer()
        self._response, self._transfer = response, transfer
        length = response.getheader("content-length", "")
        if length.isdecimal() and not response.chunked:
            self._missing_bytes = int(length)
        version = f"HTTP/{response.version // 10}.{response.version % 10}"
        lines = [f"{version} {response.status} {response.reason}"]
        lines += [
            f"{name}: {value}"
            for name, value in response.getheaders()
            if name.lower() != "transfer-encoding"
        ]
        self._head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return transfer

    def _read(self, transfer: Transfer, size: int) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        data = self._exchange.read(transfer, size)
        if self._missing_bytes is not None and data:
            self._missing_bytes -= len(data)
            if self._missing_bytes == 0:
                self._exchange.wait_for_end(transfer)
        return data


@contextlib.contextmanager
def _as_http_client() -> Iterator[None]:
    """Raise what callers of http.client know; what they cannot know is raised as it is."""
    try:
        yield
    except CertificateError as error:
        raise ssl.SSLCertVerificationError(1, str(error)) from error
    except OutcomeUnknown as error:
        raise ConnectionLost(str(error)) from error
