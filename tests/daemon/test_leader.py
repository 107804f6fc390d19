"""One leads."""

from pathlib import Path

import pytest

from botod.daemon.leader import Leader


def test_one_leads_until_it_is_gone(tmp_path: Path) -> None:
    """Then the next to ask."""
    path = str(tmp_path / "leader")
    one, other = Leader(path), Leader(path)
    assert (one.leads(), other.leads(), one.leads()) == (True, False, True)
    one.close()
    assert other.leads()
    other.close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Somebody else put it there."""
    (tmp_path / "leader").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Leader(str(tmp_path / "leader"))
