"""Who serves the numbers, and where; whole daemons are in e2e/test_metrics.py."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from botod.daemon.colleagues import Colleagues
from botod.daemon.leader import Leader
from botod.daemon.listener import SocketInUse, open_listener
from botod.daemon.metrics import admin
from botod.daemon.metrics.admin import Admin, settings_name
from botod.daemon.metrics.snapshot import Snapshot
from botod.daemon.settings import MetricsSettings
from support.daemons import short_folder
from support.expositions import ask
from support.loops import BOUND_S, run, until


class Told:
    """What a worker tells, as far as it is asked for here."""

    def __init__(self, *, is_ready: bool) -> None:
        self.is_ready = is_ready

    async def __call__(self) -> dict[str, Any]:
        return {"is_ready": self.is_ready}


class Others:
    """Colleagues: one other worker."""

    def __init__(self, *, is_ready: bool) -> None:
        self._told = {"is_ready": is_ready}

    async def ask(self, method: str, params: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        assert (method, params) == ("botod.metrics", {})
        return [self._told], []


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runtime directory; nobody waits for long."""
    monkeypatch.setattr(admin, "TRY_S", 0.01)
    monkeypatch.setattr(admin, "OPEN_PAUSE_S", 0.0)
    with short_folder() as one:
        yield one


def serving(
    folder: Path,
    settings: MetricsSettings = MetricsSettings(),  # noqa: B008 - a frozen value
    *,
    leader: Leader | None = None,
    is_ready: bool = True,
    other_is_ready: bool | None = None,
) -> Admin:
    """One that may serve in `folder`."""
    others = None if other_is_ready is None else Others(is_ready=other_is_ready)
    return Admin(
        str(folder),
        settings,
        cast("Snapshot", Told(is_ready=is_ready)),
        leader=leader,
        colleagues=cast("Colleagues | None", others),
    )


def test_only_who_leads_serves(folder: Path) -> None:
    """The next one does when the first has gone, at the same place."""

    async def main() -> None:
        leaders = [Leader(str(folder / "leader")) for _ in range(2)]
        one, other = (serving(folder, leader=leader) for leader in leaders)
        await one.start()
        await other.start()
        path = folder / "admin.sock"
        await until(path.exists)
        inode = path.stat().st_ino
        await asyncio.sleep(0.05)  # several looks of the other one
        assert path.stat().st_ino == inode
        await one.close()
        assert not path.exists()
        leaders[0].close()
        await until(path.exists)
        await other.close()
        leaders[1].close()

    run(main)


def test_it_is_closed_while_a_socket_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a thread, which is not stopped: what it made is closed, and its name is let go of."""
    makes, may_make = threading.Event(), threading.Event()
    made: list[socket.socket] = []

    def slowly(path: str, mode: int) -> socket.socket:
        makes.set()
        assert may_make.wait(BOUND_S)
        made.append(open_listener(path, mode))
        return made[0]

    monkeypatch.setattr(admin, "open_listener", slowly)

    async def main() -> None:
        one = serving(folder)
        await one.start()
        await until(makes.is_set)
        closing = asyncio.create_task(one.close())
        await asyncio.sleep(0.01)  # it has begun
        may_make.set()
        await closing
        assert [sock.fileno() for sock in made] == [-1]
        assert not (folder / "admin.sock").exists()

    run(main)


def test_ready_while_any_worker_is(folder: Path) -> None:
    """Whoever serves may drain, and another one take jobs."""

    async def main() -> None:
        for own, other, status in ((True, None, 200), (False, True, 200), (False, False, 503)):
            one = serving(folder, is_ready=own, other_is_ready=other)
            await one.start()
            await until(lambda one=one: one._servers)
            assert (await asyncio.to_thread(ask, folder / "admin.sock", "/readyz"))[0] == status
            await one.close()

    run(main)


def test_a_port_that_is_somebody_else_s(folder: Path) -> None:
    """Whoever leads does not start; who does not lead is none the wiser."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            settings = MetricsSettings(port=other.getsockname()[1])
            with pytest.raises(SocketInUse, match=r"\[metrics\] port: cannot listen on 127.0.0.1:"):
                await serving(folder, settings).start()
            first, second = (Leader(str(folder / "leader")) for _ in range(2))
            assert first.leads()
            follower = serving(folder, settings, leader=second)
            await follower.start()
            await follower.close()
            first.close()
            second.close()

    run(main)


def test_what_is_in_the_socket_s_place_is_told_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And left alone; when it has gone the socket is there."""

    async def main() -> None:
        path = folder / "admin.sock"
        path.write_text("mine")
        one = serving(folder)
        await one.start()
        await until(lambda: "something that is not a socket" in caplog.text)
        await asyncio.sleep(0.05)  # several more tries
        assert path.read_text() == "mine"
        assert caplog.text.count("metrics are not served there") == 1
        path.unlink()
        await until(path.is_socket)
        await one.close()

    run(main)
    caplog.clear()


def test_an_address_is_named_as_in_a_url() -> None:
    """With brackets where colons stand in it."""
    assert settings_name(MetricsSettings(port=9393)) == "127.0.0.1:9393"
    assert settings_name(MetricsSettings(port=9393, address="::1")) == "[::1]:9393"
