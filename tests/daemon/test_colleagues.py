"""A worker's control socket, and what it hears from the others."""

import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botod.daemon import colleagues
from botod.daemon.colleagues import Colleagues
from botod.daemon.listener import SocketInUse
from botod.daemon.share import Share
from botod.ipc.aio import connect
from botod.ipc.exchange import Exchange
from support.daemons import short_folder
from support.loops import run


@pytest.fixture
def folder() -> Iterator[Path]:
    """The runtime directory."""
    with short_folder() as one:
        yield one


def figures(number: int) -> dict[str, Any]:
    """A worker's own status, as far as it is looked at here."""
    return {
        "worker": number,
        "is_leader": number == 1,
        "pid": 100 + number,
        "uptime_s": number,
        "peers": [{"pid": 1}] * number,
        "jobs": {"running_num": 10 * number},
    }


def worker(folder: Path, number: int, workers_num: int = 2) -> Colleagues:
    """One that tells its own figures on its control socket."""

    def answer(exchange: Exchange) -> None:
        exchange.answer(figures(number))

    return Colleagues(str(folder), Share(number, workers_num), answer)


def test_the_status_of_all(folder: Path) -> None:
    """Merged, with a few figures of each, by number."""

    async def main() -> None:
        one, other = worker(folder, 0), worker(folder, 1)
        await one.open()
        await other.open()
        status = await other.status(lambda: figures(1), {})
        assert status["jobs"] == {"running_num": 10}
        assert (status["uptime_s"], status["pid"], len(status["peers"])) == (1, 101, 1)
        assert [found["number"] for found in status["workers"]] == [0, 1]
        assert status["workers"][1] == {
            "number": 1,
            "pid": 101,
            "is_leader": True,
            "uptime_s": 1,
            "peers_num": 1,
            "running_num": 10,
        }
        await one.close()
        await other.close()

    run(main)


def test_who_does_not_answer_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is not there, and one that is stuck; the log says so."""
    monkeypatch.setattr(colleagues, "ASK_TIMEOUT_S", 0.05)

    async def main() -> None:
        one = worker(folder, 0, 3)
        await one.open()
        with socket.socket(socket.AF_UNIX) as stuck:
            stuck.bind(str(folder / "worker-1.sock"))
            stuck.listen()
            status = await one.status(lambda: figures(0), {})
        assert [found["number"] for found in status["workers"]] == [0]
        stuck_one, missing_one = status["silent"]
        assert stuck_one == {"worker": 1, "why": "no answer"}
        assert missing_one["worker"] == 2
        assert "no daemon answers" in missing_one["why"]
        await one.close()

    run(main)
    assert "worker 1 does not answer botod.status: no answer" in caplog.text
    assert "worker 2 does not answer botod.status: no daemon answers" in caplog.text


def test_it_is_for_its_own_user(folder: Path) -> None:
    """The file's rights say so, and its peers are asked who they are."""

    async def main() -> None:
        one = worker(folder, 0)
        await one.open()
        path = folder / "worker-0.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with await connect(str(path)) as connection:
            assert (await connection.call("botod.status"))["pid"] == 100
        await one.close()

    run(main)


def test_the_one_before_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets go of the name as it begins to stop, and answers on for whoever is connected."""
    monkeypatch.setattr(colleagues, "OPEN_PAUSE_S", 0.001)

    async def main() -> None:
        old, new = worker(folder, 0), worker(folder, 0)
        await old.open()
        async with await connect(str(folder / "worker-0.sock")) as connection:
            await connection.call("botod.ping")
            opening = asyncio.create_task(new.open())
            await asyncio.sleep(0)
            old.leave()
            await opening
            assert (await connection.call("botod.ping"))["pid"] == 100
        await old.close()
        assert (folder / "worker-0.sock").is_socket()
        await new.close()

    run(main)


def test_somebody_else_s_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another daemon has its workers here: this one does not start."""
    monkeypatch.setattr(colleagues, "OPEN_PAUSE_S", 0.0)

    async def main() -> None:
        one, other = worker(folder, 0), worker(folder, 0)
        await one.open()
        with pytest.raises(SocketInUse, match=r"worker-0\.sock: a daemon answers there already"):
            await other.open()
        await one.close()

    run(main)
