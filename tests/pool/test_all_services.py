"""Every connection class of boto's can use the pool."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from botod.pool import HeldKeys, Pool, connect, pooled
from botod.pool.connection import HTTPConnection
from botod.pool.locks import GreenletLock
from support.loops import run
from support.pools import KEYS, open_pool

import boto
from boto.connection import AWSAuthConnection, AWSQueryConnection
from boto.regioninfo import RegionInfo
from boto.sts.connection import STSConnection

NOT_AWS = {"gs", "mashups", "pyami", "manage", "services", "file", "vendored", "compat"}
"""Google's storage, things made of several services, and scripts for instances."""

BASES = {AWSAuthConnection, AWSQueryConnection}
PRIVATE = {"S3WebsiteEndpointTranslate"}


def modules() -> Iterator[str]:
    """boto's modules that hold connection classes, by its own convention."""
    for info in pkgutil.walk_packages(boto.__path__, "boto."):
        parts = info.name.split(".")
        if parts[1] not in NOT_AWS and (info.ispkg or parts[-1] in {"connection", "layer1"}):
            yield info.name


def connection_classes() -> Iterator[type]:
    """The classes that talk to a service."""
    for name in modules():
        module = importlib.import_module(name)
        for value in vars(module).values():
            is_one = isinstance(value, type) and issubclass(value, AWSAuthConnection)
            if is_one and value.__module__ == name and value not in BASES:
                yield value


CLASSES = sorted(connection_classes(), key=lambda kind: f"{kind.__module__}.{kind.__name__}")

OPTIONS = {"MWSConnection": {"Merchant": "m"}, "CloudSearchDomainConnection": {"host": "h.test"}}
"""What some classes cannot do without."""


def made(kind: type, pool: Pool) -> AWSAuthConnection:
    """A connection of a class, over the pool."""
    return pooled(kind)(pool=pool, keys=HeldKeys(*KEYS), **OPTIONS.get(kind.__name__, {}))


def test_there_are_fifty() -> None:
    """So that the test below tests something."""
    assert len(CLASSES) == 50


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_each_takes_its_connections_from_the_pool(kind: type) -> None:
    """Made without a question to anybody, and its connections are the pool's."""

    async def scenario() -> None:
        async with open_pool() as pool:
            connection = made(kind, pool)
            own = connection.get_http_connection(connection.host, connection.port, True)
            assert isinstance(own, HTTPConnection)
            assert own.host == connection.host.lower()

    run(scenario)


@pytest.mark.parametrize(
    ("service", "region", "host"),
    [
        ("dynamodb2", "eu-west-1", "dynamodb.eu-west-1.amazonaws.com"),
        ("ec2", "us-west-2", "ec2.us-west-2.amazonaws.com"),
        ("ec2.autoscale", "us-west-2", "autoscaling.us-west-2.amazonaws.com"),
        ("s3", "eu-central-1", "s3.eu-central-1.amazonaws.com"),
        ("sqs", "eu-west-1", "eu-west-1.queue.amazonaws.com"),
        ("sts", "us-east-1", "sts.amazonaws.com"),
    ],
)
def test_connect_finds_the_region(service: str, region: str, host: str) -> None:
    """As boto's own connect_to_region does, over the pool."""

    async def scenario() -> None:
        async with open_pool() as pool:
            connection = connect(service, region, pool=pool, keys=HeldKeys(*KEYS))
            assert connection.host == host
            assert isinstance(connection.new_http_connection(host, 443, True), HTTPConnection)

    run(scenario)


@pytest.mark.parametrize(
    ("service", "region", "words"),
    [
        ("nothing", "us-east-1", "no service 'nothing'"),
        ("utils", "us-east-1", "no service 'utils'"),
        ("sqs", "mars-1", "knows no region 'mars-1'; it knows: .*eu-west-1"),
    ],
)
def test_connect_says_what_it_does_not_know(service: str, region: str, words: str) -> None:
    """A service or region that boto does not have is named."""

    async def scenario() -> None:
        async with open_pool() as pool:
            with pytest.raises(ValueError, match=words):
                connect(service, region, pool=pool, keys=HeldKeys(*KEYS))

    run(scenario)


def test_the_lock_of_sts_is_one_for_greenlets() -> None:
    """boto's would stop the thread in the second greenlet that asks for a session."""

    async def scenario() -> None:
        async with open_pool() as pool:
            region = RegionInfo(name="us-east-1", endpoint="sts.amazonaws.com")
            connection = pooled(STSConnection)(pool=pool, keys=HeldKeys(*KEYS), region=region)
            assert isinstance(connection._mutex, GreenletLock)

    run(scenario)
