"""The file in which the daemons of a host share their idempotency keys: opened, and checked.

It is SQLite's, in WAL mode, so that readers never wait. synchronous=OFF: the file lies in a runtime
directory, in memory, and goes with the machine anyway; a killed process loses nothing of what it
wrote, since that is with the kernel. Beside it lie SQLite's own -wal and -shm, and .owners.
"""

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from botod.daemon.keys_errors import BadKeysFile, KeysFileFailed
from botod.daemon.owners import Owners

APPLICATION_ID = 0x626F746B
"""Says that a SQLite file is ours: "botk"."""

VERSION = 1
"""Of the tables below."""

BUSY_S = 1.0
"""How long one call waits for other daemons' writes, which take some 20 microseconds each."""

AGAIN_S = 0.005
"""Between tries where SQLite does not wait by itself; to make the file takes about as long."""

TABLES = """
CREATE TABLE keys (
    uid INTEGER, key BLOB, asked BLOB, owner INTEGER, number INTEGER, repeatable INTEGER,
    state INTEGER, settled REAL, size INTEGER, outcome BLOB,
    PRIMARY KEY (uid, key)
) WITHOUT ROWID;
CREATE INDEX by_age ON keys (state, settled) WHERE state > 0;
CREATE INDEX by_user ON keys (uid, settled) WHERE state > 0;
CREATE TABLE users (uid INTEGER PRIMARY KEY, num INTEGER, bytes INTEGER);
CREATE TRIGGER kept AFTER UPDATE OF state ON keys WHEN OLD.state = 0 AND NEW.state > 0 BEGIN
    INSERT INTO users VALUES (NEW.uid, 1, NEW.size)
    ON CONFLICT DO UPDATE SET num = num + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER dropped AFTER DELETE ON keys WHEN OLD.state > 0 BEGIN
    UPDATE users SET num = num - 1, bytes = bytes - OLD.size WHERE uid = OLD.uid;
END;
"""
"""users: sums over a user's settled keys, kept by the triggers; counting takes a millisecond."""


class KeysFile:
    """The open file. db: for one thread at a time. owners: the daemons that have it open."""

    def __init__(self, path: str) -> None:
        """Open it; made if missing. Raises BadKeysFile."""
        self.path = path
        self._names = (path, f"{path}.owners")
        with _told(path):
            _check_folder(Path(path).parent)
            for name in self._names:
                _make(name)
                _check_file(name)
            self.db = _connect(path)
            self.owners = Owners(self._names[1])
            self._found = [_identity(name) for name in self._names]

    def check_there(self) -> None:
        """Raises KeysFileFailed if it was removed or replaced: later daemons use another one."""
        try:
            found = [_identity(name) for name in self._names]
        except OSError as error:
            raise KeysFileFailed(f"{error.filename}: {error.strerror}") from None
        if found != self._found:
            raise KeysFileFailed("it was replaced by another")

    def close(self) -> None:
        """Let go of it; others see from now on that this owner is dead."""
        self.db.close()
        self.owners.close()


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """Raise BadKeysFile for whatever goes wrong."""
    try:
        yield
    except BadKeysFile as error:
        words = str(error)
    except (OSError, sqlite3.OperationalError) as error:
        words = f"{error}; name a file in a directory that the daemon may write in"
    except sqlite3.DatabaseError:
        words = "it is not a keys file of botod; name another path, or remove it"
    else:
        return
    raise BadKeysFile(f"[daemon] keys_file = {path!r}: {words}")


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BadKeysFile(f"there is no directory {folder}; make it, owned by the daemon's user")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadKeysFile(f"the daemon may not write in {folder}; let its user own it")
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise BadKeysFile(f"others may write in {folder}; chmod go-w it, or name another")


def _make(name: str) -> None:
    """Make an empty file for its owner only, if there is none.

    SQLite would give it the rights of the umask. One that is there is not even opened: to close it
    would drop the locks that SQLite may have on it in this process.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _check_file(name: str) -> None:
    found = os.lstat(name)
    if not stat.S_ISREG(found.st_mode):
        raise BadKeysFile(f"{name} is not a regular file; name another path, or remove it")
    if found.st_uid != os.geteuid():
        raise BadKeysFile(
            f"{name} belongs to uid {found.st_uid}, the daemon is {os.geteuid()}; "
            "run all that share it as one user, or remove it"
        )
    if stat.S_IMODE(found.st_mode) != stat.S_IRUSR | stat.S_IWUSR:
        raise BadKeysFile(f"{name} has the rights {stat.S_IMODE(found.st_mode):04o}; chmod 600 it")


def _identity(name: str) -> tuple[int, int]:
    found = os.lstat(name)
    return found.st_dev, found.st_ino


WAL_PAGES = 256
"""Of 4 KiB, in -wal before they go into the file: a MiB. SQLite's own number comes to four times as
much of what is often a small disk, for fewer changes of a file that nobody flushes."""


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(db)
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        with transaction(db):
            _set_up(db)
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Have the file in WAL mode. SQLite waits for a lock, but not for this one.

    Of two that make a file at one moment, as workers do at each boot, one is told that it is
    locked. It is the daemon's start: nobody waits for the loop yet.
    """
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(AGAIN_S)
        else:
            return


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Have the file for oneself, for the length of a block; an error undoes it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _set_up(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables_num,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not found and not tables_num:
        for statement in _statements():
            db.execute(statement)
    elif found != APPLICATION_ID:
        raise BadKeysFile("it is not a keys file of botod; name another path, or remove it")
    elif version != VERSION:
        raise BadKeysFile(
            f"it is of another version of botod ({version}, this one has {VERSION}); "
            "stop all daemons that use it, then remove it"
        )


def _statements() -> Iterator[str]:
    """Those that make an empty file ours; executescript would end the transaction."""
    yield f"PRAGMA application_id = {APPLICATION_ID}"
    yield f"PRAGMA user_version = {VERSION}"
    statement = ""
    for line in TABLES.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
