"""Thousands of requests in flight at once, and the memory each takes while it waits.

    python bench/in_flight.py            # 5,000 on plain HTTP and 1,000 on TLS, about 30 s
    python bench/in_flight.py --quick    # 1,000 and 200, about 20 s

The claim: with 5,000 requests in flight on a server that answers after 2 s all succeed, and each
takes at most 20 KiB of resident memory on plain HTTP, at most 115 KiB on TLS, and 16 KiB more if it
has a body: curl sends from a buffer of 16 KiB, the least it takes. Exit status 1 if not.

Each request is one of boto's in a greenlet of its own, on a connection of its own: S3's GET, and
SQS's SendMessage, for which curl has a body to send. Server and client are processes of their own.
Memory is /proc/self/statm, before and at its highest meanwhile; what the kernel keeps for a socket
is not in it.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import resource
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ANSWER_AFTER_S = 2.0
SPARE_DESCRIPTORS = 100
SAMPLE_S = 0.02
AT_MOST_KIB = {"plain": 20.0, "tls": 115.0}
BUFFER_KIB = 16.0
REQUESTS = ("get", "send")

MESSAGE = {"MessageBody": "This is a test message", "DelaySeconds": "0"}
BODY = b"<SendMessageResponse><MessageId>5fea7756</MessageId></SendMessageResponse>"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Seen:
    """What the server has seen."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.in_flight = 0
        self.in_flight_most = 0


class Server(asyncio.Protocol):
    """One connection of the server: answers each request after 2 s, and keeps alive."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP has both directions"
        self._transport = transport
        self._seen.connections += 1

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, blank, body = self._data.partition(b"\r\n\r\n")
        if not blank or len(body) < _content_length(head):
            return
        self._data = b""
        self._seen.requests += 1
        self._seen.in_flight += 1
        self._seen.in_flight_most = max(self._seen.in_flight, self._seen.in_flight_most)
        asyncio.get_running_loop().call_later(ANSWER_AFTER_S, self._answer)

    def _answer(self) -> None:
        self._seen.in_flight -= 1
        assert self._transport is not None, "a request before its connection"
        self._transport.write(ANSWER)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _colon, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def serve(kind: str) -> None:
    """Be the server: print port and authority, and at the end of the input what was seen."""
    seen = Seen()
    ca_file, context = "", None
    with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
        if kind == "tls":
            import trustme

            authority = trustme.CA()
            ca_file = f"{folder}/ca.pem"
            authority.cert_pem.write_to_path(ca_file)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(
                lambda: Server(seen), "127.0.0.1", 0, ssl=context, backlog=4096
            )
            port = server.sockets[0].getsockname()[1]
            print(json.dumps({"port": port, "ca_file": ca_file}), flush=True)
            await loop.run_in_executor(None, sys.stdin.read)
            server.close()

        asyncio.run(main())
    print(json.dumps(vars(seen)), flush=True)


def request_all(kind: str, request: str, number: int, port: int, ca_file: str) -> None:
    """Be the client: print how it went."""
    import certifi

    from botod.pool import CurlClient, HeldKeys, Pool, pooled, spawn

    from boto.regioninfo import RegionInfo
    from boto.s3.connection import OrdinaryCallingFormat, S3Connection
    from boto.sqs.connection import SQSConnection

    class SigV4(pooled(S3Connection)):  # type: ignore[misc]
        def _required_auth_capability(self) -> list[str]:
            return ["hmac-v4-s3"]

    growth_most_kib = 0.0

    async def watch(before_kib: float) -> None:
        nonlocal growth_most_kib
        while True:
            growth_most_kib = max(growth_most_kib, rss_kib() - before_kib)
            await asyncio.sleep(SAMPLE_S)

    async def main() -> None:
        client = CurlClient(
            force_instance=True, ca_file=ca_file or certifi.where(), connect_timeout_s=60
        )
        pool = Pool(client, slots_per_host=number, max_waiting=1, slot_timeout_s=60)
        whom: dict[str, Any] = {
            "pool": pool,
            "keys": HeldKeys("access", "secret"),
            "port": port,
            "is_secure": kind == "tls",
        }
        region = RegionInfo(name="us-east-1", endpoint="127.0.0.1")
        sqs = pooled(SQSConnection)(region=region, **whom)
        s3 = SigV4(host="127.0.0.1", calling_format=OrdinaryCallingFormat(), **whom)

        def ask() -> bool:
            if request == "get":
                answer = s3.make_request("GET", "bucket", "k")
            else:
                answer = sqs.make_request("SendMessage", dict(MESSAGE), "/1/q", "POST")
            return bool(answer.status == 200 and answer.read() == BODY)

        assert await spawn(ask), "the first request, which loads what all need"
        gc.collect()
        before_kib, cpu_before_s = rss_kib(), cpu_s()
        watcher = asyncio.create_task(watch(before_kib))
        outcomes = await asyncio.gather(
            *(spawn(ask) for _ in range(number)), return_exceptions=True
        )
        watcher.cancel()
        failed = [outcome for outcome in outcomes if outcome is not True]
        stats = pool.stats()[0]
        print(
            json.dumps({
                "succeeded": number - len(failed),
                "first_failure": repr(failed[0]) if failed else "",
                "kib_each": growth_most_kib / number,
                "connections": stats.sockets.opened_total,
                "cpu_us": (cpu_s() - cpu_before_s) / number * 1e6,
            })
        )
        pool.close()

    asyncio.run(main())


def rss_kib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


def cpu_s() -> float:
    """What this process has used so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Running(NamedTuple):
    """The server's process, and where it is."""

    process: "subprocess.Popen[str]"
    port: int
    ca_file: str

    def seen(self) -> dict[str, int]:
        """Stop it, and say what it has seen."""
        output, _errors = self.process.communicate("", timeout=30)
        figures: dict[str, int] = json.loads(output)
        return figures


@contextlib.contextmanager
def running_server(kind: str) -> Iterator[Running]:
    """Serve for the length of a block."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None, "a pipe was asked for"
    try:
        yield Running(process, **json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)


def raise_descriptor_limit(number: int) -> int:
    """Allow this process and its children `number` connections; how many it could get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + SPARE_DESCRIPTORS
    if resource.RLIM_INFINITY in (soft, hard):
        hard = wanted
    if os.geteuid() == 0:  # root may raise the hard limit as well
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
            return number
    allowed = min(wanted, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed - SPARE_DESCRIPTORS


def measure(kind: str, request: str, wanted: int) -> bool:
    """One row of the table; whether it is as claimed."""
    number = min(wanted, raise_descriptor_limit(wanted))
    if number < wanted:
        print(f"not enough descriptors for {wanted} (RLIMIT_NOFILE): {number} instead")
    with running_server(kind) as server:
        command = [sys.executable, __file__, "--client", kind,
                   "--request", request, "--number", str(number),
                   "--port", str(server.port), "--ca-file", server.ca_file]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300)
        client, seen = json.loads(done.stdout), server.seen()
    at_most = AT_MOST_KIB[kind] + (BUFFER_KIB if request == "send" else 0)
    print(
        f"{kind:<6}{request:<5}{number:>9}{client['succeeded']:>11}{seen['in_flight_most']:>10}"
        f"{client['kib_each']:>9.1f}{at_most:>9.0f}{client['connections']:>8}"
        f"{client['cpu_us']:>9.0f}  {client['first_failure']}"
    )
    return (
        client["succeeded"] == number == wanted
        and seen["in_flight_most"] == number
        and client["kib_each"] <= at_most
    )


def main() -> None:
    """Measure, or be one of the two ends."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer in flight")
    parser.add_argument("--serve", choices=AT_MOST_KIB, help=argparse.SUPPRESS)
    parser.add_argument("--client", choices=AT_MOST_KIB, help=argparse.SUPPRESS)
    parser.add_argument("--request", choices=REQUESTS, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ca-file", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    if arguments.client:
        request_all(arguments.client, arguments.request, arguments.number, arguments.port,
                    arguments.ca_file)  # fmt: skip
        return
    print(
        f"{'':<11}{'requests':>9}{'succeeded':>11}{'at once':>10}{'KiB each':>9}{'at most':>9}"
        f"{'conns':>8}{'CPU us':>9}"
    )
    numbers = {"plain": 1000, "tls": 200} if arguments.quick else {"plain": 5000, "tls": 1000}
    good = [
        measure(kind, request, number) for kind, number in numbers.items() for request in REQUESTS
    ]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
