"""Which unit a peer belongs to, looked up once."""

import os
from pathlib import Path

import pytest

from botod.daemon import units
from botod.daemon.units import Units
from botod.ipc.exchange import Sender


def peer(connection_id: int = 1, pid: int = 7) -> Sender:
    """One of user 1000."""
    return Sender(pid, 1000, 1000, connection_id)


def process(proc: Path, cgroup: str, pid: int = 7) -> None:
    """What /proc says of a process of user 1000."""
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "status").write_text("Name:\tx\nUid:\t1000\t1000\t1000\t1000\n")
    (folder / "cgroup").write_text(f"0::{cgroup}\n")


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("/system.slice/web@1.service", "web@1.service"),
        ("/docker/0123", "/docker/0123"),
        ("/", None),
    ],
)
def test_a_unit_or_else_a_cgroup(tmp_path: Path, cgroup: str, unit: str | None) -> None:
    """Of what is in neither there is nothing to tell."""
    process(tmp_path, cgroup)
    assert Units(str(tmp_path)).of(peer()) == unit


def test_a_peer_is_looked_up_once(tmp_path: Path) -> None:
    """A connection; who has gone by then is known all the same, and who was never seen is not."""
    process(tmp_path, "/system.slice/web.service")
    known = Units(str(tmp_path))
    assert known.of(peer()) == "web.service"
    process(tmp_path, "/system.slice/other.service")
    assert known.of(peer()) == "web.service"
    assert known.of(peer(connection_id=2)) == "other.service"
    assert known.of(peer(pid=8)) is None
    assert Units().of(Sender(os.getpid(), os.getuid() + 1, 0, 1)) is None


def test_few_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is looked up again."""
    monkeypatch.setattr(units, "REMEMBERED", 2)
    process(tmp_path, "/system.slice/web.service")
    known = Units(str(tmp_path))
    for number in range(3):
        known.of(peer(number))
    process(tmp_path, "/system.slice/other.service")
    assert [known.of(peer(number)) for number in (2, 0)] == ["web.service", "other.service"]
