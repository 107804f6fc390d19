"""boto3 in threads that share a client, as its documentation has it."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from load.drivers import by_threads
from load.meter import Meter
from load.task import MESSAGE, Task

KEYS = {"aws_access_key_id": "access", "aws_secret_access_key": "secret"}


def run(task: Task) -> Meter:
    ask = asking(task)
    return by_threads(Meter(task), lambda: ask, task.in_flight)


def asking(task: Task) -> Callable[[], Any]:
    """One request, on a client made for them all."""
    style = Config(max_pool_connections=task.in_flight, s3={"addressing_style": "path"})
    where = {"endpoint_url": task.url, "verify": task.ca_file or False, "region_name": "us-east-1"}
    client = boto3.client("sqs" if task.kind == "sqs" else "s3", config=style, **where, **KEYS)
    if task.kind == "sqs":
        url = f"{task.url}/1/q"
        return lambda: client.send_message(QueueUrl=url, MessageBody=MESSAGE, DelaySeconds=0)
    if task.kind == "put":
        return lambda: client.put_object(Bucket="put", Key="boto3", Body=task.body)

    def get() -> Any:
        return client.get_object(Bucket="bucket", Key=task.key)["Body"].read()

    return get
