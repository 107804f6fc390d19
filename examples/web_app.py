# ruff: noqa: I001, INP001, T201 - a program of its own, which talks to a terminal
"""A Tornado application whose handler sends an SQS message, in blocking style.

    python examples/web_app.py --queue http://localhost:9324/queue/demo --slots 64
    curl -d 'a message' http://localhost:8888/
    curl http://localhost:8888/stats

While a handler waits for SQS, the one loop serves the others. Credentials come from
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
"""

import argparse
import asyncio
import gc
import os
import resource
from dataclasses import asdict
from urllib.parse import urlsplit

# Before boto, which does not import by itself on Python 3.12 and newer.
from botod.pool import CurlClient, HeldKeys, Pool, pooled, visit_stats
from botod.pool.web import blocking_style

import certifi
from boto.regioninfo import RegionInfo
from boto.sqs.connection import SQSConnection
from boto.sqs.message import RawMessage
from boto.sqs.queue import Queue
from tornado.web import Application, RequestHandler

WAITING_MAX = 10_000

GC_THRESHOLDS = (10_000, 50, 100)
"""A full run of the collector takes 40 ms with 1,000 requests under way: let it be rare."""


class Send(RequestHandler):
    """POST a text: it becomes a message."""

    def initialize(self, queue: Queue) -> None:
        self.queue = queue

    @blocking_style
    def post(self) -> None:
        message = RawMessage(body=self.request.body.decode())
        self.queue.write(message)
        self.write({"MessageId": message.id})


class Stats(RequestHandler):
    """GET what the loop and the pool went through."""

    def initialize(self, pool: Pool) -> None:
        self.pool = pool

    def get(self) -> None:
        hosts = [asdict(host) for host in self.pool.stats()]
        self.write({"visits": asdict(visit_stats()), "hosts": hosts})


def queue_over(pool: Pool, url: str) -> Queue:
    """boto's Queue, its connection over the pool."""
    where = urlsplit(url)
    is_secure = where.scheme == "https"
    keys = HeldKeys(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    connection = pooled(SQSConnection)(
        pool=pool,
        keys=keys,
        region=RegionInfo(name=os.environ.get("AWS_REGION", "us-east-1"), endpoint=where.hostname),
        port=where.port or (443 if is_secure else 80),
        is_secure=is_secure,
    )
    return Queue(connection, url)


async def serve(*, queue_url: str, port: int, slots: int) -> None:
    """Serve until cancelled."""
    client = CurlClient(force_instance=True, ca_file=certifi.where())
    pool = Pool(client, slots_per_host=slots, max_waiting=WAITING_MAX, slot_timeout_s=60.0)
    application = Application([
        ("/", Send, {"queue": queue_over(pool, queue_url)}),
        ("/stats", Stats, {"pool": pool}),
    ])
    server = application.listen(port, "127.0.0.1", backlog=WAITING_MAX)
    (sock,) = server._sockets.values()  # noqa: SLF001 - to tell the port that was free
    print(f"listening on http://127.0.0.1:{sock.getsockname()[1]}/", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        pool.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue", required=True, help="URL of the queue")
    parser.add_argument("--port", type=int, default=8888, help="0: any that is free")
    parser.add_argument("--slots", type=int, default=64, help="requests to SQS at once")
    given = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each client is a descriptor
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    asyncio.run(serve(queue_url=given.queue, port=given.port, slots=given.slots))


if __name__ == "__main__":
    main()
