"""Who lives, by the locks."""

import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.owners import Owners

LIVE = (
    "import sys; from botod.daemon.owners import Owners;"
    "one = Owners(sys.argv[1]); print(one.own, flush=True); sys.stdin.read()"
)


def test_an_owner_lives_until_it_is_closed(tmp_path: Path) -> None:
    """Each sees itself and the other, though both are of one process."""
    first, second = (Owners(str(tmp_path / "owners")) for _ in range(2))
    assert first.own != second.own
    assert all(one.is_alive(owner.own) for one in (first, second) for owner in (first, second))
    second.close()
    assert not first.is_alive(second.own)
    assert first.is_alive(first.own)
    first.close()


def test_a_killed_process_is_dead(tmp_path: Path) -> None:
    """The kernel says so, without anything that it would have had to do."""
    path = str(tmp_path / "owners")
    owners = Owners(path)
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        other = int(process.stdout.readline())
        assert owners.is_alive(other)
        process.kill()
        process.wait()
        assert not owners.is_alive(other)
    owners.close()


def test_its_file_is_nobody_else_s(tmp_path: Path) -> None:
    """Whatever the umask; nor is a link followed."""
    Owners(str(tmp_path / "owners")).close()
    assert (tmp_path / "owners").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to("owners")
    with pytest.raises(OSError, match="link"):
        Owners(str(tmp_path / "link"))
