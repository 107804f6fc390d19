"""Thousands of requests at once on a server that answers after 2 s: the memory each takes."""

import contextlib
import json
import resource
import sys
from collections.abc import Iterator
from functools import partial

from slow import Slow, running_slow

from daemon import running_daemon
from harness.environment import program
from harness.work import Column, Contender, Figures, Kind, NotMeasuredError, Scale, Work
from load.task import Task
from works.asking import told_by

SPARE = 1_000
"""Descriptors besides those of the connections."""

COLUMNS = (
    Column("kib_each", "memory each", "KiB"),
    Column("cpu_us", "CPU a request", "µs"),
    Column("all_us", "with clients", "µs"),
    Column("p99_ms", "p99", "ms"),
)


def figures(way: str, task: Task, package: str = "") -> Figures:
    """One round in a process of its own."""
    python = program(package) if package else sys.executable
    found: Figures = told_by([python, "-m", "load", way, json.dumps(task._asdict())], task.ca_file)
    return found


def by_daemon(server: Slow, task: Task) -> Figures:
    """A daemon of its own: memory that it had for an earlier round would not count again."""
    most = task.in_flight + SPARE
    limits = "\n".join(
        f"{name} = {most}" for name in ("in_flight_per_peer", "in_flight_per_uid", "jobs")
    )
    pool = f"slots_per_host = {min(most, 10_000)}\nconnect_timeout_s = 60.0"
    with running_daemon(server, limits=limits, pool=pool) as daemon:
        to = task._replace(socket=daemon.path, pids=tuple(daemon.pids()))
        return figures("botod_wire", to)


def allow_descriptors(number: int) -> None:
    """For this process and what it starts. NotMeasuredError if it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        most = hard if hard == resource.RLIM_INFINITY else max(hard, number)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, most))
        except (OSError, ValueError):
            raise NotMeasuredError(f"ulimit -n is {hard}, {number} are needed") from None


@contextlib.contextmanager
def stage(full: int, quick: int, scale: Scale, *, tls: bool) -> Iterator[dict[str, Contender]]:
    """Each has all of the requests in flight at once."""
    number = scale.of(full, quick)
    allow_descriptors(2 * number + SPARE)
    with running_slow(tls=tls) as server:
        task = Task("get", "localhost", server.port, server.ca_file, number, number, warm_up=1)

        def peer(label: str, way: str, package: str, kind: Kind = Kind.PEER) -> Contender:
            return Contender(label, kind, partial(figures, way, task, package))

        yield {
            "botod": Contender("botod", Kind.OURS, partial(by_daemon, server, task)),
            "botod-pool": peer("botod.pool in process, boto 2 in greenlets", "botod_pool", "",
                               Kind.OURS),
            "boto2": peer("boto 2, a thread each", "boto2", "boto"),
            "gevent": peer("gevent + boto 2", "gevent_boto2", "gevent"),
            "aiobotocore": peer("aiobotocore", "by_aiobotocore", "aiobotocore"),
            "obstore": peer("obstore, tasks", "obstore_async", "obstore"),
            "tornado": peer("Tornado's CurlAsyncHTTPClient, nothing signed", "by_tornado",
                            "tornado", Kind.LIMIT),
        }  # fmt: skip


WORKS = (
    Work("in-flight", "5,000 requests in flight", COLUMNS, partial(stage, 5_000, 1_000, tls=False)),
    Work(
        "in-flight-tls",
        "1,000 requests in flight over TLS",
        COLUMNS,
        partial(stage, 1_000, 200, tls=True),
    ),
)
