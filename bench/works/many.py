"""Many local processes at once, each with a client of its own; and two workers for them."""

import contextlib
from collections.abc import Iterator
from functools import partial

from nginx import Nginx, running_nginx

from daemon import MEMORY, Daemon, running_daemon
from harness.work import Column, Contender, Figures, Kind, Scale, Work
from load.task import Task
from works.asking import generator

WITH_CLIENTS = Column("all_us", "CPU of all, a request", "µs")
MEMORY_OF_ALL = Column("pss_mb", "PSS of all", "MiB")
REST = (
    Column("cpu_us", "of the daemon alone", "µs"),
    Column("per_s", "requests/s", more=True),
    Column("p50_ms", "p50", "ms"),
    Column("p99_ms", "p99", "ms"),
    Column("connections", "TLS handshakes"),
)
WORKERS = (
    Column("cpu_us", "CPU a request", "µs"),
    Column("busiest", "CPU of the busier worker", "%"),
    *REST[1:],
)


forked = partial(generator, module="load.prefork")
"""load/prefork.py with one of its ways."""


def by_daemon(label: str, task: Task, server: Nginx, daemon: Daemon) -> Contender:
    """botod.ipc in each."""

    def run() -> Figures:
        to = task._replace(socket=daemon.path, pids=tuple(daemon.pids()))
        return forked(label, Kind.OURS, "botod_client", to, server).run()

    return Contender(label, Kind.OURS, run)


def task_of(server: Nginx, processes: int, each: int) -> Task:
    """GET of 1 KiB, one after another in each process."""
    number = processes * each
    return Task("get", "localhost", server.port, server.ca_file, number, processes, processes)


@contextlib.contextmanager
def beside_clients(processes: int, scale: Scale) -> Iterator[dict[str, Contender]]:
    """One daemon for all, or a client of AWS's in each."""
    with running_nginx(MEMORY) as server, running_daemon(server) as daemon:
        task = task_of(server, processes, scale.of(4_000, 1_000) // processes)
        peer = partial(forked, kind=Kind.PEER, task=task, server=server)
        yield {
            "botod": by_daemon("botod, and botod.ipc in each", task, server, daemon),
            "boto2": peer("boto 2 in each", way="stock_boto", package="boto"),
            "boto3": peer("boto3 in each", way="by_boto3", package="boto3"),
        }


@contextlib.contextmanager
def two_workers(scale: Scale) -> Iterator[dict[str, Contender]]:
    """Twenty processes ask; two workers beside one.

    Both are there once a job has been done: the master forks them before it waits for anything.
    """
    with (
        running_nginx(MEMORY) as server,
        running_daemon(server) as alone,
        running_daemon(server, daemon='log_level = "warning"\nworkers = 2') as both,
    ):
        task = task_of(server, 20, scale.of(500, 100))
        yield {
            "botod": by_daemon("two workers", task, server, both),
            "botod-alone": by_daemon("one worker", task, server, alone),
        }


WORKS = (
    Work("processes-20", "20 local processes, GET of 1 KiB", (WITH_CLIENTS, MEMORY_OF_ALL, *REST),
         partial(beside_clients, 20)),
    Work("processes-200", "200 local processes, GET of 1 KiB", (MEMORY_OF_ALL, WITH_CLIENTS, *REST),
         partial(beside_clients, 200)),
    Work("workers", "Two workers against one, 20 local processes", WORKERS, two_workers,
         on_one_core=False),
)  # fmt: skip
