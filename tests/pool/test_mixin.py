"""The override as a mixin: both of boto's seams, in their newer and their older form."""

from typing import Any

import pytest

from botod.pool import HeldKeys, Pool, spawn
from botod.pool.connection import HTTPConnection
from botod.pool.mixin import PooledMixin
from support.http_server import http_server
from support.loops import run
from support.pools import KEYS, open_pool

from boto.connection import AWSAuthConnection
from boto.regioninfo import RegionInfo
from boto.sqs.connection import SQSConnection

LISTED = b"<ListQueuesResponse><ListQueuesResult/></ListQueuesResponse>"


class Queues(PooledMixin, SQSConnection):  # type: ignore[misc]
    """A connection class written by hand."""

    def names(self) -> list[Any]:
        """A method of its own, in blocking style."""
        return list(self.get_all_queues())


class OldQueues(Queues):
    """As old releases asked for connections: two arguments, the port in the host's name or not."""

    def get_http_connection(self, host: str | None, *_port_and_security: Any, **_named: Any) -> Any:
        return super().get_http_connection(f"{host or self.host}:{self.port}", self.is_secure)


def connect(kind: type[PooledMixin], pool: Pool, port: int, **options: Any) -> Any:
    """A connection to a server on loopback."""
    return kind(
        pool=pool,
        keys=HeldKeys(*KEYS),
        region=RegionInfo(name="us-east-1", endpoint="127.0.0.1"),
        **{"port": port, "is_secure": False} | options,
    )


@pytest.mark.parametrize("kind", [Queues, OldQueues])
def test_boto_takes_its_connections_from_the_pool(kind: type[PooledMixin]) -> None:
    """An operation over either seam is one lease and one request."""

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(LISTED)) as server:
            async with open_pool() as pool:
                assert await spawn(connect(kind, pool, server.port).names) == []
                (host,) = pool.stats()
                assert host.slots.leases_total == len(server.requests) == 1

    run(scenario)


@pytest.mark.parametrize("seam", ["new_http_connection", "get_http_connection"])
@pytest.mark.parametrize(
    ("args", "named", "origin"),
    [
        (("example.org", 8080, False), {}, "http://example.org:8080"),
        (("example.org", "8443", True), {}, "https://example.org:8443"),
        ((None, 8080, False), {}, "http://127.0.0.1:8080"),
        (("example.org",), {"port": 81, "is_secure": False}, "http://example.org:81"),
        (("example.org", 81), {"is_secure": False}, "http://example.org:81"),
        (("example.org", True), {}, "https://example.org:443"),
        (("example.org", False), {}, "http://example.org:80"),
        (("example.org",), {"is_secure": True}, "https://example.org:443"),
        (("example.org:8443", True), {}, "https://example.org:8443"),
        (("127.0.0.1", False), {}, "http://127.0.0.1:1234"),
        ((None, False), {}, "http://127.0.0.1:1234"),
        (("127.0.0.1", True), {}, "https://127.0.0.1:443"),
        (("[::1]:8080", False), {}, "http://[::1]:8080"),
        (("::1", False), {}, "http://[::1]:80"),
    ],
)
def test_with_and_without_a_port(
    seam: str, args: tuple[Any, ...], named: dict[str, Any], origin: str
) -> None:
    """Both seams serve (host, port, is_secure) and (host, is_secure)."""

    async def scenario() -> None:
        async with open_pool() as pool:
            made = getattr(connect(Queues, pool, 1234), seam)(*args, **named)
            assert isinstance(made, HTTPConnection)
            assert repr(made) == f"<HTTPConnection to {origin}>"

    run(scenario)


@pytest.mark.parametrize("args", [(), (80, True, 3)])
def test_any_other_form_is_a_mistake(args: tuple[Any, ...]) -> None:
    """Neither form: the error says what they are."""

    async def scenario() -> None:
        async with open_pool() as pool:
            with pytest.raises(TypeError, match="is_secure"):
                connect(Queues, pool, 1).new_http_connection("host", *args)

    run(scenario)


def test_the_factory_of_botos_users_is_honoured() -> None:
    """https_connection_factory is how boto's users put in their own connections."""

    async def scenario() -> None:
        async with open_pool() as pool:
            factory = (lambda host, **_kwargs: AWSAuthConnection, ())
            connection = connect(
                Queues, pool, 443, is_secure=True, https_connection_factory=factory
            )
            assert connection.get_http_connection("host", True) is AWSAuthConnection

    run(scenario)
