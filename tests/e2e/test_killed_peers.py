"""Peers that die at any moment cost the daemon nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemons import Daemon, endpoints, running_daemon, wait_until
from support.http_server import Exchange, HttpServer, http_server

VICTIMS = Path(__file__).parents[1] / "support" / "victims.py"

SHORT_S = 3.0
LONG_S = 60.0
KILLS_A_SECOND_MIN = 5
"""Of the 20 there can be: a loaded machine forks and kills more slowly."""

RSS_GROWTH_MAX_BYTES = 16 * 1024 * 1024
"""Over the second half, when every kind of peer has been served: what malloc keeps wavers."""

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


def figures(daemon: Daemon) -> dict[str, Any]:
    """What must be nothing once all peers are dead."""
    with daemon.connect() as connection:
        status = connection.call("botod.status")
    return {
        "peers": len(status["peers"]) - 1,  # the one that asks
        "jobs": status["jobs"]["running_num"],
        "leased": sum(pool["leased_num"] for pool in status["pools"]),
        "waiting": sum(pool["waiting_num"] for pool in status["pools"]),
        "buffered_bytes": status["buffered_bytes"],
    }


def nothing_left(daemon: Daemon) -> bool:
    """Whether the dead hold nothing any more."""
    return not any(figures(daemon).values())


def descriptors_num(daemon: Daemon) -> int:
    """Without the sockets to the server, which the pool keeps."""
    links = Path(f"/proc/{daemon.process.pid}/fd").iterdir()
    return sum(1 for link in links if link.is_symlink()) - pool_sockets(daemon)


def pool_sockets(daemon: Daemon) -> int:
    """Open to the server."""
    with daemon.connect() as connection:
        status = connection.call("botod.status")
    return sum(pool["sockets"]["open_num"] for pool in status["pools"])


def rss_bytes(daemon: Daemon) -> int:
    """Resident memory of the daemon."""
    pages = Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


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
