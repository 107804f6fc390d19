"""Files that a download fills, and how far it has come."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.files import PartFile, Progress, is_special


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    """It is written beside its place, and put there by `keep` in one step."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with PartFile(str(path)) as part:
        part.file.write(b"new")
        assert path.read_bytes() == b"old"
        assert len(list(tmp_path.iterdir())) == 2
        part.keep()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, None])
def test_what_is_not_kept_is_removed(tmp_path: Path, error: type[BaseException] | None) -> None:
    """Whatever ended it; it is closed too."""
    try:
        with PartFile(str(tmp_path / "f")) as part:
            part.file.write(b"half")
            if error is not None:
                raise error
    except (OSError, KeyboardInterrupt):
        assert error is not None
    assert list(tmp_path.iterdir()) == []
    assert part.file.closed


def test_a_name_as_long_as_may_be(tmp_path: Path) -> None:
    """The name beside it is made of a part of it, also where that cuts a letter in two."""
    path = tmp_path / ("ä" * 127)
    with PartFile(str(path)) as part:
        part.keep()
    assert path.exists()


def test_two_downloads_of_one_file(tmp_path: Path) -> None:
    """Neither writes into the other's; the later one stays."""
    path = tmp_path / "f"
    with PartFile(str(path)) as one, PartFile(str(path)) as other:
        one.file.write(b"1")
        other.file.write(b"2")
        other.keep()
        one.keep()
    assert path.read_bytes() == b"1"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It is said before anything is downloaded."""
    with pytest.raises(IsADirectoryError, match="name the file"):
        PartFile(str(tmp_path))


def test_what_is_written_to_as_it_is(tmp_path: Path) -> None:
    """A pipe and a device are; a file, a folder and what is not there are not."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/dev/null")
    names = ["pipe", "link", "file", "none", "."]
    assert [is_special(str(tmp_path / name)) for name in names] == [True, True, False, False, False]


@given(st.lists(st.integers(0, 1000)))
def test_what_was_told_adds_up_to_where_it_is(totals: list[int]) -> None:
    """Another attempt begins anew: then less than nothing is told; no change is not told."""
    told: list[int] = []
    progress = Progress(told.append, "bytes_sent")
    for total in totals:
        progress.take({"bytes_sent": total})
        assert sum(told) == total
    assert 0 not in told


def test_who_does_not_want_to_know_is_not_told() -> None:
    """Then the daemon is not asked to tell either."""
    assert Progress(None, "bytes_sent").listener is None
    Progress(None, "bytes_sent").reached(5)


def test_other_news_are_none_of_ours() -> None:
    """A value without the key says nothing of bytes."""
    told: list[int] = []
    Progress(told.append, "bytes_sent").take({"state": "waiting"})
    assert told == []
