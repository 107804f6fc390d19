"""A daemon whose clock is set forward and back while it runs."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import Code, RpcError
from support.clock import WallClock, wall_clock
from support.daemons import BOUND_S, Daemon, clean_environ, endpoints, running_daemon, wait_until
from support.figures import cpu_s, figures, pids, survives
from support.http_server import Exchange, http_server

SKEW_MAX_S = 300.0
"""What AWS puts up with, more or less: S3 takes a quarter of an hour, others five minutes."""

HOUR_S = 3600.0
JUMPS_S = (6 * HOUR_S, -6 * HOUR_S, 0.0, 400 * 24 * HOUR_S, -400 * 24 * HOUR_S, 0.0)

TOO_SKEWED = b"<Error><Code>RequestTimeTooSkewed</Code><Message>clocks differ</Message></Error>"


class Server:
    """Knows what time it is, and takes no request that says something else; `/held` waits."""

    def __init__(self) -> None:
        self.refused_num = 0
        self.release = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        date = f"Date: {formatdate(usegmt=True)}"
        if abs(signed_at(exchange) - time.time()) > SKEW_MAX_S:
            self.refused_num += 1
            exchange.ok(TOO_SKEWED, date, status="403 Forbidden")
            return
        if exchange.target.endswith("/held"):
            assert self.release.wait(BOUND_S)
        exchange.ok(b"fine", date)


def signed_at(exchange: Exchange) -> float:
    """When a request says that it was signed."""
    return datetime.fromisoformat(exchange.headers["x-amz-date"]).timestamp()


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    """The daemon's."""
    return wall_clock(tmp_path)


@pytest.fixture
def server() -> Server:
    """What it asks."""
    return Server()


@pytest.fixture
def daemon(server: Server, clock: WallClock, tmp_path: Path) -> Iterator[Daemon]:
    """The daemon."""
    environ = clean_environ(tmp_path, **clock.environ)
    with (
        http_server(server) as upstream,
        running_daemon(endpoints(upstream.port), environ) as one,
    ):
        yield one


def get(daemon: Daemon, key: str = "key", **options: Any) -> None:
    """A job as it should be."""
    with daemon.connect() as connection:
        params = {"Bucket": "bucket", "Key": key}
        assert connection.call("s3.get_object", params, **options)["Body"] == b"fine"


def test_requests_are_dated_by_the_server_s_clock(
    daemon: Daemon, server: Server, clock: WallClock
) -> None:
    """After each jump one request is refused; what its answer says is the date of all that come."""
    with survives(daemon, lambda: get(daemon)):
        for number, jump_s in enumerate(JUMPS_S, 1):
            clock.set(jump_s)
            for _ in range(5):
                get(daemon)
            assert server.refused_num == number


def test_deadlines_and_waits_do_not_move(daemon: Daemon, server: Server, clock: WallClock) -> None:
    """A job that waits is not late because the clock was set, and one without an answer is."""
    with survives(daemon, lambda: get(daemon)), ThreadPoolExecutor(4) as threads:
        held = [threads.submit(get, daemon, "held", timeout_s=BOUND_S) for _ in range(4)]
        wait_until(lambda: figures(daemon)["leased"] == len(held), daemon)
        (pid,) = pids(daemon)
        before_s = cpu_s(pid)
        for jump_s in JUMPS_S:
            clock.set(jump_s)
            began = time.monotonic()
            with pytest.raises(RpcError) as caught:
                get(daemon, "held", timeout_s=0.3)
            assert caught.value.code == Code.DEADLINE_EXCEEDED
            assert 0.3 <= time.monotonic() - began < BOUND_S / 3
        assert not any(one.done() for one in held)
        assert cpu_s(pid) - before_s < 1.0  # nothing that was due turns in a circle
        server.release.set()
        for one in held:
            one.result(BOUND_S)
