"""A disk that fills up under a daemon: its keys file and its remembered uploads are on it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botod.ipc import Code, RpcError
from support.daemons import EXPECTED_ANYWHERE, Daemon, endpoints, running_daemon, wait_until
from support.figures import survives
from support.http_server import http_server
from support.own_namespaces import needs_root, with_mounts
from support.s3_server import S3

pytestmark = needs_root

DISK = "size=512k,mode=0700"

FULL = (*EXPECTED_ANYWHERE, "No space left on device", "database or disk is full")

ON_KEY = {"Bucket": "bucket", "Key": "key", "Body": b"small"}

PARTS = 3 * 8 * 1024 * 1024
"""Bytes of an object that goes in parts."""


class Disk:
    """A small one, which only the daemon sees under its path."""

    def __init__(self, daemon: Daemon, path: Path) -> None:
        self._filler = Path(f"/proc/{daemon.process.pid}/root{path}/filler")

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte more, for the length of a block."""
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        yield
        self._filler.unlink()

    def state_files(self) -> list[str]:
        """What is left of uploads, but for the lock."""
        found = self._filler.parent.glob("state/uploads/*/*")
        return [file.name for file in found if file.name != "lock"]


def put(daemon: Daemon, **options: Any) -> None:
    """A small job."""
    with daemon.connect() as connection:
        connection.call("s3.put_object", ON_KEY, **options)


def upload(daemon: Daemon, file: Path) -> None:
    """One in parts, which is remembered while it is under way."""
    with daemon.connect() as connection:
        connection.client("s3").upload_file(str(file), "bucket", "large")


def test_it_fills_up_and_has_room_again(tmp_path: Path) -> None:
    """What needs the keys file is refused, saying so; all else goes on, uploads in parts too."""
    disk_path, file = tmp_path / "disk", tmp_path / "large"
    disk_path.mkdir()
    with file.open("wb") as made:
        os.truncate(made.fileno(), PARTS)
    s3 = S3()
    numbers = iter(range(1000))

    def keyed() -> None:
        put(daemon, idempotency_key=f"key {next(numbers)}")

    with http_server(s3) as server:
        settings = {"keys_file": str(disk_path / "keys"), "state_dir": str(disk_path / "state")}
        command = with_mounts(("-t", "tmpfs", "-o", DISK, "none", str(disk_path)))
        config = endpoints(server.port) | {"daemon": settings}
        with running_daemon(config, command=command, expected=FULL) as daemon:
            disk = Disk(daemon, disk_path)
            upload(daemon, file)
            with survives(daemon, keyed), disk.full():
                codes = [code_of(keyed) for _ in range(200)]
                assert set(codes[-100:]) == {Code.UNREACHABLE}
                put(daemon)
                upload(daemon, file)
                assert len(s3.objects["/bucket/large"]) == PARTS
            upload(daemon, file)
            wait_until(lambda: disk.state_files() == [], daemon)  # a thread forgets them
            assert s3.uploads == {}
            assert daemon.stop() == 0


def code_of(job: Callable[[], None]) -> int | None:
    """The error that a job ends with."""
    try:
        job()
    except RpcError as error:
        return error.code
    return None
