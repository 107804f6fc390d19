"""The lean client alone: a GET of 1 KiB over TLS that is written already, 64 in flight.

Beside it pycurl's CurlMulti without anything around it: what the client adds is the difference.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping

from nginx import Nginx, running_nginx

from botod.pool import spawn
from botod.pool.client import CurlClient
from botod.pool.origin import Origin
from botod.pool.request import Request
from botod.pool.transfer import Transfer
from load import by_pycurl
from load.task import Task

IN_FLIGHT = 64
CLIENT_BUDGET_US = 45.0


def measured(rounds: int, number: int) -> Mapping[str, tuple[float, float]]:
    """Microseconds of CPU a transfer, and the budget, by name."""
    with running_nginx() as server:
        ours = [asyncio.run(_carried_us(server, number)) for _ in range(rounds)]
        theirs = [_pycurl_us(server, number) for _ in range(rounds)]
    return {
        "client: a transfer": (statistics.median(ours), CLIENT_BUDGET_US),
        "pycurl's CurlMulti alone": (statistics.median(theirs), float("inf")),
    }


async def _carried_us(server: Nginx, number: int) -> float:
    client = CurlClient(force_instance=True, ca_file=server.ca_file)
    host = f"Host: localhost:{server.port}".encode()
    request = Request("GET", Origin("https", "localhost", server.port), "/bucket/k", (host,), None)

    def work(count: int) -> None:
        for _ in range(count):
            transfer = Transfer(request, on_end=lambda _transfer: None)
            client.start(transfer)
            while not transfer.ended:
                transfer.park()
            client.take(transfer, None)

    await asyncio.gather(*(spawn(work, 2) for _ in range(IN_FLIGHT)))
    began = time.process_time()
    each = number // IN_FLIGHT
    await asyncio.gather(*(spawn(work, each) for _ in range(IN_FLIGHT)))
    used_us = (time.process_time() - began) / (each * IN_FLIGHT) * 1e6
    client.close()
    return used_us


def _pycurl_us(server: Nginx, number: int) -> float:
    task = Task("get", "localhost", server.port, server.ca_file, number, IN_FLIGHT, 2 * IN_FLIGHT)
    return by_pycurl.run(task).figures()["cpu_us"]
