"""The daemon, by botod's own client in threads, a connection each."""

from collections.abc import Callable
from typing import Any

import botod.ipc
from load.drivers import by_threads
from load.meter import Meter
from load.task import MESSAGE, Task


def run(task: Task) -> Meter:
    return by_threads(Meter(task), lambda: asking(task), task.in_flight)


def asking(task: Task) -> Callable[[], Any]:
    """One request, on a connection made for it."""
    connection = botod.ipc.connect(task.socket)
    if task.kind == "sqs":
        sqs, url = connection.client("sqs"), f"{task.url}/1/q"
        return lambda: sqs.send_message(QueueUrl=url, MessageBody=MESSAGE, DelaySeconds=0)
    s3 = connection.client("s3")
    if task.kind == "put":
        return lambda: s3.put_object(Bucket="put", Key="botod", Body=task.body)

    def get() -> Any:
        return s3.get_object(Bucket="bucket", Key=task.key)["Body"].read()

    return get
