"""The examples of PROTOCOL.md do what stands there, word for word."""

import hashlib
import json
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from support.daemons import BOUND_S, Daemon, endpoints, running_daemon
from support.http_server import Exchange, HttpServer, http_server

DOCUMENT = (Path(__file__).parents[2] / "ipc" / "PROTOCOL.md").read_text(encoding="utf-8")

PRINTED_HOST = "127.0.0.1:9000"
"""Stands in the document for where the server happens to be."""

PRINTED_PID = '"pid":4711'

BESIDE = re.compile(r"(.*\})   beside it a file with `(\w+)`")

NO_SUCH_KEY = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>'
    "<Message>The specified key does not exist.</Message></Error>"
)


class Step(NamedTuple):
    """One row of an example: what is sent (and the file beside it), or what comes."""

    is_sent: bool
    text: str
    file: bytes | None = None


def examples() -> dict[str, list[Step]]:
    """The conversations under "Examples", by the words before them."""
    section = DOCUMENT.partition("## Examples")[2]
    found: dict[str, list[Step]] = {}
    words = ""
    for line in section.splitlines():
        if line.startswith(("    → ", "    ← ")):
            beside = BESIDE.fullmatch(line[6:])
            text, file = (beside[1], beside[2].encode()) if beside else (line[6:], None)
            found.setdefault(words, []).append(Step(line[4] == "→", text, file))
        elif line.strip():
            words = line.strip().rstrip(":")
    return found


class FakeAws:
    """An S3 and SQS of a few lines: keeps objects, numbers messages, polls for ever."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {"/bucket/big": b"0123456789" * 10_000}
        self.messages = 0
        self.polls = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        if b"ReceiveMessage" in exchange.body:
            self.polls.wait(BOUND_S)
            exchange.cut()
        elif b"SendMessage" in exchange.body:
            self.messages += 1
            exchange.ok(
                b"<SendMessageResponse><SendMessageResult><MessageId>m-%d</MessageId>"
                b"</SendMessageResult></SendMessageResponse>" % self.messages
            )
        else:
            self._object(exchange)

    def _object(self, exchange: Exchange) -> None:
        if exchange.method == "PUT":
            self.objects[exchange.target] = exchange.body
            exchange.ok(b"", f'ETag: "{hashlib.md5(exchange.body).hexdigest()}"')
        elif exchange.target in self.objects:
            exchange.ok(self.objects[exchange.target])
        else:
            exchange.ok(NO_SUCH_KEY.encode(), status="404 Not Found")


class Conversation:
    """One connection, on which an example is spoken."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(BOUND_S)
        self._socket.connect(daemon.socket_path)
        self._buffer = b""
        self._host = f"127.0.0.1:{port}"
        self._pid = daemon.process.pid
        self._due: list[int] = []

    def speak(self, steps: list[Step]) -> list[Step]:
        """Send what is to be sent and read what is to come; what was sent and what came.

        What is sent without an answer in between goes at once: a cancel must not come too late.
        """
        spoken = []
        for is_sent, some in groupby(steps, key=lambda step: step.is_sent):
            if is_sent:
                spoken += self._send(list(some))
            else:
                spoken += [self._read() for _ in some]
        return spoken

    def close(self) -> None:
        self._socket.close()

    def _send(self, steps: list[Step]) -> list[Step]:
        data = b"".join(_as_sent(step.text) for step in steps)
        file = next((step.file for step in steps if step.file is not None), None)
        if file is None:
            self._socket.sendall(data)
            return steps
        with tempfile.TemporaryFile() as beside:
            beside.write(file)
            beside.seek(0)
            socket.send_fds(self._socket, [data], [beside.fileno()])
        return steps

    def _read(self) -> Step:
        if self._due:
            size = self._due.pop(0)
            while len(self._buffer) < size:
                self._fill()
            blob, self._buffer = self._buffer[:size], self._buffer[size:]
            return Step(is_sent=False, text=_as_printed(blob))
        while b"\n" not in self._buffer:
            self._fill()
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        message = json.loads(line)
        self._due = list(message.get("bytes", [])) if isinstance(message, dict) else []
        text = line.decode().replace(self._host, PRINTED_HOST)
        return Step(is_sent=False, text=text.replace(f'"pid":{self._pid}', PRINTED_PID))

    def _fill(self) -> None:
        data = self._socket.recv(1 << 20)
        assert data, f"the daemon hung up after {self._buffer!r}"
        self._buffer += data


def _as_sent(text: str) -> bytes:
    """A line with its end, or raw bytes."""
    return text.encode() + (b"\n" if text.startswith(("{", "[")) else b"")


def _as_printed(blob: bytes) -> str:
    """Raw bytes as the document has them: long ones by their beginning and number."""
    text = blob.decode()
    return text if len(text) < 100 else f"{text[:10]}… ({len(text):,} bytes)"


@pytest.fixture(scope="module")
def aws() -> Iterator[HttpServer]:
    """The service behind the examples."""
    fake = FakeAws()
    with http_server(fake) as server:
        yield server
        fake.polls.set()


@pytest.fixture(scope="module")
def daemon(aws: HttpServer) -> Iterator[Daemon]:
    """A daemon that asks it."""
    with running_daemon(endpoints(aws.port)) as daemon:
        yield daemon


@pytest.mark.parametrize("words", examples())
def test_an_example_is_as_printed(words: str, daemon: Daemon, aws: HttpServer) -> None:
    """Each line that the daemon writes is the one in the document."""
    steps = examples()[words]
    conversation = Conversation(daemon, aws.port)
    try:
        assert conversation.speak(steps) == steps
    finally:
        conversation.close()


def test_there_are_examples() -> None:
    """None of them was lost on the way out of the document."""
    assert len(examples()) == DOCUMENT.count(":\n\n    → ")
