"""Pools for tests, which must be empty when a test leaves them."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator
from typing import Any

import certifi

from botod.pool import CurlClient, HeldKeys, Pool, pooled
from botod.pool.connection import HTTPConnection
from botod.pool.origin import Origin
from botod.pool.spawned import live_num
from botod.pool.traces import Tracing
from botod.pool.transfer import Transfer

from boto.regioninfo import RegionInfo
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from boto.sdb.connection import SDBConnection
from boto.sqs.connection import SQSConnection

KEYS = ("an-access-key", "a-secret-key")


def descriptors_num() -> int:
    """How many descriptors this process has open, by the kernel's word."""
    return sum(1 for _entry in os.scandir("/proc/self/fd"))


@contextlib.asynccontextmanager
async def open_pool(
    *,
    slots: int = 8,
    max_waiting: int = 1000,
    slot_timeout_s: float = 10.0,
    total_slots: int | None = None,
    max_waiting_per_key: int | None = None,
    ca_file: str | None = None,
    tracing: Tracing | None = None,
    **client_options: Any,
) -> AsyncIterator[Pool]:
    """A pool on the running loop; at the end nothing of it may be left.

    Counted from outside: slots, transfers, spawned functions, and /proc/self/fd.
    """
    # What is there already, such as AWS's models, is not looked through at the end of each test.
    gc.freeze()
    before = descriptors_num()
    client = CurlClient(force_instance=True, ca_file=ca_file or certifi.where(), **client_options)
    pool = Pool(
        client,
        slots_per_host=slots,
        max_waiting=max_waiting,
        slot_timeout_s=slot_timeout_s,
        total_slots=total_slots,
        max_waiting_per_key=max_waiting_per_key,
        tracing=tracing,
    )
    yield pool
    await assert_idle(pool)
    pool.close()
    for _ in range(50):  # a resolver thread of curl's may take a moment to go
        if descriptors_num() <= before:
            break
        await asyncio.sleep(0.02)
    gc.unfreeze()
    assert descriptors_num() <= before, "the pool leaves descriptors behind"


def until_ended(transfer: Transfer) -> None:
    """Park until the transfer has ended."""
    while not transfer.ended:
        transfer.park()


async def assert_idle(pool: Pool) -> None:
    """No slot leased, nobody waiting, no transfer and no spawned function left."""
    for _ in range(3):  # what a callback of this turn began ends in the next ones
        await asyncio.sleep(0)
    gc.collect()
    for host in pool.stats():
        assert host.slots.leased_num == 0, f"a slot is lost: {host}"
        assert host.slots.waiting_num == 0, f"somebody still waits: {host}"
    assert pool.client.running_num() == 0, "curl still has a transfer"
    assert live_num() == 0, "a spawned function has not ended"


def ask(pool: Pool, port: int, target: str = "/") -> bytes:
    """A GET over the pool to a server on loopback, in blocking style; its answer's body."""
    connection = HTTPConnection(pool, Origin("http", "127.0.0.1", port))
    connection.request("GET", target)
    return connection.getresponse().read()


def s3_connection(pool: Pool, port: int, *, is_secure: bool = False, **options: Any) -> Any:
    """boto's S3 connection over the pool, to a server on loopback, with Signature Version 4."""

    class SigV4(pooled(S3Connection)):  # type: ignore[misc]
        def _required_auth_capability(self) -> list[str]:
            return ["hmac-v4-s3"]

    return SigV4(
        pool=pool,
        keys=HeldKeys(*KEYS),
        host=options.pop("host", "127.0.0.1"),
        port=port,
        is_secure=is_secure,
        calling_format=OrdinaryCallingFormat(),
        suppress_consec_slashes=False,
        **options,
    )


def sqs_connection(pool: Pool, port: int, *, is_secure: bool = False, **options: Any) -> Any:
    """boto's SQS connection over the pool, to a server on loopback."""
    return pooled(SQSConnection)(
        pool=pool,
        keys=HeldKeys(*KEYS),
        region=RegionInfo(name="us-east-1", endpoint=options.pop("host", "127.0.0.1")),
        port=port,
        is_secure=is_secure,
        **options,
    )


def sdb_connection(pool: Pool, port: int) -> Any:
    """boto's SimpleDB connection over the pool, to a server on loopback."""
    return pooled(SDBConnection)(
        pool=pool,
        keys=HeldKeys(*KEYS),
        region=RegionInfo(name="us-east-1", endpoint="127.0.0.1"),
        port=port,
        is_secure=False,
    )
