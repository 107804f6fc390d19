"""The example of a web application: a thousand requests at once on one loop."""

import asyncio
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from urllib.parse import parse_qs

import pytest

from support.http_server import Exchange, http_server
from support.loops import BOUND_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "web_app.py"
CLIENTS = 1000
SLOTS = 64
LATENCY_S = 0.100
LONGEST_VISIT_CPU_S = 0.100

SENT = (
    "<SendMessageResponse><SendMessageResult><MessageId>id-of-{}</MessageId>"
    "<MD5OfMessageBody>x</MD5OfMessageBody></SendMessageResult></SendMessageResponse>"
)


def sqs_with_latency(exchange: Exchange) -> None:
    """SQS, as far as SendMessage goes, a tenth of a second away."""
    threading.Event().wait(LATENCY_S)
    (message,) = parse_qs(exchange.body.decode())["MessageBody"]
    exchange.ok(SENT.format(message).encode())


@contextlib.contextmanager
def web_app(queue_url: str) -> Iterator[int]:
    """The example in a process of its own; its port."""
    app = subprocess.Popen(
        [sys.executable, str(EXAMPLE), "--queue", queue_url, "--port", "0", "--slots", str(SLOTS)],
        env={**os.environ, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert app.stdout is not None
        port = re.search(r":(\d+)/", app.stdout.readline())
        assert port is not None, "the example did not start"
        yield int(port[1])
    finally:
        app.terminate()
        app.wait(BOUND_S)
        if app.stdout is not None:
            app.stdout.close()


async def ask(port: int, method: str, target: str, body: bytes = b"") -> tuple[bytes, bytes]:
    """One request on a connection of its own: status line and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    head_bytes, _blank, answer = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head_bytes.split(b"\r\n")[0], answer


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Each client is a descriptor here, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_at_once(many_descriptors: None) -> None:
    """Each gets its own message's id; slots bound the connections; no visit keeps the loop long."""

    async def clients(port: int) -> None:
        began = perf_counter()
        asked = (ask(port, "POST", "/", f"message-{n}".encode()) for n in range(CLIENTS))
        answers = await asyncio.gather(*asked)
        took_s = perf_counter() - began
        assert answers == [
            (b"HTTP/1.1 200 OK", b'{"MessageId": "id-of-message-%d"}' % n) for n in range(CLIENTS)
        ]
        stats = json.loads((await ask(port, "GET", "/stats"))[1])
        print(f"{CLIENTS} requests in {took_s:.2f} s; {stats}")  # noqa: T201 - seen with -s
        assert stats["visits"]["longest_cpu_s"] <= LONGEST_VISIT_CPU_S
        (host,) = stats["hosts"]
        assert host["slots"]["leases_total"] == CLIENTS
        assert host["slots"]["leased_num"] == 0

    with http_server(sqs_with_latency) as sqs, web_app(f"http://127.0.0.1:{sqs.port}/1/q") as port:
        asyncio.run(asyncio.wait_for(clients(port), 2 * BOUND_S))
        assert len(sqs.requests) == CLIENTS
        assert 1 < sqs.connections_total <= SLOTS
