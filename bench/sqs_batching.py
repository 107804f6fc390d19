"""Messages to SQS with transparent batching and without, from one caller and from 200.

    python bench/sqs_batching.py            # five rounds of three seconds each, two minutes
    python bench/sqs_batching.py --quick    # one round of one second each

The claim: from 200 callers batching sends more messages a second than one request each does, with a
fifth of the requests or fewer; from one caller it costs nothing, as nothing is gathered.

A process of its own on the other core answers every request of SQS's query protocol alike, at once
or after 10 ms, as SQS does. The callers are requests in flight on one connection: who is answered
asks again at once. All variants take turns, round by round; medians are shown.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from daemon import STARTED_WITHIN_S, Client, Daemon

DELAYS_S = (0.0, 0.010)
CALLERS = (1, 200)
FEWER = 5
ENTRY = re.compile(rb"SendMessageBatchRequestEntry\.\d+\.Id=(\d+)")
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
MESSAGE = {"QueueUrl": "http://sqs/1/bench", "MessageBody": "x" * 256}


class Variant(NamedTuple):
    """What is measured beside the others."""

    callers: int
    delay_s: float
    batch: bool


class Figures(NamedTuple):
    """What came of one round."""

    messages_s: float
    requests_a_message: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


class Server(asyncio.Protocol):
    """One connection to a server whose answer is always the same, but for the entries' ids."""

    requests_num = 0
    delay_s = 0.0

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self.buffer, 0, end + 2)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            Server.requests_num += 1
            if Server.delay_s:
                loop = asyncio.get_running_loop()
                loop.call_later(Server.delay_s, self.transport.write, answer_to(body))
            else:
                self.transport.write(answer_to(body))


def answer_to(body: bytes) -> bytes:
    """What SQS would say, without digests."""
    action, inside = b"SendMessage", b"<MessageId>m</MessageId>"
    if ids := ENTRY.findall(body):
        action, entry = b"SendMessageBatch", b"SendMessageBatchResultEntry"
        inside = b"".join(
            b"<%b><Id>%b</Id><MessageId>m</MessageId></%b>" % (entry, name, entry) for name in ids
        )
    document = b"<%bResponse><%bResult>%b</%bResult></%bResponse>" % (
        action, action, inside, action, action
    )  # fmt: skip
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(document), document)


def serve(pipe: Connection) -> None:
    """Serve until killed; tell the port, then for each delay that comes how many requests came."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Server, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])

        def told() -> None:
            Server.delay_s = pipe.recv()
            pipe.send(Server.requests_num)

        loop.add_reader(pipe.fileno(), told)
        await server.serve_forever()

    asyncio.run(main())


@contextlib.contextmanager
def running_daemon(port: int) -> Iterator[Daemon]:
    """A daemon whose SQS is on that port, without a log line a job, on the first core."""
    with tempfile.TemporaryDirectory(prefix="botod-", dir="/tmp") as folder:
        path, config = f"{folder}/botod.sock", Path(folder, "botod.toml")
        config.write_text(
            f'[daemon]\nsocket = "{path}"\nlog_level = "warning"\n'
            f'[profile.default]\nendpoints = {{ sqs = "http://127.0.0.1:{port}" }}\n'
        )
        keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
        command = [sys.executable, "-m", "botod.daemon.cli", "run", "--config", str(config)]
        process = subprocess.Popen(command, env={**os.environ, **keys})
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        try:
            deadline = time.monotonic() + STARTED_WITHIN_S
            while not _listens(path):
                assert process.poll() is None, "the daemon ended"
                assert time.monotonic() < deadline, "the daemon does not listen"
                time.sleep(0.01)
            yield Daemon(process.pid, path)
        finally:
            process.terminate()
            process.wait()


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def drive(client: Client, variant: Variant, seconds: float) -> list[float]:
    """Keep so many requests in flight for so long; what each took, in milliseconds."""
    began: dict[int, float] = {}
    took: list[float] = []
    envelope = {"jsonrpc": "2.0", "method": "sqs.send_message", "params": MESSAGE}

    def ask(number: int) -> None:
        began[number] = time.perf_counter()
        request = {**envelope, "id": number, "batch": variant.batch}
        client.socket.sendall(json.dumps(request).encode() + b"\n")

    ends = time.perf_counter() + seconds
    for number in range(variant.callers):
        ask(number)
    while began:
        answer = client.read()
        assert "result" in answer, answer
        now = time.perf_counter()
        took.append((now - began.pop(answer["id"])) * 1000)
        if now < ends:
            ask(answer["id"])
    return took


def measured(daemon: Daemon, pipe: Connection, variant: Variant, seconds: float) -> Figures:
    """One round of a variant."""
    pipe.send(variant.delay_s)
    before, cpu_s, began = pipe.recv(), daemon.cpu_s(), time.perf_counter()
    took = sorted(drive(daemon.connect(), variant, seconds))
    spent_s, cpu_s = time.perf_counter() - began, daemon.cpu_s() - cpu_s
    pipe.send(variant.delay_s)
    requests = pipe.recv() - before
    number = len(took)
    return Figures(
        number / spent_s,
        requests / number,
        cpu_s / number * 1e6,
        took[number // 2],
        took[number * 99 // 100],
    )


def medians(rounds: list[Figures]) -> Figures:
    """Each figure's own."""
    return Figures(*(statistics.median(column) for column in zip(*rounds, strict=True)))


def main() -> int:
    """Print a row for each variant; 1 if the claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    quick = parser.parse_args().quick
    rounds, seconds = (1, 1.0) if quick else (5, 3.0)
    pipe, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    variants = [
        Variant(callers, delay_s, batch)
        for callers in CALLERS
        for delay_s in DELAYS_S
        for batch in (False, True)
    ]
    results: dict[Variant, list[Figures]] = {variant: [] for variant in variants}
    with running_daemon(pipe.recv()) as daemon:
        for _ in range(rounds):
            for variant in variants:
                results[variant].append(measured(daemon, pipe, variant, seconds))
    server.terminate()
    print("callers  answer  batching  messages/s  requests/message  CPU us/message  p50 ms  p99 ms")
    for variant, figures in results.items():
        shown = medians(figures)
        print(
            f"{variant.callers:7}  {variant.delay_s * 1000:3.0f} ms  "
            f"{'on' if variant.batch else 'off':>8}  {shown.messages_s:10.0f}  "
            f"{shown.requests_a_message:16.3f}  {shown.cpu_us:14.1f}  "
            f"{shown.p50_ms:6.2f}  {shown.p99_ms:6.2f}"
        )
    return 0 if all(_holds(results, delay_s) for delay_s in DELAYS_S) else 1


def _holds(results: dict[Variant, list[Figures]], delay_s: float) -> bool:
    """Whether the claim does, for servers that take so long."""
    off, on = (medians(results[Variant(max(CALLERS), delay_s, batch)]) for batch in (False, True))
    lone = medians(results[Variant(1, delay_s, True)])
    fewer = on.requests_a_message * FEWER <= off.requests_a_message
    return on.messages_s > off.messages_s and fewer and lone.requests_a_message == 1.0


if __name__ == "__main__":
    sys.exit(main())
