"""What the daemon's soak asks: S3 and SQS as far as its jobs go, with faults on demand. A program.

Prints its port, then reads lines: the name of a fault, or "fine". At the end of its input it prints
how many requests came, and which messages came more than once.

An object is told by its name, NUMBER-SIZE, and looks like no other. A message's body is its id.
"""

import asyncio
import hashlib
import json
import random
import socket
import struct
import sys
from collections import Counter
from urllib.parse import parse_qs

SHARE = 0.3
"""Of the requests that a fault meets while it lasts."""

SILENT_S = 3.0

BREAKS = {"cut before", "reset before", "cut", "reset", "half a head", "half a body", "half-close"}
STATUSES = {"500": 1.0, "503 storm": 3.0}
"""The share of these is so many times as large."""


def expected(name: str) -> bytes:
    """The object of this name."""
    number, size = name.split("-")
    unit = f"{number}.".encode()
    return (unit * (int(size) // len(unit) + 1))[: int(size)]


class Upstream:
    """What came, and what happens to it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.fault = "fine"
        self.requests = 0
        self.messages: Counter[str] = Counter()
        self.received = 0

    def fate(self) -> str:
        """What happens to a request."""
        share = SHARE * STATUSES.get(self.fault, 1.0)
        return self.fault if self.draw.random() < share else "fine"

    def answer(self, head: bytes, body: bytes) -> bytes:
        """As AWS would."""
        method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "POST":
            return _whole(self._sqs({k: v[0] for k, v in parse_qs(body.decode()).items()}))
        if method == "GET":
            return _whole(expected(target.rpartition("/")[2].partition("?")[0]))
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return _whole(b"", f'ETag: "{etag}"\r\n')

    def _sqs(self, form: dict[str, str]) -> bytes:
        action = form["Action"]
        if action == "ReceiveMessage":
            self.received += 1
            inside = f"<Message><MessageId>r-{self.received}</MessageId><ReceiptHandle>h"
            inside += f"</ReceiptHandle>{_message(f'r-{self.received}')}</Message>"
        elif action == "SendMessage":
            inside = self._taken(form["MessageBody"])
        else:
            inside = self._batch(action, form)
        return (
            f"<{action}Response><{action}Result>{inside}</{action}Result><ResponseMetadata>"
            f"<RequestId>id</RequestId></ResponseMetadata></{action}Response>"
        ).encode()

    def _batch(self, action: str, form: dict[str, str]) -> str:
        prefix = "SendMessageBatchRequestEntry."
        names = [key for key in form if key.startswith(prefix) and key.endswith(".Id")]
        entry = f"{action}ResultEntry"
        return "".join(
            f"<{entry}><Id>{form[name]}</Id>"
            f"{self._taken(form[name.removesuffix('Id') + 'MessageBody'])}</{entry}>"
            for name in names
        )

    def _taken(self, text: str) -> str:
        self.messages[text] += 1
        md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return f"<MessageId>{text}</MessageId><MD5OfMessageBody>{md5}</MD5OfMessageBody>"


def _message(text: str) -> str:
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return f"<MD5OfBody>{md5}</MD5OfBody><Body>{text}</Body>"


def _whole(body: bytes, more: str = "", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection; pipelining is not spoken."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP has both directions"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None, "data before its connection"
        self._data += data
        head, blank, body = bytes(self._data).partition(b"\r\n\r\n")
        if not blank:
            return
        lower = head.lower()
        if b"\r\nexpect:" in lower and not body and b"continue" not in self._data[-20:]:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        _before, _name, after = lower.partition(b"\r\ncontent-length:")
        if len(body) < int(after.split(b"\r\n", 1)[0] or 0):
            return
        self._data.clear()
        self._upstream.requests += 1
        self._act(self._upstream.fate(), head, body)

    def _act(self, fate: str, head: bytes, body: bytes) -> None:
        if fate.endswith("before"):
            self._end(fate)
        elif fate in STATUSES:
            code = "503 Slow Down" if fate.startswith("503") else "500 Internal Server Error"
            error = b"<Error><Code>SlowDown</Code><Message>busy</Message></Error>"
            self._write(_whole(error, status=code))
        elif fate == "silence":
            answer = self._upstream.answer(head, body)
            asyncio.get_running_loop().call_later(SILENT_S, self._write, answer)
        else:
            answer = self._upstream.answer(head, body)
            cut = {"half a head": 20, "half a body": len(answer) - 1}.get(fate, 0)
            self._write(answer[:cut] if fate in BREAKS else answer)
            if fate in BREAKS:
                self._end(fate)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, fate: str) -> None:
        assert self._transport is not None, "an end before the begin"
        if fate == "half-close":
            self._transport.write_eof()
        elif not fate.startswith("reset"):
            self._transport.close()
        else:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()


async def main() -> None:
    """Serve until the end of the input."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # what it breaks itself
    upstream = Upstream(int(sys.argv[1]))
    server = await loop.create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        upstream.fault = line.strip()
    server.close()
    twice = [text for text, copies in upstream.messages.items() if copies > 1]
    messages = list(upstream.messages)
    print(json.dumps({"requests": upstream.requests, "twice": twice, "messages": messages}))


if __name__ == "__main__":
    asyncio.run(main())
