"""Peers that die at any moment cost the daemon nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons import Daemon, endpoints, running_daemon, wait_until
from support.figures import RSS_GROWTH_MAX_BYTES, descriptors_num, nothing_left, rss_bytes
from support.http_server import Exchange, HttpServer, http_server

VICTIMS = Path(__file__).parents[1] / "support" / "victims.py"

SHORT_S = 3.0
LONG_S = 60.0
KILLS_A_SECOND_MIN = 5
"""Of the 20 there can be: a loaded machine forks and kills more slowly."""

LARGE = b"z" * (256 * 1024)


def answer(exchange: Exchange) -> None:
    """Keeps nothing; has an object for every key."""
    if exchange.method == "PUT":
        exchange.ok(b"", 'ETag: "0"')
    else:
        exchange.ok(LARGE if exchange.target.endswith("large") else b"small")


@pytest.fixture
def upstream() -> Iterator[HttpServer]:
    """What the peers' jobs go to."""
    with http_server(answer) as server:
        yield server


def slay(daemon: Daemon, seconds: float, seed: int) -> int:
    """Kill peers at random for so long; how many."""
    script = [str(VICTIMS), daemon.socket_path, str(seconds), str(seed)]
    command = [sys.executable, "-I", "-S", *script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    return int(done.stdout)


def check(upstream: HttpServer, seconds: float) -> None:
    """Two stretches of murder; after each all figures are back, and the second costs no memory."""
    with running_daemon(endpoints(upstream.port)) as daemon:
        assert slay(daemon, seconds / 2, 1) > seconds / 2 * KILLS_A_SECOND_MIN
        wait_until(lambda: nothing_left(daemon), daemon)
        descriptors, rss = descriptors_num(daemon), rss_bytes(daemon)
        assert slay(daemon, seconds / 2, 1000) > seconds / 2 * KILLS_A_SECOND_MIN
        wait_until(lambda: nothing_left(daemon), daemon)
        wait_until(lambda: descriptors_num(daemon) <= descriptors, daemon)
        assert rss_bytes(daemon) - rss <= RSS_GROWTH_MAX_BYTES


def test_peers_that_are_killed_leave_nothing(upstream: HttpServer) -> None:
    """A few seconds of it: no slot, descriptor, job or byte is held for the dead."""
    check(upstream, SHORT_S)


@pytest.mark.long
def test_a_minute_of_murder(upstream: HttpServer) -> None:
    """One every 50 ms for a minute, under load, in the middle of whatever they do."""
    check(upstream, LONG_S)
