"""The override, installed under all of boto, and each test run in a greenlet.

`pooled(S3Connection)` makes a class for those who ask for one. boto's tests do not ask: they make
boto's own classes, whose common base gets the override's methods here.
"""

import asyncio
import contextlib
import tempfile
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycurl

from boto_suite.loopback import Loopback, loopback
from boto_suite.replay import Replayed
from botod.pool import CurlClient, Pool, bridge, detours
from botod.pool.boto import PooledConnection
from botod.pool.lane import COMMON_LANE

from boto.connection import AWSAuthConnection


class LoopbackClient(CurlClient):
    """A client whose every connection ends at one port on loopback, whoever it is to."""

    def initialize(self, *, port: int, **options: Any) -> None:  # type: ignore[override]
        super().initialize(**options)
        self.options[pycurl.CONNECT_TO] = [f"::127.0.0.1:{port}"]  # type: ignore[assignment]


@contextlib.contextmanager
def overridden() -> Iterator[Counter[str]]:
    """Run boto over a pool for the length of a block; what became of the fakes' requests."""
    counts: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        loopback(Path(folder, "ca.pem")) as server,
        asyncio.Runner() as runner,
    ):
        pool = runner.run(_new_pool(server, Path(folder, "ca.pem")))
        _install(pool, server, counts)
        _run_tests_in_greenlets(runner)
        _sleep_for_a_turn()
        _refuse_nothing()
        yield counts
        runner.run(_close(pool))


async def _new_pool(server: Loopback, ca_file: Path) -> Pool:
    client = LoopbackClient(force_instance=True, ca_file=str(ca_file), port=server.server_port)
    return Pool(client, slots_per_host=2, max_waiting=10, slot_timeout_s=10.0)


async def _close(pool: Pool) -> None:
    leased = [host for host in pool.stats() if host.slots.leased_num]
    pool.close()
    assert not leased, f"slots are lost: {leased}"


def _install(pool: Pool, server: Loopback, counts: Counter[str]) -> None:
    botos_new = AWSAuthConnection.new_http_connection
    botos_server_name = AWSAuthConnection.server_name

    def new_http_connection(self: Any, host: str | None, port: int, is_secure: bool) -> Any:
        factory = self.https_connection_factory
        if factory is None:
            return PooledConnection.new_http_connection(self, host, port, is_secure)
        fake = botos_new(self, host, port, is_secure)
        self.https_connection_factory = None
        try:
            real = PooledConnection.new_http_connection(self, host, port, is_secure)
        finally:
            self.https_connection_factory = factory
        return Replayed(fake, real, server, counts)

    def server_name(self: Any, port: int | None = None) -> str:
        return self.host if port is None else botos_server_name(self, port)

    AWSAuthConnection.pool = pool
    AWSAuthConnection.lane = COMMON_LANE
    AWSAuthConnection._via = None  # no proxy: boto's handle_proxy stays, for the tests of it
    AWSAuthConnection.new_http_connection = new_http_connection
    AWSAuthConnection.get_http_connection = PooledConnection.get_http_connection
    AWSAuthConnection.put_http_connection = PooledConnection.put_http_connection
    AWSAuthConnection.server_name = server_name


def _run_tests_in_greenlets(runner: asyncio.Runner) -> None:
    plain_run = unittest.TestCase.run

    async def spawned(test: unittest.TestCase, result: Any) -> Any:
        return await bridge.spawn(plain_run, test, result)

    def run(self: unittest.TestCase, result: Any = None) -> Any:
        if bridge.in_greenlet():
            return plain_run(self, result)
        return runner.run(spawned(self, result))

    unittest.TestCase.run = run  # type: ignore[method-assign]


def _sleep_for_a_turn() -> None:
    """The tests of boto's retries replace time.sleep, which the override does not use."""
    park_for = bridge.sleep
    bridge.sleep = lambda *_about: park_for(0.0)


def _refuse_nothing() -> None:
    """What goes round the pool holds up nobody here: HTTPretty or a fake answers, in no time."""
    detours.refuse = lambda _detour: None
