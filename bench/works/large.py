"""One object of 1 GiB up and down, over TLS, from and to a file in memory."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nginx import Nginx, running_nginx

from daemon import MEMORY, Daemon, running_daemon
from harness.environment import debian, program
from harness.processes import forget_peak, peak_mib
from harness.work import Column, Contender, Figures, Kind, NotMeasuredError, Scale, Work
from works.asking import ran

MIB = 1 << 20

COLUMNS = (
    Column("mb_s", "speed", "MB/s", more=True),
    Column("cpu_s", "CPU", "s"),
    Column("rss_mb", "peak memory", "MiB"),
)

BOTO3 = """
import sys, boto3, botocore.config
way, url, file = sys.argv[1:]
style = botocore.config.Config(s3={"addressing_style": "path"})
s3 = boto3.client("s3", endpoint_url=url, config=style)
s3.upload_file(file, "put", "boto3") if way == "up" else s3.download_file("bucket", "large", file)
"""

OBSTORE = """
import sys, obstore
from obstore.store import S3Store
way, url, file = sys.argv[1:]
options = {"allow_invalid_certificates": True}
store = S3Store("put" if way == "up" else "bucket", endpoint=url, client_options=options)
if way == "up":
    obstore.put(store, "obstore", open(file, "rb"))
else:
    with open(file, "r+b") as target:
        for piece in obstore.get(store, "large").stream():
            target.write(piece)
"""


class Move(NamedTuple):
    """Which way, which file, how large."""

    way: str
    file: Path
    size: int
    server: Nginx

    @property
    def is_up(self) -> bool:
        return self.way == "up"


def by_daemon(method: str, move: Move, daemon: Daemon) -> Figures:
    """By descriptor. The daemon's CPU and memory: its client waits."""
    bucket, key = ("put", "botod") if move.is_up else ("bucket", "large")
    params = {"Bucket": bucket, "Key": key, "Body": {"$fd": 0}}
    client = daemon.connect()
    fd = os.open(move.file, os.O_RDONLY if move.is_up else os.O_WRONLY)
    forget_peak(daemon.pid)
    cpu_s, began = daemon.cpu_s(), time.perf_counter()
    client.ask(method, params, (fd,))
    wall_s = time.perf_counter() - began
    os.close(fd)
    client.socket.close()
    return _checked(move, wall_s, daemon.cpu_s() - cpu_s, peak_mib(daemon.pid))


def by_program(words: Callable[[], list[str]], move: Move) -> Figures:
    """A command that moves it."""
    took = ran(words(), move.server.ca_file)
    return _checked(move, took.wall_s, took.cpu_s, took.rss_mb)


def _checked(move: Move, wall_s: float, cpu_s: float, rss_mb: float) -> Figures:
    """The figures, if what came down is as long as what is there."""
    if move.file.stat().st_size != move.size:
        raise NotMeasuredError("what came down is not what is there")
    return {"mb_s": move.size / 1e6 / wall_s, "cpu_s": cpu_s, "rss_mb": rss_mb}


def contenders(move: Move, daemon: Daemon) -> dict[str, Contender]:
    """Each with its own defaults for large files."""
    url, file = move.server.url, str(move.file)
    whole, parts = ("put_object", "upload_file") if move.is_up else ("get_object", "download_file")

    def ours(label: str, name: str) -> Contender:
        return Contender(label, Kind.OURS, partial(by_daemon, f"s3.{name}", move, daemon))

    def peer(label: str, words: Callable[[], list[str]], kind: Kind = Kind.PEER) -> Contender:
        return Contender(label, kind, partial(by_program, words, move))

    def ends(name: str) -> list[str]:
        return [file, f"s3://put/{name}"] if move.is_up else ["s3://bucket/large", file]

    def curl() -> list[str]:
        there = (
            ["-T", file, f"{url}/put/curl"] if move.is_up else ["-o", file, f"{url}/bucket/large"]
        )
        return [
            debian("curl"),
            "-sS",
            "--fail",
            "--http1.1",
            "--cacert",
            move.server.ca_file,
            *there,
        ]

    return {
        "botod": ours(f"botod, s3.{parts}", parts),
        "botod-whole": ours(f"botod, s3.{whole}", whole),
        "s5cmd": peer("s5cmd cp", lambda: [
            program("s5cmd", "s5cmd"), "--endpoint-url", url, "cp", *ends("s5cmd")]),
        "boto3": peer("boto3", lambda: [program("boto3"), "-c", BOTO3, move.way, url, file]),
        "obstore": peer("obstore", lambda: [
            program("obstore"), "-c", OBSTORE, move.way, url, file]),
        "aws": peer("aws s3 cp", lambda: [
            program("awscli", "aws"), "s3", "--endpoint-url", url, "cp", "--only-show-errors",
            *ends("aws")]),
        "curl": peer("curl, one request, nothing signed", curl, Kind.LIMIT),
    }  # fmt: skip


def write_large(path: Path, size: int) -> None:
    """So many bytes that no compression helps with."""
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    path.chmod(0o644)


@contextlib.contextmanager
def stage(way: str, scale: Scale) -> Iterator[dict[str, Contender]]:
    """The server keeps what comes up in the place of what was there."""
    size = scale.of(1024, 128) * MIB
    with (
        tempfile.TemporaryDirectory(prefix="botod-bench-", dir=MEMORY) as folder,
        running_nginx(MEMORY) as server,
        running_daemon(server) as daemon,
    ):
        source, target = server.files / "large", Path(folder, "target")
        write_large(source, size)
        shutil.copyfile(source, target)  # nobody pays for new pages
        daemon.connect().ask("s3.get_object", {"Bucket": "bucket", "Key": "k"})
        yield contenders(Move(way, source if way == "up" else target, size, server), daemon)


WORKS = (
    Work("up", "1 GiB up", COLUMNS, partial(stage, "up"), on_one_core=False),
    Work("down", "1 GiB down", COLUMNS, partial(stage, "down"), on_one_core=False),
)
