"""boto 2 as it is: a connection of its own, verifying against the benchmark's authority."""

import os
from collections.abc import Callable
from typing import Any

from load.task import MESSAGE, Task

PARAMS = {"MessageBody": MESSAGE, "DelaySeconds": "0"}


def requests_on(connection: Any, task: Task) -> Callable[[], Any]:
    """One request by boto's own means."""
    if task.kind == "sqs":
        return lambda: connection.make_request("SendMessage", dict(PARAMS), "/1/q", "POST").read()
    if task.kind == "put":
        return lambda: connection.make_request("PUT", "put", "boto", data=task.body).read()
    return lambda: connection.make_request("GET", "bucket", task.key).read()


def asking(task: Task) -> Callable[[], Any]:
    """One request, on a connection made for it."""
    return requests_on(connection_for(task), task)


def connection_for(task: Task) -> Any:
    """S3 signs as version 4, as all others do."""
    import boto
    from boto import auth
    from boto.regioninfo import RegionInfo
    from boto.s3.connection import OrdinaryCallingFormat, S3Connection
    from boto.sqs.connection import SQSConnection

    os.environ["SSL_CERT_FILE"] = task.ca_file  # S3's switch, see boto's https_connection.py
    if not boto.config.has_section("Boto"):
        boto.config.add_section("Boto")
    boto.config.set("Boto", "ca_certificates_file", task.ca_file)
    if task.kind == "sqs":
        region = RegionInfo(name="us-east-1", endpoint=task.host)
        return SQSConnection("access", "secret", region=region, port=task.port)
    where = {"host": task.host, "port": task.port, "is_secure": bool(task.ca_file)}
    style = OrdinaryCallingFormat()
    connection = S3Connection("access", "secret", calling_format=style, **where)
    signing = ["hmac-v4-s3"]
    connection._required_auth_capability = lambda: signing
    handler = auth.get_auth_handler(task.host, boto.config, connection.provider, signing)
    connection._auth_handler = handler
    connection.auth_region_name = "us-east-1"
    return connection
