"""The audit record of a mixed run accounts for every request that the servers saw."""

import asyncio
import contextlib
import io
import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import RpcError
from botod.ipc.aio import Connection, connect
from support.accounts import Naming, records_of, requests_in
from support.daemons import BOUND_S, Daemon, endpoints, running_daemon, wait_until
from support.http_server import Exchange, http_server
from support.s3_server import S3, Rule, error
from support.secrets import secrets_in
from support.sqs_server import SqsServer

LARGE = os.urandom(1 << 20) * 20
"""Three parts."""

QUEUE = {"QueueUrl": "http://h/1/orders"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Shop:
    """S3 and SQS at one address. held: what a request for /bucket/slow waits for."""

    def __init__(self) -> None:
        self.s3, self.sqs = S3(), SqsServer()
        self.held = threading.Event()
        self.came = threading.Event()
        self.s3.put("/bucket/key", b"miaow")
        self.s3.rules.append(at("GET /bucket/slow", self._hold))

    def __call__(self, exchange: Exchange) -> None:
        is_sqs = exchange.target == "/1/orders" or b"QueueUrl" in exchange.body
        (self.sqs if is_sqs else self.s3)(exchange)

    def _hold(self, exchange: Exchange) -> None:
        self.came.set()
        assert self.held.wait(BOUND_S)
        with contextlib.suppress(OSError):
            exchange.ok(b"late")


def at(where: str, do: Callable[[Exchange], object], *, times: int = 1000) -> Rule:
    """Have requests of a method and path answered by `do`, so many times."""
    left = [None] * times

    def rule(exchange: Exchange) -> bool:
        path = exchange.target.partition("?")[0]
        if not left or where != f"{exchange.method} {path}":
            return False
        left.pop()
        do(exchange)
        return True

    return rule


def settings(port: int, folder: Path) -> dict[str, Any]:
    """A daemon with an audit record, whose user may not touch a bucket called secret."""
    rule = {"uid": os.geteuid(), "allow": ["*"], "deny": ["s3.* on secret/*"]}
    return {
        **endpoints(port, retries=2, retry_max_s=0.1),
        "audit": {"path": str(folder / "audit.jsonl")},
        "log": {"file": str(folder / "botod.log"), "format": "json"},
        "limits": {"in_flight_per_peer": 60},
        "policy": [rule],
    }


async def failing(call: Any) -> RpcError:
    """The error of a call that has to fail."""
    with pytest.raises(RpcError) as caught:
        await call
    return caught.value


async def mixed_run(daemon: Daemon, shop: Shop) -> None:
    """One of each: what goes well, and all that can go wrong on the way."""
    async with await connect(daemon.socket_path, timeout_s=BOUND_S) as connection:
        await plain_jobs(connection, shop)
        await uploads(connection, shop)
        await batches(connection)
        await joined_keys(connection)
        await refused(connection)
        await cancelled(connection, shop)
        await shared_and_left(connection, shop)
        await over_a_limit(daemon, shop)


async def plain_jobs(connection: Connection, shop: Shop) -> None:
    """Done, not found, tried again, and cut off."""
    get = {"Bucket": "bucket", "Key": "key"}
    for _ in range(3):
        await connection.call("s3.get_object", get, traceparent=TRACE)
    await failing(connection.call("s3.get_object", {**get, "Key": "none"}))
    for do in (lambda exchange: error(exchange, "SlowDown", "503 No"), Exchange.cut):
        shop.s3.rules.append(at("GET /bucket/key", do, times=1))
        await connection.call("s3.get_object", get)
    shop.s3.rules.append(at("PUT /bucket/cut", Exchange.cut))
    await failing(connection.call("s3.put_object", {**get, "Key": "cut", "Body": b"x"}))


async def uploads(connection: Connection, shop: Shop) -> None:
    """One in parts, and one whose parts fail, so that it is aborted after its job has ended."""
    where = {"Bucket": "bucket", "Key": "large"}
    s3 = connection.client("s3")
    await s3.upload_fileobj(io.BytesIO(LARGE), **where)
    shop.s3.rules.append(at("PUT /bucket/bad", lambda one: error(one, "Broken", "400 No")))
    with pytest.raises(RpcError):
        await s3.upload_fileobj(io.BytesIO(LARGE), **{**where, "Key": "bad"})


async def batches(connection: Connection) -> None:
    """Messages sent at once, which share requests."""
    sends = (
        connection.call("sqs.send_message", {**QUEUE, "MessageBody": f"m{number}"})
        for number in range(50)
    )
    await asyncio.gather(*sends)


async def joined_keys(connection: Connection) -> None:
    """Three requests with one key: one is done."""
    message = {**QUEUE, "MessageBody": "once"}
    sends = [connection.call("sqs.send_message", message, idempotency_key="k") for _ in range(3)]
    await asyncio.gather(*sends)


async def refused(connection: Connection) -> None:
    """By policy, for wrong params, for what is no operation."""
    await failing(connection.call("s3.get_object", {"Bucket": "secret", "Key": "k"}))
    await failing(connection.call("s3.get_object", {"Bucket": "b"}))
    await failing(connection.call("s3.no_such\nthing"))


async def over_a_limit(daemon: Daemon, shop: Shop) -> None:
    """More requests at once than a connection may have, and one that is none."""
    reader, writer = await asyncio.open_unix_connection(daemon.socket_path)
    get = {"method": "s3.get_object", "params": {"Bucket": "bucket", "Key": "slow"}}
    lines = [json.dumps({"jsonrpc": "2.0", "id": number, **get}) for number in range(80)]
    writer.write("\n".join([*lines, '{"jsonrpc": "1.0", "method": "odd", "id": 0}', ""]).encode())
    for _ in range(21):  # all others wait for the server
        assert b'"error"' in await reader.readline()
    shop.held.set()
    for _ in range(60):
        assert b'"result"' in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def cancelled(connection: Connection, shop: Shop) -> None:
    """One that is given up while the server thinks about it."""
    get = {"Bucket": "bucket", "Key": "slow"}
    job = asyncio.create_task(connection.call("s3.get_object", get))
    await asyncio.to_thread(shop.came.wait, BOUND_S)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job


async def shared_and_left(connection: Connection, shop: Shop) -> None:
    """Messages that share a request, all of whose senders leave before it is answered."""
    first = len(shop.sqs.requests) + 1
    holds = [shop.sqs.hold(first), shop.sqs.hold(first + 1)]
    sends = [
        asyncio.create_task(
            connection.call("sqs.send_message", {**QUEUE, "MessageBody": f"left{number}"})
        )
        for number in range(6)
    ]
    await asyncio.to_thread(shop.sqs.wait_for, first + 1)
    for send in sends:
        send.cancel()
    await asyncio.gather(*sends, return_exceptions=True)
    for hold in holds:
        hold.set()


def test_every_request_is_accounted_for_once(tmp_path: Path) -> None:
    """Answered ones by the server's own names for them, the others by their number."""
    shop = Shop()
    naming = Naming(shop)
    with (
        http_server(naming) as server,
        running_daemon(settings(server.port, tmp_path)) as daemon,
    ):
        asyncio.run(mixed_run(daemon, shop))
        wait_until(lambda: not shop.s3.uploads, daemon)
        assert daemon.stop() == 0
    records = records_of(tmp_path / "audit.jsonl")
    told = requests_in(records)
    named = [one["request_id"] for one in told.values() if one["request_id"] is not None]
    unanswered = [number for number, one in told.items() if one["status"] is None]
    # What nobody waited for any more the server answered all the same.
    unseen = Counter(naming.named) - Counter(named)
    assert not Counter(named) - Counter(naming.named)
    assert len(told) == len(server.requests)
    assert len(unanswered) == len(server.requests) - len(named)
    assert unseen.total() <= len(unanswered)
    events = Counter(record["event"] for record in records)
    assert events["joined"] == 2
    names = {record["job"] for record in records if record["event"] == "job"}
    names.add("remembered")  # who comes late, on a slow machine, finds the job done
    assert all(record["joined"] in names for record in records if record["event"] == "joined")
    assert events["started"] == events["stopped"] == 1
    assert events["request"] >= 2  # the abort of an upload, and the look whether it worked
    check_refusals(records)
    check_jobs(records)
    text = (tmp_path / "audit.jsonl").read_text() + (tmp_path / "botod.log").read_text()
    assert not secrets_in(text.splitlines())


def check_refusals(records: list[dict[str, Any]]) -> None:
    """Each says who wanted what, and why not."""
    refusals = [record for record in records if record["event"] == "refused"]
    by_policy = [one for one in refusals if one["method"] == "s3.get_object" and one["rule"]]
    denied = next(one for one in by_policy if one["resources"] == ["secret/k"])
    assert denied["rule"].endswith('[[policy]] 1: deny "s3.* on secret/*"')
    assert denied["code"] == -32003
    assert any(one.get("limit") == "in_flight_per_peer" for one in refusals)
    assert [one["code"] for one in refusals if one["method"] == "odd"] == [-32600]
    assert any(one["method"] == "s3.no_such\nthing" for one in refusals)
    assert all(one["uid"] == os.geteuid() and one["pid"] == os.getpid() for one in refusals)


def check_jobs(records: list[dict[str, Any]]) -> None:
    """Each says what it was, by which rule, how often it was tried and what it moved."""
    jobs = [record for record in records if record["event"] == "job"]
    first = next(one for one in jobs if one["method"] == "s3.get_object")
    assert first["resources"] == ["bucket/key"]
    assert (first["outcome"], first["attempts"], first["received_bytes"]) == ("ok", 1, 5)
    assert (first["traceparent"], first["profile"], first["role"]) == (TRACE, "default", None)
    assert first["rule"].endswith('[[policy]] 1: allow "*"')
    assert [one["attempts"] for one in jobs if one["method"] == "s3.get_object"].count(2) == 2
    assert any(one["outcome"] == "cancelled" for one in jobs)
    assert any(one.get("batch_size", 0) > 1 for one in jobs)
    large = next(one for one in jobs if one["resources"] == ["bucket/large"])
    assert len(large["requests"]) == 5  # it is begun, has three parts, and is completed
