"""aiobotocore: a client that all tasks share."""

import asyncio
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from load.drivers import by_tasks
from load.meter import Meter
from load.task import MESSAGE, Task

KEYS = {"aws_access_key_id": "access", "aws_secret_access_key": "secret"}


def run(task: Task) -> Meter:
    return asyncio.run(_run(task))


async def _run(task: Task) -> Meter:
    style = AioConfig(max_pool_connections=task.in_flight, s3={"addressing_style": "path"})
    where = {"endpoint_url": task.url, "verify": task.ca_file or False, "region_name": "us-east-1"}
    service = "sqs" if task.kind == "sqs" else "s3"
    async with get_session().create_client(service, config=style, **where, **KEYS) as client:

        async def send() -> Any:
            url = f"{task.url}/1/q"
            return await client.send_message(QueueUrl=url, MessageBody=MESSAGE, DelaySeconds=0)

        async def put() -> Any:
            return await client.put_object(Bucket="put", Key="aiobotocore", Body=task.body)

        async def get() -> Any:
            answer = await client.get_object(Bucket="bucket", Key=task.key)
            async with answer["Body"] as body:
                return await body.read()

        return await by_tasks(
            Meter(task), get if task.is_get else {"sqs": send, "put": put}[task.kind]
        )
