"""A long soak in miniature: many requests on a server that breaks off, and nothing piles up.

    python bench/soak.py                     # 200,000 requests, some minutes
    python bench/soak.py --quick             # 10,000, under half a minute
    python bench/soak.py --tls               # the same over TLS
    python bench/soak.py --requests 1000000 --seed 7

The claim: after 200,000 requests with faults injected, resident memory, greenlets, handles and
sockets are flat, and the collector finds no object of the pool in a cycle.

The server, a process of its own, cuts connections before and after a request, resets them, answers
500 and 503, half a body, late, and closes connections that are idle. The client is 64 workers over
16 slots: boto's GET, PUT and POST with bodies, each in a new greenlet, some with a deadline, some
cancelled, some dropped with their answer half read. Each line of the table is a moment under way;
`outcomes` counts since the start, and "wrong" would be an answer with another one's body.

Exit status 1, with the reasons, if a figure is not flat: resident memory over the last three
quarters grows by more than 10 %; at the end there are more descriptors or greenlets than at the
start, or a slot, a transfer or a spawned function is left; or garbage of the last twentieth, in
which the collector is off, has objects of the pool in it.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import certifi
import greenlet

from botod.pool import CurlClient, HeldKeys, Pool, Terms, on_terms, pooled, sleep, spawn_until
from botod.pool.spawned import live_num

import boto
import boto.connection
from boto.regioninfo import RegionInfo
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from boto.sqs.connection import SQSConnection

WORKERS = 64
SLOTS = 16
LINES = 20
"""Moments that are looked at; the last stretch is the one with the collector off."""

RSS_GROWTH_MAX = 1.10
BODY_BYTES_MAX = 200_000

FAULTS = {
    "cut before": 0.01,  # the connection ends at the request's first bytes
    "cut after": 0.01,  # it was read whole, no answer comes
    "reset before": 0.01,
    "reset after": 0.01,
    "half a head": 0.005,
    "half a body": 0.01,
    "reset in the body": 0.005,
    "500": 0.01,
    "503": 0.01,
    "late": 0.02,
    "cut when idle": 0.02,  # answered, then closed
}
LATE_S = (0.02, 0.2)


class Server(asyncio.Protocol):
    """One connection of the server. What it does to a request is drawn at its first bytes."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._data = bytearray()
        self._fate = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP has both directions"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None, "data before its connection"
        if not self._data:
            fates = [*FAULTS, "fine"]
            weights = [*FAULTS.values(), 1 - sum(FAULTS.values())]
            self._fate = self._draw.choices(fates, weights)[0]
        if self._fate in {"cut before", "reset before"}:
            self._end(self._fate)
            return
        self._data += data
        head, blank, body = bytes(self._data).partition(b"\r\n\r\n")
        if not blank or not _is_whole(head, body):
            return
        self._data.clear()
        late_s = self._draw.uniform(*LATE_S) if self._fate == "late" else 0.0
        asyncio.get_running_loop().call_later(late_s, self._answer, head, len(body))

    def _answer(self, head: bytes, body_bytes: int) -> None:
        assert self._transport is not None, "a request without its connection"
        if self._transport.is_closing():
            return
        fate = self._fate
        if fate in {"cut after", "reset after"}:
            self._end(fate)
            return
        method, target, _version = head.split(b"\r\n", 1)[0].split(b" ")
        status = int(fate) if fate.isdecimal() else 200
        body = _answer_body(method, target, body_bytes) if status == 200 else b"<Error/>"
        answer = b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        if fate == "half a head":
            answer = answer[:20]
        elif fate in {"half a body", "reset in the body"}:
            answer = answer[: len(answer) - len(body) // 2 - 1]
        self._transport.write(answer)
        if "half" in fate or "reset" in fate or "idle" in fate:
            self._end(fate)

    def _end(self, fate: str) -> None:
        assert self._transport is not None, "an end before the begin"
        if not fate.startswith("reset"):
            self._transport.close()
            return
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _is_whole(head: bytes, body: bytes) -> bool:
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    _before, _name, after = lower.partition(b"\r\ncontent-length:")
    return len(body) >= int(after.split(b"\r\n", 1)[0] or 0)


def _answer_body(method: bytes, target: bytes, body_bytes: int) -> bytes:
    """GET /bucket/NUMBER-SIZE: the number again and again; else the request's length, in chunks."""
    if method != b"GET":
        return b"%d" % body_bytes
    number, size = target.rpartition(b"/")[2].split(b"-")
    return expected(int(number), int(size))


def expected(number: int, size: int) -> bytes:
    """The object of this name: nobody else's answer looks like it."""
    unit = b"%d." % number
    return (unit * (size // len(unit) + 1))[:size]


def serve(seed: int, *, tls: bool) -> None:
    """Be the server: print port and authority, and go on to the end of the input."""
    draw = random.Random(seed)
    ca_file, context = certifi.where(), None
    with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
        if tls:
            import trustme

            authority = trustme.CA()
            ca_file = f"{folder}/ca.pem"
            authority.cert_pem.write_to_path(ca_file)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _loop, _context: None)  # what it breaks itself
            server = await loop.create_server(
                lambda: Server(draw), "127.0.0.1", 0, ssl=context, backlog=1024
            )
            port = server.sockets[0].getsockname()[1]
            print(json.dumps({"port": port, "ca_file": ca_file}), flush=True)
            await loop.run_in_executor(None, sys.stdin.read)
            server.close()

        asyncio.run(main())


class Running(NamedTuple):
    """Where the server is."""

    port: int
    ca_file: str


@contextlib.contextmanager
def running_server(seed: int, *, tls: bool) -> Iterator[Running]:
    """Serve for the length of a block."""
    command = [sys.executable, __file__, "--serve", "--seed", str(seed), *["--tls"] * tls]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None, "a pipe was asked for"
    try:
        yield Running(**json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)
        process.communicate()


class Load:
    """What the workers do, drawn from one seed, and what it came to."""

    def __init__(self, pool: Pool, server: Running, draw: random.Random, *, tls: bool) -> None:
        whom: dict[str, Any] = {
            "pool": pool,
            "keys": HeldKeys("access", "secret"),
            "port": server.port,
            "is_secure": tls,
        }

        class SigV4(pooled(S3Connection)):  # type: ignore[misc]
            def _required_auth_capability(self) -> list[str]:
                return ["hmac-v4-s3"]

        self._s3: Any = SigV4(host="127.0.0.1", calling_format=OrdinaryCallingFormat(), **whom)
        region = RegionInfo(name="us-east-1", endpoint="127.0.0.1")
        self._sqs: Any = pooled(SQSConnection)(region=region, **whom)
        self._draw = draw
        self.outcomes: Counter[str] = Counter()
        self.done = 0

    async def run(self, number: int) -> None:
        """So many requests, by all workers together."""
        self._end = self.done + number
        async with asyncio.TaskGroup() as workers:
            for worker in range(WORKERS):
                workers.create_task(self._work(worker))

    async def _work(self, worker: int) -> None:
        loop, draw = asyncio.get_running_loop(), self._draw
        while self.done < self._end:
            self.done += 1
            job = draw.choices(
                (self._get, self._get_and_drop, self._put, self._put_in_pieces, self._send),
                (40, 10, 20, 10, 20),
            )[0]
            idempotent = job != self._send and draw.random() < 0.5
            deadline = loop.time() + draw.uniform(0, 0.1) if draw.random() < 0.1 else None
            with on_terms(Terms(key=worker % 8, idempotent=idempotent)):
                asked = spawn_until(deadline, job, self.done)
            cancel = None
            if draw.random() < 0.1:
                cancel = loop.call_later(draw.uniform(0, 0.02), asked.cancel)
            await asyncio.wait([asked])
            if cancel is not None:
                cancel.cancel()
            self.outcomes[_outcome(asked)] += 1

    def _size(self) -> int:
        return int(BODY_BYTES_MAX ** self._draw.random())  # mostly small

    def _get(self, number: int) -> str:
        size = self._size()
        answer = self._s3.make_request("GET", "bucket", f"{number}-{size}")
        body = answer.read()
        if answer.status != 200:
            return str(answer.status)
        return "fine" if body == expected(number, size) else "wrong"

    def _get_and_drop(self, number: int) -> str:
        answer = self._s3.make_request("GET", "bucket", f"{number}-{BODY_BYTES_MAX}")
        answer.read(10)
        return "dropped"

    def _put(self, _number: int) -> str:
        body = b"x" * self._size()
        answer = self._s3.make_request("PUT", "bucket", "k", data=body)
        return "fine" if answer.read() == b"%d" % len(body) else "wrong"

    def _put_in_pieces(self, _number: int) -> str:
        pieces = [b"y" * (self._size() // 4 + 1) for _ in range(4)]
        total = b"%d" % sum(map(len, pieces))

        def sender(http: Any, method: str, path: str, _data: Any, headers: Any) -> Any:
            http.putrequest(method, path)
            for name, value in headers.items():
                if name.lower() != "content-length":
                    http.putheader(name, value)
            http.putheader("Content-Length", total.decode())
            http.endheaders()
            for piece in pieces:
                http.send(piece)
                sleep(0.0005)
            return http.getresponse()

        answer = self._s3.make_request("PUT", "bucket", "k", sender=sender)
        return "fine" if answer.read() == total else "wrong"

    def _send(self, number: int) -> str:
        message = {"MessageBody": f"message {number}", "DelaySeconds": "0"}
        answer = self._sqs.make_request("SendMessage", message, "/1/q", "POST")
        return "fine" if answer.read().isdigit() else "wrong"


def _outcome(asked: "asyncio.Future[str]") -> str:
    if asked.cancelled():
        return "cancelled"
    error = asked.exception()
    return asked.result() if error is None else type(error).__name__


class Figures(NamedTuple):
    """What must not grow."""

    rss_mb: float
    greenlets: int
    handles: int
    descriptors: int
    leased: int


def look(pool: Pool | None) -> Figures:
    """The figures of this moment; without a pool, of the process alone."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    handles = leased = 0
    if pool is not None:
        handles = len(pool.client._idle) + len(pool.client._carrying)
        leased = sum(host.slots.leased_num for host in pool.stats())
    return Figures(
        pages * resource.getpagesize() / 2**20,
        sum(isinstance(known, greenlet.greenlet) for known in gc.get_objects()),
        handles,
        sum(1 for _entry in os.scandir("/proc/self/fd")),
        leased,
    )


class NoPatience:
    """`random` as boto's retry loop sees it: hardly a sleep between tries."""

    @staticmethod
    def random() -> float:
        return 0.001


async def soak(number: int, server: Running, seed: int, *, tls: bool) -> list[str]:
    """Print the table, and return what is not as claimed."""
    greenlet.getcurrent()  # the loop's own, which is an object from now on
    start = look(None)
    print(f"{'requests':>9}{'RSS MB':>8}{'greenlets':>11}{'handles':>9}{'fds':>6}{'leased':>8}"
          "  outcomes so far")  # fmt: skip
    client = CurlClient(force_instance=True, ca_file=server.ca_file)
    pool = Pool(client, slots_per_host=SLOTS, max_waiting=WORKERS, slot_timeout_s=10)
    load = Load(pool, server, random.Random(seed + 1), tls=tls)
    seen: list[Figures] = []

    async def show() -> None:
        stretch = max(1, number // LINES)
        while True:
            await asyncio.sleep(0.005)
            if load.done >= stretch * (len(seen) + 1):
                seen.append(look(pool))
                row(load, seen[-1])

    began = time.monotonic()
    showing = asyncio.create_task(show())
    await load.run(number - number // LINES)
    gc.collect()
    gc.disable()
    await load.run(number // LINES)
    took_s = time.monotonic() - began
    showing.cancel()
    await asyncio.wait([showing])
    for _ in range(3):  # what a callback of this turn began ends in the next ones
        await asyncio.sleep(0)
    wrong = garbage()
    gc.enable()
    end = look(pool)
    row(load, end)
    left = {
        "slots": end.leased + sum(host.slots.waiting_num for host in pool.stats()),
        "transfers": client.running_num(),
        "spawned functions": live_num(),
        "greenlets": end.greenlets - start.greenlets,
        "handles, of more than there are slots,": end.handles - SLOTS,
    }
    sockets = pool.stats()[0].sockets
    pool.close()
    for _ in range(50):
        if look(None).descriptors <= start.descriptors:
            break
        await asyncio.sleep(0.02)
    left["descriptors"] = look(None).descriptors - start.descriptors
    print(f"{number / took_s:.0f} requests a second; sockets opened: {sockets.opened_total}, "
          f"used again: {sockets.reused_total} times; left at the end: {left}")  # fmt: skip
    wrong += [f"{number} {what} are left" for what, number in left.items() if number > 0]
    if load.outcomes["wrong"]:
        wrong.append(f"{load.outcomes['wrong']} answers were another request's")
    quarter = seen[len(seen) // 4 - 1].rss_mb
    if end.rss_mb > quarter * RSS_GROWTH_MAX:
        wrong.append(f"resident memory grew from {quarter:.1f} MB at a quarter to {end.rss_mb:.1f}")
    return wrong


def garbage() -> list[str]:
    """What of the pool is in cycles, of what was thrown away since the last collection."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds: Counter[str] = Counter()
    for found in gc.garbage:
        kinds[f"{type(found).__module__}.{type(found).__qualname__}"] += 1
    gc.garbage.clear()
    gc.collect()  # what is left after this is held by somebody
    ours = {kind: count for kind, count in kinds.items() if kind.startswith("botod.pool")}
    print(f"garbage with the collector off: {kinds.total()} objects, {dict(kinds.most_common(6))}")
    return [f"in cycles: {ours}"] if ours else []


def row(load: Load, now: Figures) -> None:
    """A line of the table."""
    outcomes = ", ".join(f"{kind} {count}" for kind, count in load.outcomes.most_common())
    print(f"{load.done:>9}{now.rss_mb:>8.1f}{now.greenlets:>11}{now.handles:>9}"
          f"{now.descriptors:>6}{now.leased:>8}  {outcomes}")  # fmt: skip


def main() -> None:
    """Soak, or be the server."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="10,000 requests")
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.seed, tls=arguments.tls)
        return
    number = 10_000 if arguments.quick else arguments.requests
    boto.connection.random = NoPatience
    if not boto.config.has_section("Boto"):
        boto.config.add_section("Boto")
    boto.config.set("Boto", "num_retries", "2")
    with running_server(arguments.seed, tls=arguments.tls) as server:
        wrong = asyncio.run(soak(number, server, arguments.seed, tls=arguments.tls))
    for words in wrong:
        print("NOT FLAT:", words)
    print("not as claimed" if wrong else "flat")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
