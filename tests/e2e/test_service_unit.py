"""What stands in etc/botod.service, started as systemd starts it: notified, watched, reloaded."""

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import connect
from support.activator import Activator, Unit, activator, until
from support.daemons import BOUND_S, KEYS, NO_METADATA, as_toml, clean_environ, short_folder
from support.tools import tool

ETC = Path(__file__).parents[2] / "etc"
UNIT = Unit.read(ETC / "botod.service")
ENVIRON = [f"-E{name}={value}" for name, value in {**KEYS, **NO_METADATA}.items()]
"""systemd-socket-activate passes nothing of its own environment on."""

WATCHDOG_S = 3.0
"""In place of the unit's 30: the test waits for some of them."""

STUCK = """
import sys, time
from botod.daemon.compiled_code import use_compiled_code
use_compiled_code()
from botod.daemon import service
from botod.daemon.cli import main
service.Service._on_reopen_signal = lambda _self: time.sleep(3600)
sys.exit(main(sys.argv[1:]))
"""
"""The daemon, with a loop that SIGUSR1 brings to a stop."""


@contextlib.contextmanager
def systemd(
    config: Mapping[str, Any], command: list[str] | None = None
) -> Iterator[tuple[Activator, Path]]:
    """systemd with the unit's command, or another program; and the configuration's file."""
    with short_folder() as folder:
        file = folder / "botod.toml"
        file.write_text(as_toml(config))
        assert UNIT.command == [
            "/usr/local/bin/botod", "run", "--config", "/etc/botod/botod.toml"
        ]  # fmt: skip
        words = [*(command or [tool("botod")]), "run", "--config", str(file)]
        with activator(folder, words, clean_environ(folder), WATCHDOG_S) as one:
            yield one, file


def pid(one: Activator) -> int:
    """Of whoever answers."""
    return pid_at(one.path)


def pid_at(path: str) -> int:
    """Of whoever answers there."""
    with connect(path) as connection:
        found: int = connection.call("botod.ping")["pid"]
        return found


def test_the_unit_says_what_the_test_takes_for_given() -> None:
    """Type and watchdog; the reload's signal."""
    assert UNIT.settings["Type"] == ["notify"]
    assert UNIT.settings["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert UNIT.watchdog_s == 30
    assert shutil.which("kill", path="/bin:/usr/bin")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_life_as_systemd_hears_it(workers: int) -> None:
    """Ready, alive again and again, reloading and ready, stopping; with a status for a person."""
    with systemd({"daemon": {"workers": workers}}) as (one, _file):
        one.start()
        process = one.process
        assert process is not None
        assert (pid(one) == process.pid) == (workers == 1)
        one.wait_for("WATCHDOG=1", times=3)
        one.reload()
        assert one.stop() == 0
        one.wait_for("STOPPING=1")
        said = [line for _life, line in one.said if line != "WATCHDOG=1"]
        order = [
            line for line in said if line.partition("=")[0] in {"READY", "RELOADING", "STOPPING"}
        ]
        assert order == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
        after = said[said.index("RELOADING=1") + 1]
        assert after.startswith("MONOTONIC_USEC=")
        assert any(line.startswith("STATUS=") for line in said)
        assert Path(one.path).exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_loop_that_is_stuck(workers: int) -> None:
    """A single one is silent, and systemd aborts it; a worker's master does that itself.

    Where it stands is in the log. The next one serves those who waited.
    """
    with systemd({"daemon": {"workers": workers}}, [sys.executable, "-c", STUCK]) as (one, _file):
        one.start()
        assert one.process is not None
        one.process.send_signal(signal.SIGUSR1)
        if workers == 1:
            assert one.abort_when_silent() == -signal.SIGABRT
            one.start()
        else:
            one.wait_for_line("worker 1, pid")
            one.wait_for_line("is ready", times=4)
        one.wait_for_line("Fatal Python error: Aborted")
        one.wait_for_line("<lambda>")
        assert pid(one)
        assert one.stop() == 0


def test_a_reload_of_what_cannot_be() -> None:
    """It is refused, with every mistake; the old configuration stays, and systemd is not kept."""
    with systemd({"limits": {"jobs": 100}}) as (one, file):
        one.start()
        before = pid(one)
        file.write_text(as_toml({"limits": {"jobs": 0}, "pool": {"slots": 1}}))
        one.reload()
        one.wait_for_line("not reloaded, all stays as it was")
        one.wait_for_line("[pool] slots: unknown setting")
        assert pid(one) == before
        file.write_text(as_toml({"limits": {"jobs": 200}, "daemon": {"remember_s": 1}}))
        one.reload()
        one.wait_for_line("these settings need a restart: [daemon] remember_s")
        one.wait_for_line("reloaded; changed: [limits] jobs")
        with connect(one.path) as connection:
            limits = connection.call("botod.hello")["limits"]
        assert (limits["jobs"], limits["remember_s"]) == (200, 600)
        assert one.stop() == 0


def test_two_sockets_are_one_too_many() -> None:
    """The start fails at once, and says why."""
    with systemd({}) as (one, _file):
        one.environ = {**one.environ, "SOCKETS": "2"}
        with pytest.raises(AssertionError, match="LISTEN_FDS is 2: botod serves one socket"):
            one.start()


def test_systemd_s_own_activation() -> None:
    """Its program hands the socket over with the first connection, whose request is answered."""
    with short_folder() as folder:
        path = str(folder / "botod.sock")
        (folder / "botod.toml").write_text("")
        process = subprocess.Popen(
            [
                tool("systemd-socket-activate"), "-l", path, *ENVIRON,
                tool("botod"), "run", "--config", str(folder / "botod.toml"),
            ],
            env=clean_environ(folder),
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            until(Path(path).exists)
            assert pid_at(path) == process.pid
            process.send_signal(signal.SIGTERM)
            assert process.wait(BOUND_S) == 0
            assert Path(path).exists()  # it was not ours to remove
        finally:
            process.kill()
            process.wait(BOUND_S)
