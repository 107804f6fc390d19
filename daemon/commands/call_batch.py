"""`botod call --batch`: requests as lines of JSON, many in flight on one connection.

One loop in one thread looks after standard input, the connection and standard output. It reads no
further input while enough is in flight or waits to be written, so that memory is bounded; and it
never blocks on a slow reader, for the daemon hangs up on peers that do not read.
"""

import heapq
import json
import os
import select
import socket
import time
from typing import Any, NamedTuple, NoReturn

from botod.daemon.commands.call_lines import MAX_LINE_BYTES, STDIN, Lines
from botod.daemon.commands.call_wire import NoDaemon, as_base64, ask, default_socket, loads
from botod.ipc.errors import Code, RpcError
from botod.ipc.framing import Decoder, Message, MessageLimits, Refused
from botod.ipc.markers import Declared, pack, unpack
from botod.ipc.protocol import OPTION_KEYS, encode_request

STDOUT = 1

MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024
"""Towards the daemon, or to standard output: beyond, no more requests are taken."""

READ_BYTES = 256 * 1024

WRITE_BYTES = select.PIPE_BUF
"""A pipe that is called writable takes so many without blocking."""

CONNECT_TIMEOUT_S = 60.0

ASK_AGAIN_FOR_S = 60.0
"""How long one request is sent again while the daemon has too much to do."""

KEYS = OPTION_KEYS - {"progress"} | {"jsonrpc", "id", "method", "params"}

_ANSWER_LIMITS = MessageLimits(line_bytes=64 * 1024 * 1024, inline_bytes=1024 * 1024 * 1024)
"""As the client's: the daemon is trusted more than its peers are."""


class Asked(NamedTuple):
    """A request that waits for its answer.

    answer_to: the id that its line gave. data: how it was sent. give_up_at: monotonic time from
    which on it is not sent again.
    """

    answer_to: Any
    data: bytes
    give_up_at: float


def run(path: str | None, options: dict[str, Any]) -> int:
    """Answer each line of standard input on standard output; how many of them failed.

    path: of the daemon's socket; None: the usual place. options: for requests that do not give
    their own. Raises NoDaemon, Failed. A reader that leaves ends it, as one failure.
    """
    path = path or default_socket()
    hello, _blobs = ask(path, {"method": "botod.hello"})
    batch = Batch(path, options, hello["limits"])
    try:
        batch.run()
    except BrokenPipeError:
        return batch.failed_num + 1
    finally:
        batch.close()
    return batch.failed_num


class Batch:
    """The loop, and what is under way in it.

    limits: as `botod.hello` tells them.
    """

    def __init__(self, path: str, options: dict[str, Any], limits: dict[str, int]) -> None:
        self.failed_num = 0
        self._path = path
        self._options = options
        self._in_flight_max = min(limits["in_flight_per_peer"], limits["in_flight_per_uid"])
        self._line_bytes = limits["line_bytes"]
        self._last_id = 0
        self._lines = Lines()
        self._asked: dict[int, Asked] = {}
        self._again: list[tuple[float, int]] = []
        self._unsent = bytearray()
        self._unwritten = bytearray()
        self._socket: socket.socket | None = None
        self._decoder = Decoder(_ANSWER_LIMITS)

    def close(self) -> None:
        """Hang up: the daemon ends what is still under way."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._unsent.clear()

    def run(self) -> None:
        """Go on until all lines are answered and the answers are written."""
        while self._asked or self._unwritten or self._lines.ready or not self._lines.has_ended:
            self._turn()

    def _turn(self) -> None:
        """Wait until something can be read or written, and do it."""
        writes = [STDOUT] if self._unwritten else []
        reads = [STDIN] if not self._lines.ready and not self._lines.has_ended else []
        peer = -1 if self._socket is None else self._socket.fileno()
        if peer >= 0:
            reads.append(peer)
            writes += [peer] if self._unsent else []
        readable, writable, _ = select.select(reads, writes, [], self._pause_s())
        if STDOUT in writable:
            del self._unwritten[: os.write(STDOUT, self._unwritten[:WRITE_BYTES])]
        if peer in writable:
            self._send_some()
        if peer in readable:
            self._read_answers()
        if STDIN in readable:
            self._lines.read()
        self._send_again()
        while self._lines.ready and self._has_room():
            self._take(*self._lines.ready.popleft())

    def _has_room(self) -> bool:
        unwritten = max(len(self._unsent), len(self._unwritten))
        return len(self._asked) < self._in_flight_max and unwritten < MAX_UNWRITTEN_BYTES

    def _pause_s(self) -> float | None:
        """Until something is to be asked again, in seconds; None: for ever. 0: lines wait."""
        if self._lines.ready and self._has_room():
            return 0.0
        return max(0.0, self._again[0][0] - time.monotonic()) if self._again else None

    def _take(self, number: int, line: bytes | None) -> None:
        """Send what a line asks for, or answer it if that is nothing to send."""
        answer_to: Any = number
        try:
            request = _request(line)
            answer_to = request.get("id", number)
            data = self._encoded(request)
        except RpcError as error:
            self._answer(answer_to, {"error": {"code": error.code, "message": error.message}})
            return
        self._asked[self._last_id] = Asked(answer_to, data, time.monotonic() + ASK_AGAIN_FOR_S)
        self._send(self._last_id)

    def _encoded(self, request: dict[str, Any]) -> bytes:
        """A request as it is sent, under the next id. Raises RpcError."""
        options = self._options | {key: request[key] for key in OPTION_KEYS & request.keys()}
        params = unpack(request.get("params", {}), Declared())
        self._last_id += 1
        pieces = encode_request(self._last_id, request["method"], params, options)
        if len(pieces[0]) > self._line_bytes:
            words = f"more than {self._line_bytes} bytes beside what stands in $base64"
            raise RpcError(Code.LINE_TOO_LONG, words)
        return b"".join(pieces)

    def _send(self, number: int) -> None:
        if self._socket is None:
            self._socket = _connected(self._path)
            self._decoder = Decoder(_ANSWER_LIMITS)
        self._unsent += self._asked[number].data

    def _send_some(self) -> None:
        assert self._socket is not None, "it was found writable"
        try:
            del self._unsent[: self._socket.send(self._unsent[:READ_BYTES])]
        except OSError:  # it may have said why: reading finds that, and the end
            self._unsent.clear()

    def _send_again(self) -> None:
        """Ask again what the daemon had no room for, where its pause is over."""
        while self._again and self._again[0][0] <= time.monotonic():
            self._send(heapq.heappop(self._again)[1])

    def _read_answers(self) -> None:
        assert self._socket is not None, "it was found readable"
        try:
            data = self._socket.recv(READ_BYTES)
        except OSError as error:
            self._lose(str(error))
        if data:
            self._decoder.feed(data)
            self._answer_all()
        elif self._asked:
            self._lose("the daemon hung up")
        else:
            self.close()

    def _answer_all(self) -> None:
        while (event := self._decoder.next()) is not None:
            if isinstance(event, Refused):
                self._lose(str(event.error))
            assert isinstance(event, Message), "arrays answer arrays, which are never sent"
            number = event.envelope.get("id")
            if number in self._asked:
                self._settle(number, event)
            elif number is None and self._hear(event.envelope.get("error") or {}):
                return

    def _settle(self, number: int, message: Message) -> None:
        """Write an answer, or note that it has to be asked for again."""
        error = message.envelope.get("error")
        asked = self._asked[number]
        again_at = time.monotonic() + _retry_after_s(error)
        if again_at < asked.give_up_at:
            heapq.heappush(self._again, (again_at, number))
            return
        del self._asked[number]
        if error is not None:
            self._answer(asked.answer_to, {"error": error})
            return
        result = unpack(message.envelope.get("result"), Declared(message.blobs))
        self._answer(asked.answer_to, {"result": pack(result, _in_base64)})

    def _hear(self, error: dict[str, Any]) -> bool:
        """What the daemon says about the connection; whether that is a new one now."""
        if error.get("code") != Code.IDLE:
            self._lose(error.get("message", "it closed the connection"))
        self.close()  # nothing that was sent since was read
        paused = {number for _at, number in self._again}
        for number in self._asked.keys() - paused:
            self._send(number)
        return True

    def _answer(self, answer_to: Any, outcome: dict[str, Any]) -> None:
        self.failed_num += "error" in outcome
        text = json.dumps({"id": answer_to, **outcome}, ensure_ascii=False, separators=(",", ":"))
        self._unwritten += text.encode(errors="backslashreplace") + b"\n"

    def _lose(self, words: str) -> NoReturn:
        """The connection is of no use: answer what was in flight, and end. Raises NoDaemon."""
        words = f"{self._path}: {words}; whether the request was done is not known"
        data = {"outcome_unknown": True}
        error = {"code": Code.OUTCOME_UNKNOWN, "message": words, "data": data}
        for asked in self._asked.values():
            self._answer(asked.answer_to, {"error": error})
        while self._unwritten:
            del self._unwritten[: os.write(STDOUT, self._unwritten)]
        raise NoDaemon(words)


def _request(line: bytes | None) -> dict[str, Any]:
    """What a line asks for. Raises RpcError."""
    if line is None:
        raise RpcError(Code.LINE_TOO_LONG, f"a line has at most {MAX_LINE_BYTES} bytes")
    try:
        request = loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise RpcError(Code.PARSE_ERROR, f"not a line of JSON: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(Code.INVALID_REQUEST, "a request is an object with a method, a text")
    unknown = request.keys() - KEYS
    if unknown:
        raise RpcError(Code.INVALID_REQUEST, f"unknown option {min(unknown)!r}")
    return request


def _retry_after_s(error: Any) -> float:
    """How long to wait before asking again; infinite where that is of no use."""
    match error:
        case {"code": Code.OVERLOADED, "data": {"retry_after_ms": int(retry_after_ms)}}:
            return retry_after_ms / 1000
    return float("inf")


def _in_base64(value: Any) -> dict[str, str]:
    """What stands for bytes in a line; nothing else comes out of a message."""
    return {"$base64": as_base64(value)}


def _connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(CONNECT_TIMEOUT_S)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        raise NoDaemon(f"no daemon answers at {path}: {error.strerror or error}") from None
    sock.setblocking(False)
    return sock
