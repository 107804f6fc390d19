"""GET of 1 KiB and SQS SendMessage over TLS, 64 in flight: ours beside what a user would pick.

    python bench/hot_path.py            # five rounds of each, some minutes
    python bench/hot_path.py --quick    # two short ones, under three minutes

Every peer runs in a process of its own, all in turn, round by round, against one nginx. CPU is user
and system time of the peer's process a request, without its start; it is steadier than requests a
second. Figures are medians over the rounds. They do not carry to another machine: compare rows.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

IN_FLIGHT = 64
THREADS = 16
WARM_UP = 200
MESSAGE = {"MessageBody": "This is a test message", "DelaySeconds": "0"}

Ask = Callable[[], Any]


class Times:
    """How long each request took, and what the process used meanwhile."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.number = number
        self.took_s: list[float] = []

    def one(self, ask: Ask) -> None:
        began = time.perf_counter()
        ask()
        self.took_s.append(time.perf_counter() - began)

    def take(self) -> bool:
        """Whether there is one more to do."""
        self.left -= 1
        return self.left >= 0


def cpu_s() -> float:
    """What this process has used so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def boto_request(kind: str, connection: Any) -> Ask:
    """One request by boto's own means, as all peers that use boto do it."""
    if kind == "get":
        return lambda: connection.make_request("GET", "bucket", "k").read()
    return lambda: connection.make_request("SendMessage", dict(MESSAGE), "/1/q", "POST").read()


def stock_connection(kind: str, port: int, ca_file: str) -> Any:
    """boto's own connection, verifying against the benchmark's authority."""
    import os

    import boto
    from boto.regioninfo import RegionInfo
    from boto.s3.connection import OrdinaryCallingFormat, S3Connection
    from boto.sqs.connection import SQSConnection

    os.environ["SSL_CERT_FILE"] = ca_file  # S3's switch, see https_connection.py
    if not boto.config.has_section("Boto"):
        boto.config.add_section("Boto")
    boto.config.set("Boto", "ca_certificates_file", ca_file)
    if kind == "get":
        connection = S3Connection("access", "secret", host="localhost", port=port,
                                  calling_format=OrdinaryCallingFormat())  # fmt: skip
        connection._required_auth_capability = lambda: ["hmac-v4-s3"]
        from boto import auth

        connection._auth_handler = auth.get_auth_handler(
            "localhost", boto.config, connection.provider, ["hmac-v4-s3"]
        )
        connection.auth_region_name = "us-east-1"
        return connection
    region = RegionInfo(name="us-east-1", endpoint="localhost")
    return SQSConnection("access", "secret", region=region, port=port)


def by_threads(kind: str, port: int, ca_file: str, number: int) -> Times:
    """Stock boto in threads, a connection of boto's each."""
    times = Times(number)

    def work(count: int, into: Times) -> None:
        ask = boto_request(kind, stock_connection(kind, port, ca_file))
        for _ in range(WARM_UP // THREADS):
            ask()
        barrier.append(1)
        while len(barrier) <= THREADS:  # the main thread opens it
            time.sleep(0.001)
        for _ in range(count):
            into.one(ask)

    barrier: list[int] = []
    with ThreadPoolExecutor(THREADS) as threads:
        jobs = [threads.submit(work, number // THREADS, times) for _ in range(THREADS)]
        while len(barrier) < THREADS:
            time.sleep(0.001)
        begin(times)
        barrier.append(1)
        for job in jobs:
            job.result()
    return times


def by_gevent(kind: str, port: int, ca_file: str, number: int) -> Times:
    """Stock boto over gevent's sockets."""
    from gevent import monkey

    monkey.patch_all()
    import gevent

    times = Times(number)

    def run(count: int, into: Times | None) -> None:
        ask = boto_request(kind, connections.pop())
        for _ in range(count):
            ask() if into is None else into.one(ask)
        connections.append(ask.__closure__[0].cell_contents)  # type: ignore[index]

    connections = [stock_connection(kind, port, ca_file) for _ in range(IN_FLIGHT)]
    gevent.joinall([gevent.spawn(run, WARM_UP // IN_FLIGHT + 1, None) for _ in range(IN_FLIGHT)],
                   raise_error=True)  # fmt: skip
    begin(times)
    gevent.joinall([gevent.spawn(run, number // IN_FLIGHT, times) for _ in range(IN_FLIGHT)],
                   raise_error=True)  # fmt: skip
    return times


def by_tornado(kind: str, port: int, ca_file: str, number: int) -> Times:
    """Stock CurlAsyncHTTPClient, nothing signed."""
    from urllib.parse import urlencode

    from tornado.curl_httpclient import CurlAsyncHTTPClient
    from tornado.httpclient import HTTPRequest

    url = f"https://localhost:{port}" + ("/bucket/k" if kind == "get" else "/1/q")
    options: dict[str, Any] = {"ca_certs": ca_file}
    if kind == "send":
        options |= {"method": "POST", "body": urlencode(MESSAGE | {"Action": "SendMessage"})}
    times = Times(number)

    async def main() -> None:
        client = CurlAsyncHTTPClient(force_instance=True, max_clients=IN_FLIGHT)

        async def work(left: Times, *, record: bool) -> None:
            while left.take():
                began = time.perf_counter()
                await client.fetch(HTTPRequest(url, **options))
                if record:
                    times.took_s.append(time.perf_counter() - began)

        warm = Times(WARM_UP)
        await asyncio.gather(*(work(warm, record=False) for _ in range(IN_FLIGHT)))
        begin(times)
        await asyncio.gather(*(work(times, record=True) for _ in range(IN_FLIGHT)))
        client.close()

    asyncio.run(main())
    return times


def by_botod(kind: str, port: int, ca_file: str, number: int) -> Times:
    """boto in greenlets over botod.pool."""
    from botod.pool import CurlClient, HeldKeys, Pool, pooled, spawn

    times = Times(number)

    def connect(pool: Any) -> Any:
        from boto.regioninfo import RegionInfo
        from boto.s3.connection import OrdinaryCallingFormat, S3Connection
        from boto.sqs.connection import SQSConnection

        keys = HeldKeys("access", "secret")
        if kind == "send":
            region = RegionInfo(name="us-east-1", endpoint="localhost")
            return pooled(SQSConnection)(pool=pool, keys=keys, region=region, port=port)

        class SigV4(pooled(S3Connection)):  # type: ignore[misc]
            def _required_auth_capability(self) -> list[str]:
                return ["hmac-v4-s3"]

        return SigV4(pool=pool, keys=keys, host="localhost", port=port,
                     calling_format=OrdinaryCallingFormat())  # fmt: skip

    async def main() -> None:
        client = CurlClient(force_instance=True, ca_file=ca_file)
        pool = Pool(client, slots_per_host=IN_FLIGHT, max_waiting=100, slot_timeout_s=60)
        ask = boto_request(kind, connect(pool))

        def work(left: Times, record: bool) -> None:
            while left.take():
                times.one(ask) if record else ask()

        warm = Times(WARM_UP)
        await asyncio.gather(*(spawn(work, warm, False) for _ in range(IN_FLIGHT)))
        begin(times)
        await asyncio.gather(*(spawn(work, times, True) for _ in range(IN_FLIGHT)))
        pool.close()

    asyncio.run(main())
    return times


PEERS: Mapping[str, tuple[str, Callable[[str, int, str, int], Times]]] = {
    "threads": (f"boto 2, {THREADS} threads", by_threads),
    "gevent": (f"gevent + boto 2, {IN_FLIGHT}", by_gevent),
    "tornado": ("CurlAsyncHTTPClient, nothing signed", by_tornado),
    "botod": (f"botod.pool + boto 2, {IN_FLIGHT}", by_botod),
}

_began: dict[str, float] = {}


def begin(_times: Times) -> None:
    """The warm-up is over."""
    _began.update(cpu=cpu_s(), wall=time.perf_counter())


def run_peer(name: str, kind: str, port: int, ca_file: str, number: int) -> None:
    """One round of one peer, in this process; prints its figures."""
    times = PEERS[name][1](kind, port, ca_file, number)
    done = len(times.took_s)
    wall_s, used_s = time.perf_counter() - _began["wall"], cpu_s() - _began["cpu"]
    took = sorted(times.took_s)
    print(
        json.dumps({
            "requests": done,
            "per_s": done / wall_s,
            "cpu_us": used_s / done * 1e6,
            "p50_ms": took[done // 2] * 1000,
            "p99_ms": took[done * 99 // 100] * 1000,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        })
    )


def measure(rounds: int, number: int) -> None:
    """All peers in turn, round by round; prints a table a kind of request."""
    from nginx import running_nginx

    with running_nginx() as server:
        for kind, words in (("get", "GET 1 KiB"), ("send", "SQS SendMessage")):
            results: dict[str, list[dict[str, float]]] = {name: [] for name in PEERS}
            for _ in range(rounds):
                for name in PEERS:
                    before = server.counts()
                    command = [sys.executable, __file__, "--peer", name, "--kind", kind,
                               "--port", str(server.port), "--ca-file", server.ca_file,
                               "--number", str(number)]  # fmt: skip
                    done = subprocess.run(
                        command, check=True, capture_output=True, text=True, timeout=300
                    )
                    figures = json.loads(done.stdout)
                    after = server.counts()
                    figures["connections"] = after.connections - before.connections - 1
                    figures["copies"] = after.requests - before.requests - 1
                    results[name].append(figures)
            table(words, results)


def table(words: str, results: Mapping[str, list[dict[str, float]]]) -> None:
    """The medians, and each peer's CPU as a multiple of ours."""
    names = ("per_s", "cpu_us", "p50_ms", "p99_ms", "rss_mb", "connections", "copies")
    heads = ("req/s", "CPU us", "p50 ms", "p99 ms", "RSS MB", "conns", "copies")
    print(f"\n{words:<38}" + "".join(f"{head:>9}" for head in heads) + "  CPU/ours")
    ours = statistics.median(figures["cpu_us"] for figures in results["botod"])
    for name, rounds in results.items():
        middle = {key: statistics.median(figures[key] for figures in rounds) for key in names}
        cells = "".join(f"{middle[key]:>9.{1 if middle[key] < 10 else 0}f}" for key in names)
        print(f"{PEERS[name][0]:<38}{cells}{middle['cpu_us'] / ours:>9.2f}x")


def main() -> None:
    """Measure, or be one of the measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ca-file", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=20_000, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        run_peer(arguments.peer, arguments.kind, arguments.port, arguments.ca_file,
                 arguments.number)  # fmt: skip
    elif arguments.quick:
        measure(rounds=2, number=6_400)
    else:
        measure(rounds=5, number=arguments.number)


if __name__ == "__main__":
    main()
