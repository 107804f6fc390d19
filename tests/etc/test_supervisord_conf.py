"""etc/supervisord.conf under a real supervisord: two workers on one socket, restarted in turn."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import DaemonUnavailable, connect
from support.activator import until
from support.daemons import KEYS, as_toml, endpoints, short_folder
from support.load import RATE, ROOM, load_on, sqs_server
from support.tools import environ, tool

CONFIG = Path(__file__).parents[2] / "etc" / "supervisord.conf"
BOUND_S = 60.0
ANSWER_S = 5.0
"""More than a worker waits for another's figures."""


@dataclass
class Supervisord:
    """One that runs. lines: its standard output, with that of the workers, so far."""

    folder: Path
    config: Path
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    @property
    def socket_path(self) -> str:
        return str(self.folder / "botod.sock")

    def control(self, *words: str) -> None:
        """What an administrator types."""
        subprocess.run(
            [tool("supervisorctl"), "-c", str(self.config), *words],
            env=environ(BOTOD_RUNTIME_DIR=str(self.folder)),
            check=True,
            timeout=BOUND_S,
            stdout=subprocess.DEVNULL,
        )

    def workers(self) -> dict[int, int]:
        """The pids of those that answer, by number; none until both do."""
        with (
            contextlib.suppress(DaemonUnavailable),
            connect(self.socket_path, timeout_s=ANSWER_S) as connection,
        ):
            workers = connection.call("botod.status")["workers"]
            if len(workers) == 2:
                return {one["number"]: one["pid"] for one in workers}
        return {}

    def restart(self, number: int) -> None:
        """Restart one worker, and wait until both answer again."""
        before = self.workers()
        self.control("restart", f"botod:botod_{number}")
        until(lambda: self.workers().get(number, before[number]) != before[number])

    def read_lines(self) -> None:
        assert self.process.stdout is not None, "standard output is a pipe"
        self.lines += (line.rstrip("\n") for line in self.process.stdout)


@contextlib.contextmanager
def supervisord(settings: dict[str, Any] | None = None) -> Iterator[Supervisord]:
    """supervisord with our configuration, and the daemon's own beside it; both workers answer."""
    with short_folder() as folder:
        config = folder / "supervisord.conf"
        config.write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "botod.toml").write_text(as_toml(settings or {}))
        process = subprocess.Popen(
            [tool("supervisord"), "-c", str(config)],
            env=environ(BOTOD_RUNTIME_DIR=str(folder), **KEYS),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        one = Supervisord(folder, config, process)
        reader = threading.Thread(target=one.read_lines, daemon=True)
        reader.start()
        try:
            until(one.workers)
            yield one
            one.control("shutdown")
            assert process.wait(BOUND_S) == 0
        finally:
            process.terminate()
            process.wait(BOUND_S)
            reader.join(BOUND_S)
            process.stdout.close()  # type: ignore[union-attr]


def test_supervisord_starts_workers_and_stops_them() -> None:
    """From the file as it is: started, one killed and started again, stopped."""
    with supervisord() as one:
        before = one.workers()
        os.kill(before[0], signal.SIGKILL)
        until(lambda: one.workers().get(0, before[0]) != before[0])
        assert one.workers()[1] == before[1]
        one.control("stop", "botod:*")
        with pytest.raises(DaemonUnavailable):
            connect(one.socket_path)
    output = "\n".join(one.lines)
    assert "stopped: botod_0 (exit status 0)" in output
    assert "stopped: botod_1 (exit status 0)" in output
    assert "worker 1 botod.daemon.service: stopping: 0 jobs are running" in output


@pytest.mark.long
@pytest.mark.parametrize("rate", [100.0, RATE])
def test_workers_restarted_one_at_a_time_under_load(rate: float) -> None:
    """No connection is refused, and no request lost: the other one takes what comes."""
    with (
        sqs_server() as server,
        supervisord(endpoints(server.port) | ROOM) as one,
        load_on(one.socket_path, server, rate=rate) as load,
    ):
        for number in (0, 1, 0):
            load.wait_for_more(rate)
            one.restart(number)
        one.control("signal", "HUP", "botod:*")
        load.wait_for_more(rate)


def test_a_worker_begins_anew_in_place() -> None:
    """Over its own control socket; over the shared one it would be either, so that is refused."""
    with supervisord() as one:
        before = one.workers()
        command = [tool("botod"), "restart", "--socket"]
        refused = subprocess.run(
            [*command, one.socket_path],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND_S,
        )
        assert "ask each one over its own worker-K.sock" in refused.stderr
        subprocess.run([*command, str(one.folder / "worker-1.sock")], check=True, timeout=BOUND_S)
        assert one.workers() == before
    assert sum("botod.daemon.service: listening on" in line for line in one.lines) == 3


@pytest.mark.long
def test_the_watchdog_restarts_a_worker_that_does_not_answer() -> None:
    """It is stopped, so that SIGABRT does nothing: the next look kills it."""
    with supervisord() as one:
        before = one.workers()
        until(lambda: any("entered RUNNING state" in line for line in one.lines))
        os.kill(before[0], signal.SIGSTOP)
        until(lambda: one.workers().get(0, before[0]) != before[0], bound_s=2 * BOUND_S)
        assert one.workers()[1] == before[1]
    output = "\n".join(one.lines)
    assert f"botod_0, pid {before[0]}: SIGABRT" in output
