"""Both clients with a daemon, to and from servers that speak S3, SQS and SimpleDB."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import Connection, aio
from support.daemons import BOUND_S, Daemon, running_daemon, start, wait_until
from support.servers import Servers

DOCUMENT = Path(__file__).parents[2] / "docs" / "client.md"

EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def config(servers: Servers) -> dict[str, Any]:
    """A daemon's, for these servers."""
    urls = {"s3": servers.s3, "sqs": servers.sqs, "sdb": servers.sdb}
    return {"profile": {"default": {"endpoints": urls}}}


@pytest.fixture(scope="module")
def daemon(servers: Servers) -> Iterator[Daemon]:
    """A daemon on the servers, with an empty bucket and a queue."""
    with running_daemon(config(servers)) as one:
        with one.connect() as connection:
            connection.call("s3.create_bucket", {"Bucket": "clients"})
            connection.call("sqs.create_queue", {"QueueName": "clients"})
        yield one


LARGE_BOTH_WAYS = """
import os, resource, sys
from botod.ipc import connect

def rss():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

piece = os.urandom(1 << 20)
with open(sys.argv[2], "wb") as file:
    for _ in range(30):
        file.write(piece)
s3 = connect(sys.argv[1]).client("s3")
s3.put_object(Bucket="clients", Key="warm", Body=piece)
before = rss()
told = []
s3.upload_file(sys.argv[2], "clients", "file", Callback=told.append)
s3.download_file("clients", "file", sys.argv[2] + ".back", Callback=told.append)
assert sum(told) == 60 << 20
s3.put_object(Bucket="clients", Key="stream", Body=(piece for _ in range(30)),
              ContentLength=30 << 20)
got = 0
for chunk in s3.get_object(Bucket="clients", Key="stream")["Body"].iter_chunks(1 << 20):
    assert chunk == piece
    got += len(chunk)
assert got == 30 << 20
assert rss() - before < 8 << 20, rss() - before
"""


def test_thirty_mib_both_ways(daemon: Daemon, tmp_path: Path) -> None:
    """By files and by streams; the client never holds more than a part."""
    command = [sys.executable, "-c", LARGE_BOTH_WAYS, daemon.socket_path, str(tmp_path / "f")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * BOUND_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "f").read_bytes() == (tmp_path / "f.back").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["f", "f.back"]


def test_pages(daemon: Daemon) -> None:
    """As many as there are, as boto3's paginators give them."""
    with daemon.connect() as connection:
        s3 = connection.client("s3")
        for number in range(5):
            s3.put_object(Bucket="clients", Key=f"page/{number}", Body=b"")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket="clients", Prefix="page/", PaginationConfig={"PageSize": 2}
        )
        assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
        assert len(pages.build_full_result()["Contents"]) == 5
        queues = connection.client("sqs").get_paginator("list_queues").paginate()
        assert any(url.endswith("/clients") for page in queues for url in page["QueueUrls"])


def test_exceptions_are_boto3s(daemon: Daemon) -> None:
    """By the names that its users catch."""
    with daemon.connect() as connection:
        s3, sqs = connection.client("s3"), connection.client("sqs")
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="clients", Key="none")
        with pytest.raises(sqs.exceptions.QueueDoesNotExist):
            sqs.get_queue_url(QueueName="none")


def test_a_daemon_started_again_on_its_socket(servers: Servers) -> None:
    """A client that waits does not notice."""
    with running_daemon(config(servers)) as first:
        connection = Connection(first.socket_path, wait_s=BOUND_S)
        first_pid = connection.call("botod.ping")["pid"]
        assert first.stop() == 0
        second = start(config(servers), first.folder)
        try:
            assert connection.call("botod.ping")["pid"] == second.process.pid != first_pid
            wait_until(lambda: True, second)
        finally:
            second.stop()
            second.close()
            connection.close()


def test_many_at_once_on_one_connection(daemon: Daemon) -> None:
    """The asyncio client against the whole daemon."""

    async def scenario() -> None:
        async with await aio.connect(daemon.socket_path) as connection:
            s3 = connection.client("s3")
            bodies = {f"aio/{number}": bytes([number]) * 100_000 for number in range(20)}
            await asyncio.gather(
                *(s3.put_object(Bucket="clients", Key=key, Body=bodies[key]) for key in bodies)
            )

            async def got(key: str) -> bytes:
                answer = await s3.get_object(Bucket="clients", Key=key)
                whole: bytes = await answer["Body"].read()
                return whole

            assert await asyncio.gather(*map(got, bodies)) == list(bodies.values())
            paginator = s3.get_paginator("list_objects_v2")
            keys = [
                item["Key"]
                async for page in paginator.paginate(Bucket="clients", Prefix="aio/")
                for item in page["Contents"]
            ]
            assert sorted(keys) == sorted(bodies)

    asyncio.run(asyncio.wait_for(scenario(), BOUND_S))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_the_document_s_examples(daemon: Daemon, example: str, tmp_path: Path) -> None:
    """Each runs as it stands there."""
    (tmp_path / "photo.jpg").write_bytes(b"photo")
    with daemon.connect() as connection:
        s3, sdb = connection.client("s3"), connection.client("sdb")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="k", Body=b"one\ntwo\n")
        s3.put_object(Bucket="bucket", Key="big", Body=b"x" * 100_000)
        sdb.create_domain(DomainName="colours")
        connection.client("sqs").create_queue(QueueName="queue")
    done = subprocess.run(
        [sys.executable, "-c", example],
        env={"BOTOD_SOCKET": daemon.socket_path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


ROWS = 230

PAGE = 100
"""Of SimpleDB's, where the expression does not say it."""


def test_all_rows_of_a_select_by_both_clients(daemon: Daemon) -> None:
    """Three pages in one body, read line by line; one that is left holds nothing up."""
    asked = {"SelectExpression": "select * from rows", "ConsistentRead": True}
    with daemon.connect() as connection:
        sdb = connection.client("sdb")
        sdb.create_domain(DomainName="rows")
        names = [f"i{number:03}" for number in range(ROWS)]
        for start_at in range(0, ROWS, 25):
            items = [
                {"Name": name, "Attributes": [{"Name": "n", "Value": name}]}
                for name in names[start_at : start_at + 25]
            ]
            sdb.batch_put_attributes(DomainName="rows", Items=items)
        assert len(sdb.select(**asked)["Items"]) == PAGE
        left = sdb.select_all(**asked)["Body"]
        left.read(10)
        left.close()
        lines = list(sdb.select_all(**asked)["Body"].iter_lines())
        paged = [
            one["Name"] for page in sdb.get_paginator("select").paginate(**asked)
            for one in page["Items"]
        ]  # fmt: skip
    assert sorted(paged) == sorted(json.loads(line)["Name"] for line in lines) == names

    async def read() -> bytes:
        async with await aio.connect(daemon.socket_path) as connection:
            answer = await connection.client("sdb").select_all(**asked)
            body: bytes = await answer["Body"].read()
            return body

    assert asyncio.run(read()).splitlines() == lines
