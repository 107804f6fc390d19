"""Open uploads on disk: what a process that died leaves, and whose it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.upload_files import (
    BadStateDir,
    OpenUpload,
    left_behind,
    open_folder,
    state_folder,
)

ONE = OpenUpload("default", "photos", "cat.jpg", "id-1", {"RequestPayer": "requester"})
TWO = OpenUpload("backup", "photos", "ü\0\n/", "id-2")

DIES = """
import os, sys
from botod.daemon.upload_files import OpenUpload, open_folder
folder = open_folder(sys.argv[1])
folder.write(OpenUpload("default", "photos", "cat.jpg", "id-1", {"RequestPayer": "requester"}))
os.kill(os.getpid(), 9)
"""


def test_what_was_written_is_there_until_it_is_removed(tmp_path: Path) -> None:
    """Whatever the names are; what was not written can be removed too."""
    folder = open_folder(str(tmp_path))
    for upload in (ONE, TWO):
        folder.write(upload)
    assert {upload.upload_id: upload for upload in folder.uploads()} == {"id-1": ONE, "id-2": TWO}
    folder.remove(ONE)
    folder.remove(ONE)
    assert folder.uploads() == [TWO]
    folder.close()
    assert folder.path.exists()


def test_an_empty_folder_goes_with_its_process(tmp_path: Path) -> None:
    """Nothing is left to be looked through."""
    folder = open_folder(str(tmp_path))
    folder.close()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_only_what_the_dead_left_is_found(tmp_path: Path) -> None:
    """One that lives keeps its own, also from one that starts beside it."""
    living = open_folder(str(tmp_path))
    living.write(TWO)
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    starting = open_folder(str(tmp_path))
    (starting.path.parent / "a-file-of-somebody-s").touch()
    (found,) = left_behind(starting)
    assert found.uploads() == [ONE]
    assert left_behind(living) == []  # it is taken
    found.remove(ONE)
    found.close()
    assert not found.path.exists()
    for folder in (living, starting):
        folder.close()


def test_what_was_never_whole_is_dropped(tmp_path: Path) -> None:
    """Its parts were not sent yet."""
    folder = open_folder(str(tmp_path))
    (folder.path / ".draft").write_bytes(b"{")
    (folder.path / "torn.json").write_bytes(b'{"profile": "def')
    (folder.path / "other.json").write_bytes(b'{"a": 1}')
    (folder.path / "list.json").write_bytes(b"[]")
    assert folder.uploads() == []
    folder.close()
    assert not folder.path.exists()


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting, else the first that systemd names, else nowhere."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert state_folder("") is None
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/a:{tmp_path}/b")
    for setting, name in (("", "a"), (f"{tmp_path}/c", "c")):
        folder = state_folder(setting)
        assert folder is not None
        assert folder.path.parent == tmp_path / name / "uploads"
        folder.close()


def test_a_directory_of_no_use_is_named(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(BadStateDir, match="state_dir"):
        state_folder(str(tmp_path / "file"))


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """Names of keys may tell much."""
    folder = open_folder(str(tmp_path / "state"))
    folder.write(ONE)
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state" / "uploads").iterdir()}
    assert modes == {0}
    folder.remove(ONE)
    folder.close()
