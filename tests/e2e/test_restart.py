"""Restarts and reloads under load: no request that was read is lost, no connection is refused."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.activator import activator, until
from support.daemons import (
    RUN,
    Daemon,
    as_toml,
    clean_environ,
    endpoints,
    running_daemon,
    short_folder,
)
from support.load import RATE, ROOM, load_on, sqs_server

JOBS_BETWEEN = 300

LOADS = [
    (1, 100.0),
    pytest.param(2, 100.0, marks=pytest.mark.long),
    *(pytest.param(workers, RATE, marks=pytest.mark.long) for workers in (1, 2)),
]
"""Workers, and jobs a second; between two restarts there is the load of a second."""


def restart(path: str) -> None:
    """As an administrator does it."""
    subprocess.run(
        [sys.executable, "-m", "botod.daemon.cli", "restart", "--socket", path],
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize(("workers", "rate"), LOADS)
def test_a_standalone_daemon_begins_anew_under_load(workers: int, rate: float) -> None:
    """In place: its pid and its socket stay, those who connect meanwhile wait."""
    with sqs_server() as server:
        config: dict[str, Any] = endpoints(server.port) | ROOM | {"daemon": {"workers": workers}}
        with running_daemon(config) as daemon:
            with load_on(daemon.socket_path, server, rate=rate) as load:
                for _ in range(3):
                    load.wait_for_more(rate)
                    restart(daemon.socket_path)
                load.wait_for_more(rate)
            assert daemon.stop() == 0
            assert not Path(daemon.socket_path).exists()


@pytest.mark.parametrize(("workers", "rate"), LOADS)
def test_restarts_and_reloads_under_an_activator(workers: int, rate: float) -> None:
    """systemd holds the socket: connections wait there for the next life of the service."""
    with short_folder() as folder, sqs_server() as server:
        config = endpoints(server.port) | ROOM | {"daemon": {"workers": workers}}
        (folder / "botod.toml").write_text(as_toml(config))
        command = [sys.executable, *RUN, "--config", str(folder / "botod.toml")]
        with activator(folder, command, clean_environ(folder)) as systemd:
            systemd.start()
            with load_on(systemd.path, server, rate=rate) as load:
                for _ in range(3):
                    load.wait_for_more(rate)
                    systemd.restart()
                    systemd.reload()
                load.wait_for_more(rate)
            assert systemd.stop() == 0
            assert Path(systemd.path).exists()


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_hundred_reloads_under_load(workers: int) -> None:
    """Each with another configuration; none is lost on the way, and the last one holds."""
    with sqs_server() as server:
        config: dict[str, Any] = endpoints(server.port) | ROOM | {"daemon": {"workers": workers}}
        with running_daemon(config) as daemon, load_on(daemon.socket_path, server) as load:
            load.wait_for_more(JOBS_BETWEEN)
            for number in range(100):
                jobs = 12_000 + number
                limits = ROOM["limits"] | {"jobs": jobs}
                pool = ROOM["pool"] | {"slots_per_host": 50 + number % 10}
                daemon.configure(config | {"limits": limits, "pool": pool})
                daemon.signal(signal.SIGHUP)
                until(partial(_has_jobs, daemon, jobs // workers))
            load.wait_for_more(JOBS_BETWEEN)


def _has_jobs(daemon: Daemon, jobs: int) -> bool:
    """Whether a setting holds in the worker that a new connection comes to."""
    with daemon.connect() as connection:
        return bool(abs(connection.call("botod.hello")["limits"]["jobs"] - jobs) <= 1)
