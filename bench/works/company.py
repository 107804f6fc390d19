"""Small jobs in company: while 1 GiB moves, and how long the loop is held under mixed load."""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from nginx import running_nginx

from daemon import MEMORY, Client, Daemon, running_daemon
from harness.work import Column, Contender, Figures, Kind, NotMeasuredError, Scale, Work
from works.large import MIB, write_large

GET = ("s3.get_object", {"Bucket": "bucket", "Key": "k", "$options": {"profile": "other"}})
SEND = (
    "sqs.send_message",
    {"QueueUrl": "https://localhost/1/q", "MessageBody": "This is a test message",
     "$options": {"profile": "other"}},
)  # fmt: skip
STATUS_BOUNDS_MS = (0.1, 1.0, 10.0, 100.0)

BESIDE = (Column("p99_ms", "p99 of small jobs", "ms"), Column("p50_ms", "p50", "ms"),
          Column("worst_ms", "slowest", "ms"), Column("jobs", "small jobs"))  # fmt: skip
VISITS = (
    Column("p999_ms", "p99.9 of visits, at most", "ms"),
    Column("longest_ms", "longest", "ms"),
    Column("over_10ms", "over 10 ms"),
    Column("over_100ms", "over 100 ms"),
    Column("visits", "visits"),
)


class SmallJobs:
    """Small jobs, one after another, on a connection of their own, for the length of a block."""

    def __init__(self, daemon: Daemon, method: str, params: Mapping[str, Any]) -> None:
        self.took_ms: list[float] = []
        self._client = daemon.connect()
        self._ask = partial(self._client.ask, method, dict(params))
        self._ends = threading.Event()
        self._failed: RuntimeError | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.set()
        self._thread.join()
        self._client.socket.close()
        if self._failed is not None:
            raise NotMeasuredError(f"a small job failed: {self._failed}")

    def _run(self) -> None:
        while not self._ends.is_set():
            began = time.perf_counter()
            try:
                self._ask()
            except RuntimeError as error:
                self._failed = error
                return
            self.took_ms.append((time.perf_counter() - began) * 1000)

    def figures(self) -> dict[str, float]:
        """Of those that were done."""
        took = sorted(self.took_ms)
        number = len(took)
        return {
            "p50_ms": took[number // 2],
            "p99_ms": took[number * 99 // 100],
            "worst_ms": took[-1],
            "jobs": number,
        }


def move(daemon: Daemon, way: str, file: Path) -> None:
    """A large object by descriptor."""
    client: Client = daemon.connect()
    fd = os.open(file, os.O_RDONLY if way == "up" else os.O_WRONLY)
    bucket, key = ("put", "botod") if way == "up" else ("bucket", "large")
    method = "s3.put_object" if way == "up" else "s3.get_object"
    client.ask(method, {"Bucket": bucket, "Key": key, "Body": {"$fd": 0}}, (fd,))
    os.close(fd)
    client.socket.close()


def beside(daemon: Daemon, meanwhile: Callable[[], object]) -> Figures:
    """What small jobs take while something else is done."""
    with SmallJobs(daemon, *GET) as jobs:
        meanwhile()
    return jobs.figures()


@contextlib.contextmanager
def beside_large(scale: Scale) -> Iterator[dict[str, Contender]]:
    """Small jobs have a server of their own: the first serves nobody while it writes a file."""
    with (
        tempfile.TemporaryDirectory(prefix="botod-bench-", dir=MEMORY) as folder,
        running_nginx(MEMORY) as server,
        running_nginx(MEMORY) as other,
        running_daemon(server, other) as daemon,
    ):
        source, target = server.files / "large", Path(folder, "target")
        write_large(source, scale.of(1024, 256) * MIB)
        target.touch()
        moves: dict[str, tuple[str, Callable[[], object]]] = {
            "botod": ("while it comes down", partial(move, daemon, "down", target)),
            "botod-up": ("while it goes up", partial(move, daemon, "up", source)),
            "botod-alone": ("alone", partial(time.sleep, 2.0)),
        }
        yield {
            name: Contender(label, Kind.OURS, partial(beside, daemon, meanwhile))
            for name, (label, meanwhile) in moves.items()
        }


def visits_of(daemon: Daemon) -> Mapping[str, Any]:
    """All so far."""
    found: Mapping[str, Any] = daemon.connect().ask("botod.status", {})["visits"]
    return found


def bound_of(buckets: Sequence[int], part: float, longest_ms: float) -> float:
    """The bound of the bucket in which this part of all visits ends."""
    left = sum(buckets) * part
    for number, bound_ms in zip(buckets, STATUS_BOUNDS_MS, strict=False):
        left -= number
        if left <= 0:
            return bound_ms
    return longest_ms


def mixed(daemon: Daemon, source: Path, target: Path) -> Figures:
    """Small GETs and sends, and an object both ways, all at once."""
    before = visits_of(daemon)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(SmallJobs(daemon, *GET))
            stack.enter_context(SmallJobs(daemon, *SEND))
        move(daemon, "down", target)
        move(daemon, "up", source)
    after = visits_of(daemon)
    buckets = [
        now - then for now, then in zip(after["buckets_num"], before["buckets_num"], strict=True)
    ]
    return {
        "p999_ms": bound_of(buckets, 0.999, after["longest_s"] * 1000),
        "longest_ms": after["longest_s"] * 1000,
        "over_10ms": after["over_10ms_num"] - before["over_10ms_num"],
        "over_100ms": after["over_100ms_num"] - before["over_100ms_num"],
        "visits": sum(buckets),
    }


@contextlib.contextmanager
def under_load(scale: Scale) -> Iterator[dict[str, Contender]]:
    """By the daemon's own count: its histogram has bounds of 0.1, 1, 10 and 100 ms."""
    with (
        tempfile.TemporaryDirectory(prefix="botod-bench-", dir=MEMORY) as folder,
        running_nginx(MEMORY) as server,
        running_nginx(MEMORY) as other,
        running_daemon(server, other, profile="sqs_batching = false") as daemon,
    ):
        source, target = server.files / "large", Path(folder, "target")
        write_large(source, scale.of(1024, 256) * MIB)
        target.touch()
        run = partial(mixed, daemon, source, target)
        yield {"botod": Contender("GET, SendMessage, 1 GiB both ways", Kind.OURS, run)}


WORKS = (
    Work("beside", "Small jobs while 1 GiB moves", BESIDE, beside_large, on_one_core=False),
    Work("visits", "How long the loop is held", VISITS, under_load, on_one_core=False),
)
