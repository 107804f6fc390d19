"""boto 2 in greenlets over botod.pool, in this process: no daemon, no socket."""

import asyncio
from typing import Any

import certifi

from botod.pool import CurlClient, HeldKeys, Pool, pooled, spawn
from load.drivers import shares
from load.meter import Meter
from load.stock_boto import requests_on
from load.task import Task

from boto.regioninfo import RegionInfo
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from boto.sqs.connection import SQSConnection


class SigV4(pooled(S3Connection)):  # type: ignore[misc]
    """Signs as version 4, as all others do."""

    def _required_auth_capability(self) -> list[str]:
        return ["hmac-v4-s3"]


def connection_for(pool: Pool, task: Task) -> Any:
    whom: dict[str, Any] = {
        "pool": pool,
        "keys": HeldKeys("access", "secret"),
        "port": task.port,
        "is_secure": bool(task.ca_file),
    }
    if task.kind == "sqs":
        region = RegionInfo(name="us-east-1", endpoint=task.host)
        return pooled(SQSConnection)(region=region, **whom)
    return SigV4(host=task.host, calling_format=OrdinaryCallingFormat(), **whom)


def run(task: Task) -> Meter:
    return asyncio.run(_run(task))


async def _run(task: Task) -> Meter:
    meter = Meter(task)
    client = CurlClient(force_instance=True, ca_file=task.ca_file or certifi.where())
    pool = Pool(client, slots_per_host=task.in_flight, max_waiting=100, slot_timeout_s=60)
    ask = requests_on(connection_for(pool, task), task)

    def warm_up(number: int) -> None:
        for _ in range(number):
            ask()

    def work(number: int) -> None:
        for _ in range(number):
            meter.one(ask)

    await asyncio.gather(*(spawn(warm_up, one) for one in shares(task.warm_up, task.in_flight)))
    meter.begin()
    await asyncio.gather(*(spawn(work, one) for one in shares(task.number, task.in_flight)))
    meter.end()
    pool.close()
    return meter
