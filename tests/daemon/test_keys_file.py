"""The keys file: made, checked, opened, and found to be gone."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from botod.daemon import keys_file
from botod.daemon.keys_errors import BadKeysFile, KeysFileFailed
from botod.daemon.keys_file import KeysFile, transaction


def mistake(path: Path) -> str:
    """Why the file cannot be used."""
    with pytest.raises(BadKeysFile) as caught:
        KeysFile(str(path))
    start = f"[daemon] keys_file = {str(path)!r}: "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


def test_it_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """Itself, and what lies beside it, whatever the umask; and it is opened again."""
    before = os.umask(0)
    try:
        file = KeysFile(str(tmp_path / "keys"))
    finally:
        os.umask(before)
    again = KeysFile(str(tmp_path / "keys"))
    rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert rights == dict.fromkeys(("keys", "keys.owners", "keys-wal", "keys-shm"), 0o600)
    assert again.db.execute("SELECT count(*) FROM keys").fetchone() == (0,)
    file.check_there()
    file.close()
    again.close()


def test_it_is_in_memory_and_never_waits_for_a_disk(tmp_path: Path) -> None:
    """What makes a claim cheap."""
    file = KeysFile(str(tmp_path / "keys"))
    assert file.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file.db.execute("PRAGMA synchronous").fetchone() == (0,)
    file.close()


def test_many_make_it_at_once(tmp_path: Path) -> None:
    """All of them open one and the same, at one moment, time and again."""
    program = (
        "import sys; from botod.daemon.keys_file import KeysFile\n"
        "for line in sys.stdin:\n"
        "    KeysFile(line.strip()).close(); print('made', flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for number in range(60):
        for process in processes:
            assert process.stdin is not None, "asked for as a pipe"
            print(tmp_path / f"keys-{number}", file=process.stdin, flush=True)
        for process in processes:
            assert process.stdout is not None, "asked for as a pipe"
            assert process.stdout.readline() == "made\n"
    for process in processes:
        process.communicate()
        assert process.returncode == 0


def test_its_directory_has_to_be_there_and_its_user_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake comes with its cure."""
    assert "there is no directory" in mistake(tmp_path / "none" / "keys")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "chmod go-w it" in mistake(tmp_path / "open" / "keys")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "may not write in" in mistake(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def a_link(path: Path) -> None:
    """To another file."""
    path.symlink_to("/etc/hosts")


def a_text(path: Path) -> None:
    """Somebody's notes."""
    path.write_text("call home\n" * 1000)
    path.chmod(0o600)


def open_to_all(path: Path) -> None:
    """Its rights are too many."""
    path.touch()
    path.chmod(0o644)


def another_s(path: Path) -> None:
    """A database of another program."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE songs (title)")
    db.close()
    path.chmod(0o600)


def a_later_one(path: Path) -> None:
    """A keys file of a later version."""
    file = KeysFile(str(path))
    file.db.execute("PRAGMA user_version = 9")
    file.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (a_link, "is not a regular file; name another path, or remove it"),
        (Path.mkdir, "is not a regular file; name another path, or remove it"),
        (a_text, "it is not a keys file of botod; name another path, or remove it"),
        (open_to_all, "has the rights 0644; chmod 600 it"),
        (another_s, "it is not a keys file of botod; name another path, or remove it"),
        (a_later_one, "another version of botod (9, this one has 1); stop all daemons"),
    ],
)
def test_what_is_not_ours_is_left_alone(
    make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    """Said in words, with what to do."""
    make(tmp_path / "keys")
    assert words in mistake(tmp_path / "keys")


def test_another_user_s_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns it could change what others are told."""
    KeysFile(str(tmp_path / "keys")).close()
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    assert f"belongs to uid {uid}, the daemon is {uid + 1}" in mistake(tmp_path / "keys")


def test_a_file_that_another_keeps_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start ends in bounded time."""
    monkeypatch.setattr(keys_file, "BUSY_S", 0.0)
    file = KeysFile(str(tmp_path / "keys"))
    with transaction(file.db):
        assert "database is locked" in mistake(tmp_path / "keys")
    file.close()


@pytest.mark.parametrize("name", ["keys", "keys.owners"])
def test_a_file_that_is_lost_is_noticed(name: str, tmp_path: Path) -> None:
    """Removed, and replaced: who starts later would not share keys with us."""
    file = KeysFile(str(tmp_path / "keys"))
    (tmp_path / name).unlink()
    with pytest.raises(KeysFileFailed, match="No such file"):
        file.check_there()
    (tmp_path / name).touch()
    with pytest.raises(KeysFileFailed, match="replaced"):
        file.check_there()
    file.close()


def test_an_error_undoes_a_transaction(tmp_path: Path) -> None:
    """All or nothing."""
    file = KeysFile(str(tmp_path / "keys"))
    with contextlib.suppress(ZeroDivisionError), transaction(file.db):
        file.db.execute("INSERT INTO users VALUES (1, 2, 3)")
        raise ZeroDivisionError
    assert file.db.execute("SELECT count(*) FROM users").fetchone() == (0,)
    file.close()


def test_what_is_not_in_the_file_yet_takes_little_room(tmp_path: Path) -> None:
    """A MiB and what one transaction has: disks for this are small."""
    path = tmp_path / "keys"
    file = KeysFile(str(path))
    file.db.execute("CREATE TABLE filler (x)")
    for _ in range(500):
        with transaction(file.db):
            file.db.execute("INSERT INTO filler VALUES (?)", ("x" * 9000,))
    assert (tmp_path / "keys-wal").stat().st_size < 1_500_000
    file.close()
