"""Multipart uploads that are open, remembered on disk: what a daemon that dies leaves at S3.

Each process has a folder of its own, in which there is a file for each upload, and a lock that it
holds as long as it lives. So a folder whose lock can be taken is that of a process that died.
"""

import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

LOCK = "lock"

MAX_FILE_BYTES = 64 * 1024
"""Of what a file may hold: a key has 1 KiB, an upload's id some hundred bytes."""


class BadStateDir(Exception):
    """The directory cannot be used; names the setting and the cure."""


@dataclass(frozen=True)
class OpenUpload:
    """An upload that was begun. whose: params that go with every request about it."""

    profile: str
    bucket: str
    key: str
    upload_id: str
    whose: dict[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key} (profile {self.profile}, upload {self.upload_id})"


class UploadFolder:
    """One process's uploads on disk. Everything here blocks; the lock is held until `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def write(self, upload: OpenUpload) -> None:
        """Remember an upload; it is on the disk when this returns. Raises OSError."""
        name = _name(upload)
        draft = self.path / f".{name}"
        try:
            with draft.open("wb") as file:
                file.write(json.dumps(asdict(upload)).encode())
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self.path / name)
        except OSError:
            draft.unlink(missing_ok=True)  # of a full disk not even this much is kept
            raise
        _sync_folder(self.path)

    def remove(self, upload: OpenUpload) -> None:
        """Forget it; one that was not written is none."""
        (self.path / _name(upload)).unlink(missing_ok=True)

    def uploads(self) -> list[OpenUpload]:
        """Those that are remembered; what cannot be read is dropped: it was never whole."""
        found = []
        for file in sorted(self.path.iterdir()):
            if file.name == LOCK:
                continue
            upload = None if file.name.startswith(".") else _read(file)
            if upload is None:
                file.unlink(missing_ok=True)
            else:
                found.append(upload)
        return found

    def close(self) -> None:
        """Let go of it; it goes too if nothing is left in it."""
        if all(file.name == LOCK for file in self.path.iterdir()):
            (self.path / LOCK).unlink()
            self.path.rmdir()
        os.close(self._lock)


def state_folder(setting: str) -> UploadFolder | None:
    """A new folder for this process, where the setting or systemd says. Raises BadStateDir."""
    # systemd gives several, with colons between, to a unit that asks for several.
    state = setting or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if not state:
        return None
    try:
        return open_folder(state)
    except OSError as error:
        words = f"[daemon] state_dir, or $STATE_DIRECTORY: {error}; its user has to write there"
        raise BadStateDir(words) from None


def open_folder(state: str) -> UploadFolder:
    """A new folder for this process. Raises OSError."""
    parent = Path(state, "uploads")
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{os.getpid()}-{os.urandom(6).hex()}"
    # Nobody sees it before it is locked.
    draft = parent / f".{name}"
    draft.mkdir(mode=0o700)
    lock = os.open(draft / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    draft.rename(parent / name)
    _sync_folder(parent)
    return UploadFolder(parent / name, lock)


def left_behind(own: UploadFolder) -> list[UploadFolder]:
    """The folders of processes that died; they are locked now. Raises OSError."""
    others = (path for path in sorted(own.path.parent.iterdir()) if path != own.path)
    found = (_taken(path) for path in others if not path.name.startswith("."))
    return [folder for folder in found if folder is not None]


def _taken(path: Path) -> UploadFolder | None:
    """The folder, if nobody has it."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):  # just closed, or none of ours
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if not path.exists():  # closed between these two
        os.close(lock)
        return None
    return UploadFolder(path, lock)


def _name(upload: OpenUpload) -> str:
    text = json.dumps([upload.profile, upload.bucket, upload.key, upload.upload_id])
    return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _read(file: Path) -> OpenUpload | None:
    try:
        with file.open("rb") as opened:
            return OpenUpload(**json.loads(opened.read(MAX_FILE_BYTES)))
    except (OSError, ValueError, TypeError):
        return None


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
