"""Servers that speak S3, SQS and SimpleDB, once for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from botod.daemon.commands.demo import server
from support.daemons import KEYS
from support.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """moto for S3 and SQS, ours for SimpleDB, in processes of their own."""
    access, secret = KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]
    keys = ("--access-key", access, "--secret-key", secret)
    with (
        server("botod.daemon.demo.aws") as aws,
        server("botod.daemon.demo.simpledb", *keys) as sdb,
    ):
        yield Servers(s3=aws, sqs=aws, sdb=sdb)
