"""Every request of every operation takes the one way: connection, lease, transfer."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from botod.daemon.services import SERVICES
from botod.ipc.errors import Code, RpcError
from botod.pool import CurlClient
from botod.pool.boto import PooledConnection
from support.loops import BOUND_S
from support.scripts import SCRIPTS, play_awaited
from support.servers import Servers
from support.workers import Jobs, open_worker

BUCKET = {"Bucket": "counted"}
OBJECT = BUCKET | {"Key": "k"}
DOMAIN = {"DomainName": "counted"}
ITEM = DOMAIN | {"ItemName": "i"}
ATTRIBUTES = {"Attributes": [{"Name": "a", "Value": "1"}]}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the first and the last step of the way were taken; queues count leases."""
    taken: Counter[str] = Counter()

    def counted(owner: type, name: str) -> None:
        plain: Callable[..., Any] = getattr(owner, name)

        def count(*args: Any, **kwargs: Any) -> Any:
            taken[name] += 1
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, count)

    counted(PooledConnection, "new_http_connection")
    counted(CurlClient, "start")
    return taken


async def use_s3(do: Callable[..., Any]) -> None:
    """Each of S3's operations."""
    await do("s3.create_bucket", **BUCKET)
    await do("s3.list_buckets")
    await do("s3.head_bucket", **BUCKET)
    await do("s3.put_object", **OBJECT, Body=b"x" * 300_000)
    await do("s3.upload_file", **OBJECT, Body=b"x" * 300_000)
    await do("s3.download_file", **OBJECT)
    presigned = {"ClientMethod": "get_object", "Params": OBJECT}
    await do("s3.generate_presigned_url", requests=0, **presigned)
    await do("s3.get_object", **OBJECT)
    await do("s3.head_object", **OBJECT)
    await do("s3.copy_object", **BUCKET, Key="copy", CopySource=OBJECT)
    await do("s3.list_objects_v2", **BUCKET)
    await do("s3.delete_object", **OBJECT)
    await do("s3.delete_objects", **BUCKET, Delete={"Objects": [{"Key": "copy"}]})
    await do("s3.delete_bucket", **BUCKET)


async def use_sqs(do: Callable[..., Any]) -> None:
    """Each of SQS's operations."""
    url = {"QueueUrl": (await do("sqs.create_queue", QueueName="counted"))["QueueUrl"]}
    await do("sqs.get_queue_url", QueueName="counted")
    await do("sqs.list_queues")
    await do("sqs.get_queue_attributes", **url, AttributeNames=["All"])
    entries = [{"Id": "1", "MessageBody": "m"}, {"Id": "2", "MessageBody": "m"}]
    await do("sqs.send_message", **url, MessageBody="m")
    await do("sqs.send_message_batch", **url, Entries=entries)
    received = await do("sqs.receive_message", **url, MaxNumberOfMessages=3)
    first, second, third = (message["ReceiptHandle"] for message in received["Messages"])
    await do("sqs.change_message_visibility", **url, ReceiptHandle=first, VisibilityTimeout=30)
    await do("sqs.delete_message", **url, ReceiptHandle=second)
    await do("sqs.delete_message_batch", **url, Entries=[{"Id": "1", "ReceiptHandle": third}])
    entries = [{"Id": "1", "ReceiptHandle": first, "VisibilityTimeout": 0}]
    await do("sqs.change_message_visibility_batch", **url, Entries=entries)
    await do("sqs.set_queue_attributes", **url, Attributes={"DelaySeconds": "1"})
    await do("sqs.purge_queue", **url)
    await do("sqs.delete_queue", **url)


async def use_sdb(do: Callable[..., Any]) -> None:
    """Each of SimpleDB's operations; a select is a page of it, select_all is all of them."""
    await do("sdb.create_domain", **DOMAIN)
    await do("sdb.list_domains")
    await do("sdb.put_attributes", **ITEM, **ATTRIBUTES)
    items = [{"Name": f"i{number}"} | ATTRIBUTES for number in range(5)]
    await do("sdb.batch_put_attributes", **DOMAIN, Items=items)
    await do("sdb.get_attributes", **ITEM, ConsistentRead=True)
    select = "select * from counted limit 2"
    token: dict[str, str] = {}
    for _page in range(3):
        page = await do("sdb.select", SelectExpression=select, ConsistentRead=True, **token)
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert not token
    rows = await do("sdb.select_all", 3, SelectExpression=select, ConsistentRead=True)
    assert len(rows["Body"].splitlines()) == 6
    await do("sdb.domain_metadata", **DOMAIN)
    await do("sdb.delete_attributes", **ITEM)
    await do("sdb.batch_delete_attributes", **DOMAIN, Items=[{"Name": "i0"}])
    await do("sdb.delete_domain", **DOMAIN)


@pytest.mark.parametrize(("service", "use"), [("s3", use_s3), ("sqs", use_sqs), ("sdb", use_sdb)])
def test_connections_leases_and_transfers_are_as_many(
    service: str, use: Any, servers: Servers, counts: Counter[str]
) -> None:
    """For each operation: new_http_connection = leases = transfers, one a request."""
    done: set[str] = set()

    async def scenario() -> None:
        async with open_worker(servers._asdict()) as jobs:

            async def do(method: str, requests: int = 1, **params: Any) -> Any:
                counts.clear()
                leases = leases_of(jobs)
                result = await jobs.do(method, **params)
                done.add(method.partition(".")[2])
                steps = ("new_http_connection", "start")
                assert counts == Counter(dict.fromkeys(steps, requests)), method
                assert leases_of(jobs) - leases == requests, method
                return result

            await use(do)
            assert leases_of(jobs) == sockets_of(jobs)

    asyncio.run(asyncio.wait_for(scenario(), BOUND_S))
    assert done == set(SERVICES[service].operations)


@pytest.mark.parametrize("service", SCRIPTS)
def test_operations_without_rows_take_the_same_way(
    service: str, servers: Servers, counts: Counter[str]
) -> None:
    """Errors that the service answers with, too: one request each."""
    made = 0

    async def scenario() -> None:
        async with open_worker({service: servers.s3}) as jobs:

            async def do(operation: str, params: Any) -> Any:
                nonlocal made
                counts.clear()
                leases = leases_of(jobs)
                made += 1
                try:
                    return await jobs.do(f"{service}.{operation}", **params)
                except RpcError as error:
                    assert error.code == Code.SERVICE_ERROR  # noqa: PT017 - others are not expected
                finally:
                    assert counts == {"new_http_connection": 1, "start": 1}, operation
                    assert leases_of(jobs) - leases == 1, operation

            await play_awaited(SCRIPTS[service](), do, "counted")
            assert leases_of(jobs) == sockets_of(jobs) == made

    asyncio.run(asyncio.wait_for(scenario(), BOUND_S))


def leases_of(jobs: Jobs) -> int:
    """All leases, by the queues' own count."""
    return sum(host.slots.leases_total for host in jobs.pool.stats())


def sockets_of(jobs: Jobs) -> int:
    """All transfers, by the sockets that they opened or reused."""
    return sum(host.sockets.opened_total + host.sockets.reused_total for host in jobs.pool.stats())
