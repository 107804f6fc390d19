"""One peer's socket: bytes in, requests out to a handler, answers back as they finish.

It is read with recvmsg on asyncio's readers, not through a transport: the sender's credentials come
beside the bytes, and after a peer's half-close its answers still have to be written, where
transports and Tornado's IOStream close.
"""

import array
import asyncio
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.hang_ups import HangUps
from botod.ipc.protocol import (
    Decoder,
    Limits,
    Message,
    Refused,
    Request,
    encode_error,
    encode_result,
    read_request,
    request_id,
)

logger = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
"""Read at a time from one peer: the others are served in between."""

SURPLUS_FDS = 16
"""Room for descriptors that a peer passes though it may not: received, and closed at once."""

_UCRED = struct.Struct("=iII")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_UCRED.size) + socket.CMSG_SPACE(SURPLUS_FDS * 4)


@dataclass(frozen=True)
class Sender:
    """Who sent a request, by the kernel's word, and over which of our connections."""

    pid: int
    uid: int
    gid: int
    connection_id: int


@dataclass(frozen=True)
class ServerLimits:
    """What one peer may ask of us.

    connections: peers at once. in_flight: requests of one connection that are not answered yet.
    unread_bytes: answers that wait because the peer does not read; beyond, it is hung up on.
    """

    message: Limits
    connections: int
    in_flight: int
    unread_bytes: int


@dataclass(frozen=True)
class PeerStats:
    """One connection now."""

    pid: int
    uid: int
    in_flight_num: int
    requests_total: int
    unread_bytes: int


Handler = Callable[[Request, Sender], "asyncio.Future[Any]"]
"""Begins a request's work. Its future's result, or its RpcError, becomes the answer."""


class Life(Enum):
    """What a connection is still good for."""

    OPEN = "open"
    HALF_CLOSED = "half-closed"  # the peer sends no more; it waits for its answers
    CLOSED = "closed"


class PeerConnection:
    """One peer's socket."""

    def __init__(
        self,
        sock: socket.socket,
        connection_id: int,
        *,
        handler: Handler,
        limits: ServerLimits,
        hang_ups: HangUps,
        on_close: Callable[["PeerConnection"], None],
    ) -> None:
        self.sock = sock
        self.requests_total = 0
        self.sender: Sender | None = None
        self.in_flight: dict[asyncio.Future[Any], Request] = {}
        self._handler = handler
        self._limits = limits
        self._hang_ups = hang_ups
        self._on_close = on_close
        self._id = connection_id
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder(limits.message)
        self._life = Life.OPEN
        self._unwritten: deque[memoryview] = deque()
        self._unwritten_bytes = 0
        self._writing = False
        self._loop.add_reader(sock, self._read)

    def __repr__(self) -> str:
        return f"<connection {self._id} of {self.sender}, {self._life.value}>"

    def stats(self) -> PeerStats:
        sender = self.sender
        return PeerStats(
            pid=0 if sender is None else sender.pid,
            uid=-1 if sender is None else sender.uid,
            in_flight_num=len(self.in_flight),
            requests_total=self.requests_total,
            unread_bytes=self._unwritten_bytes,
        )

    def refuse(self, error: RpcError) -> None:
        """Say why, and close once that is written."""
        self._write(encode_error(None, error))
        self.finish()

    def hang_up(self) -> None:
        """The peer is gone, or has to go: end its jobs, forget its answers."""
        if self._life is Life.CLOSED:
            return
        self._stop_reading()
        self._life = Life.CLOSED
        if self._writing:
            self._loop.remove_writer(self.sock)
        self._hang_ups.forget(self.sock)
        self._on_close(self)
        self.sock.close()
        self._unwritten.clear()
        self._unwritten_bytes = 0
        for future, request in list(self.in_flight.items()):
            if not request.is_notification:  # nobody waits for one; it is done all the same
                future.cancel()

    def finish(self) -> None:
        """Take no more requests; close when the last answer is written."""
        self._stop_reading()
        self._close_if_done()

    def _stop_reading(self) -> None:
        if self._life is Life.OPEN:
            self._loop.remove_reader(self.sock)
            self._life = Life.HALF_CLOSED
            self._hang_ups.watch(self.sock, self.hang_up)

    def _read(self) -> None:
        """Take what is there. One named border: nothing that a peer sends may hurt the others."""
        try:
            data = self._receive()
            if data is None:
                return
            if data:
                self._decoder.feed(data)
            else:
                self._decoder.feed_eof()
            self._take_messages()
        except ProtocolError as error:
            self.refuse(error)
            return
        except OSError as error:
            logger.info("%r is gone: %s", self, error)
            self.hang_up()
            return
        if not data:
            self.finish()

    def _receive(self) -> bytes | None:
        """Bytes from the peer; None: none now; b"": the end. Checks who sent them."""
        try:
            data, ancillary, flags, _address = self.sock.recvmsg(
                READ_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return None
        for _level, kind, payload in ancillary:
            if kind == socket.SCM_RIGHTS:
                _close_all(payload)
            elif kind == socket.SCM_CREDENTIALS and data:
                self._identify(*_UCRED.unpack(payload))
        if flags & socket.MSG_CTRUNC:
            raise ProtocolError(Code.INVALID_REQUEST, "too many descriptors were passed")
        if data and self.sender is None:
            raise ProtocolError(Code.ACCESS_DENIED, "the kernel does not say who sends")
        return data

    def _identify(self, pid: int, uid: int, gid: int) -> None:
        known = self.sender
        if known is not None and known.uid != uid:
            raise ProtocolError(
                Code.ACCESS_DENIED, "another user sends on this connection: connect anew"
            )
        if known is None or (known.pid, known.gid) != (pid, gid):
            self.sender = Sender(pid, uid, gid, self._id)

    def _take_messages(self) -> None:
        while self._life is Life.OPEN:
            event = self._decoder.next()
            if event is None:
                return
            if isinstance(event, Refused):
                self._write(encode_error(event.request_id, event.error))
            else:
                self._begin(event)

    def _begin(self, message: Message) -> None:
        try:
            request = read_request(message)
        except RpcError as error:
            self._write(encode_error(request_id(message.envelope), error))
            return
        try:
            future = self._handled(request)
        except RpcError as error:
            self._answer_error(request, error)
            return
        except Exception as error:  # noqa: BLE001 - a bug there: this peer is told, all go on
            self._answer_error(request, _internal_error(error))
            return
        self.in_flight[future] = request
        future.add_done_callback(partial(self._answer, request))

    def _handled(self, request: Request) -> "asyncio.Future[Any]":
        self.requests_total += 1
        if len(self.in_flight) >= self._limits.in_flight:
            raise RpcError(
                Code.OVERLOADED,
                f"{self._limits.in_flight} requests of this connection are in flight already",
                {"retryable": True, "retry_after_ms": 100},
            )
        assert self.sender is not None, "bytes without a sender are refused when read"
        return self._handler(request, self.sender)

    def _answer(self, request: Request, future: "asyncio.Future[Any]") -> None:
        del self.in_flight[future]
        error = _error_of(future)
        if error is not None:
            self._answer_error(request, error)
        elif not request.is_notification:
            self._answer_result(request, future.result())
        self._close_if_done()

    def _answer_result(self, request: Request, result: Any) -> None:
        self._write(_encoded(encode_result, request, result))

    def _answer_error(self, request: Request, error: RpcError) -> None:
        if not request.is_notification:
            self._write(_encoded(encode_error, request, error))

    def _write(self, pieces: list[bytes]) -> None:
        if self._life is Life.CLOSED:
            return
        for piece in pieces:
            if piece:
                self._unwritten.append(memoryview(piece))
                self._unwritten_bytes += len(piece)
        if not self._writing:
            self._flush()
        if self._unwritten_bytes > self._limits.unread_bytes:
            logger.warning("%r does not read its answers; hung up", self)
            self.hang_up()

    def _flush(self) -> None:
        """Write until done or the socket is full; then again when it has room."""
        while self._unwritten:
            piece = self._unwritten[0]
            try:
                written = self.sock.send(piece)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self.hang_up()
                return
            self._unwritten_bytes -= written
            if written == len(piece):
                self._unwritten.popleft()
            else:
                self._unwritten[0] = piece[written:]
        self._set_writing(bool(self._unwritten))

    def _set_writing(self, wanted: bool) -> None:  # noqa: FBT001
        if wanted and not self._writing:
            self._loop.add_writer(self.sock, self._flush_more)
        elif self._writing and not wanted:
            self._loop.remove_writer(self.sock)
        self._writing = wanted

    def _flush_more(self) -> None:
        self._flush()
        self._close_if_done()

    def _close_if_done(self) -> None:
        """After the peer's last request: close when its last answer is written."""
        if self._life is Life.HALF_CLOSED and not self.in_flight and not self._unwritten:
            self.hang_up()


def _encoded(
    encode: Callable[[str | int | None, Any], list[bytes]], request: Request, outcome: Any
) -> list[bytes]:
    """The answer to a request, also where the handler gave what JSON does not have."""
    try:
        return encode(request.request_id, outcome)
    except (TypeError, ValueError, RecursionError) as error:
        return encode_error(request.request_id, _internal_error(error))


def _error_of(future: "asyncio.Future[Any]") -> RpcError | None:
    """What went wrong with a request's work; None: it has a result."""
    if future.cancelled():
        return RpcError(Code.CANCELLED, "the request was cancelled")
    error = future.exception()
    if error is None or isinstance(error, RpcError):
        return error
    return _internal_error(error)


def _internal_error(error: BaseException) -> RpcError:
    logger.error("a handler failed", exc_info=error)
    return RpcError(Code.INTERNAL_ERROR, "internal error; the daemon's log has more")


def _close_all(payload: bytes) -> None:
    descriptors = array.array("i")
    descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    for descriptor in descriptors:
        os.close(descriptor)
