"""What a user may do to files, by their modes."""

import os
from pathlib import Path

import pytest

from botod.daemon.callers import Caller
from botod.daemon.doctor.rights import ENTER, READ, WRITE, closed_to, may, rights_text


def status(mode: int, uid: int, gid: int) -> os.stat_result:
    """A file of somebody's."""
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("uid", "groups", "mode", "right", "is_allowed"),
    [
        (7, {70}, 0o400, READ, True),
        (7, {70}, 0o400, WRITE, False),
        (7, {70}, 0o077, READ, False),  # the owner's own bits are what counts
        (8, {70}, 0o040, READ, True),
        (8, {70}, 0o707, READ, False),
        (8, {80}, 0o001, ENTER, True),
        (8, {80}, 0o770, ENTER, False),
        (0, set(), 0o000, WRITE, True),
    ],
)
def test_owner_group_and_others(
    uid: int, groups: set[int], mode: int, right: int, is_allowed: bool
) -> None:
    """The first of them that one is decides, as in the kernel; root may everything."""
    assert may(Caller(uid, frozenset(groups)), status(mode, 7, 70), right) is is_allowed


def test_a_closed_directory(tmp_path: Path) -> None:
    """The topmost is named; what is below does not matter."""
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.chmod(0o700)
    (tmp_path / "closed").chmod(0o700)
    own = Caller((tmp_path / "closed").stat().st_uid)
    assert closed_to(own, str(inner / "file")) is None
    above = closed_to(Caller(4021), str(inner / "file"))
    assert above is not None
    assert Path(above) in [*tmp_path.parents, tmp_path, tmp_path / "closed"]
    assert rights_text((tmp_path / "closed").stat()) == "0700"
