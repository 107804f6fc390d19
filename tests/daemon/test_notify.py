"""What whoever started the daemon is told."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.daemon import notify
from botod.daemon.notify import Notifier, keep_telling, notifier
from support.daemons import short_folder
from support.loops import run, until


@pytest.fixture
def folder() -> Iterator[Path]:
    """For sockets."""
    with short_folder() as one:
        yield one


def pair() -> tuple[Notifier, socket.socket]:
    """A worker's end, and its master's."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return Notifier(theirs, watchdog_s=0.003), ours


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told(folder: Path, is_abstract: bool) -> None:
    """At a path, or at an abstract name, which is written with an @."""
    name = f"@botod-test-{os.getpid()}" if is_abstract else str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0"))
        one = notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1500000"})
        assert one.watchdog_s == 1.5
        one.ready()
        one.reloading()
        one.stopping()
        one.alive()
        one.status("2 jobs")
        heard = [systemd.recv(1000).decode() for _ in range(5)]
        one.close()
        one.ready()
    reloading, stamp = heard.pop(1).split("\n")
    assert heard == ["READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=2 jobs"]
    assert reloading == "RELOADING=1"
    assert stamp.startswith("MONOTONIC_USEC=")


def test_nobody_asks() -> None:
    """Then nothing is said, and nothing waited for."""
    one = notifier({"WATCHDOG_USEC": "1000000"})
    assert (one.is_heard, one.watchdog_s) == (False, 0)
    one.ready()
    run(lambda: keep_telling(one, str))


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_whom_the_watchdog_is_for(folder: Path, environ: dict[str, str], watchdog_s: float) -> None:
    """The pid that it names; nobody, if it says no time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        one = notifier({"NOTIFY_SOCKET": str(folder / "notify"), **environ})
        assert one.watchdog_s == watchdog_s
        one.close()


def test_a_socket_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the daemon runs all the same."""
    assert not notifier({"NOTIFY_SOCKET": "/no/such/socket"}).is_heard
    assert "NOTIFY_SOCKET=/no/such/socket cannot be reached" in caplog.text
    caplog.clear()


def test_a_socket_that_is_full(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        one = notifier({"NOTIFY_SOCKET": str(folder / "notify")})
        while "cannot tell whoever started us WATCHDOG=1" not in caplog.text:
            one.alive()
        one.close()
    caplog.clear()


def test_signs_of_life_and_a_status_that_changes() -> None:
    """The status is said once for each that differs."""

    async def main() -> None:
        one, master = pair()
        words = ["a"]
        task = asyncio.create_task(keep_telling(one, lambda: words[0]))
        heard: list[str] = []
        await until(lambda: _hear(master, heard) and heard.count("WATCHDOG=1") == 3)
        words[0] = "b"
        await until(lambda: _hear(master, heard) and "STATUS=b" in heard)
        task.cancel()
        assert [line for line in heard if line != "WATCHDOG=1"] == ["STATUS=a", "STATUS=b"]
        one.close()
        master.close()

    run(main)


def test_without_a_watchdog_there_is_a_status(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no sign of life, for which nobody waits."""
    monkeypatch.setattr(notify, "STATUS_S", 0.001)

    async def main() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as systemd:
            systemd.bind(str(folder / "notify"))
            one = notifier({"NOTIFY_SOCKET": str(folder / "notify")})
            numbers = iter(range(1000))
            task = asyncio.create_task(keep_telling(one, lambda: str(next(numbers))))
            heard: list[str] = []
            await until(lambda: _hear(systemd, heard) and len(heard) >= 3)
            task.cancel()
            one.close()
            assert heard[:3] == ["STATUS=0", "STATUS=1", "STATUS=2"]

    run(main)


def test_a_worker_that_is_alone() -> None:
    """It is told once; what it says then goes nowhere."""

    async def main() -> None:
        one, master = pair()
        alone: list[str] = []
        one.listen(alone=lambda: alone.append("alone"), refused=alone.append)
        master.close()
        one.ready()
        await until(lambda: alone)
        assert not one.is_heard
        one.ready()
        assert alone == ["alone"]

    run(main)


def test_a_worker_hears_what_its_master_refused() -> None:
    """As often as that is."""

    async def main() -> None:
        one, master = pair()
        heard: list[str] = []
        one.listen(alone=lambda: heard.append("alone"), refused=heard.append)
        for words in ("jobs = 0", "jobs = -1"):
            master.send(words.encode())
        await until(lambda: len(heard) == 2)
        master.close()
        await until(lambda: len(heard) == 3)
        assert heard == ["jobs = 0", "jobs = -1", "alone"]

    run(main)


def _hear(master: socket.socket, heard: list[str]) -> bool:
    try:
        while True:
            heard.append(master.recv(1000).decode())
    except BlockingIOError:
        return True
