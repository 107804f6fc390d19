"""Small requests over TLS: GET of 1 and 64 KiB, PUT of 1 KiB, SQS's SendMessage."""

import contextlib
from collections.abc import Iterator
from functools import partial

from nginx import Nginx, running_nginx

from daemon import MEMORY, Daemon, running_daemon
from harness.work import Column, Contender, Kind, Scale, Work
from load.task import Task
from works.asking import generator, ours
from works.programs import curl, s5cmd, wrk

IN_FLIGHT = 64
THREADS = 16
WARM_UP = 256
MIN_ALONE = 200
AS_SHIPPED = 'log_level = "info"'
QUIET = 'log_level = "warning"'
WITHOUT_BATCHES = "sqs_batching = false"

COLUMNS = (
    Column("cpu_us", "CPU a request", "µs"),
    Column("all_us", "with clients", "µs"),
    Column("per_s", "requests/s", more=True),
    Column("p50_ms", "p50", "ms"),
    Column("p99_ms", "p99", "ms"),
    Column("rss_mb", "RSS", "MiB"),
    Column("connections", "connections"),
    Column("copies", "copies sent"),
)


def many(number: int, word: str) -> str:
    """`1 thread`, `16 threads`."""
    return f"{number} {word}{'s' * (number > 1)}"


def our_rows(
    task: Task, server: Nginx, shipped: Daemon, quiet: Daemon, interpreted: Daemon
) -> dict[str, Contender]:
    """The daemon as it is shipped and in other forms, by its own client, and without it."""
    threads = task._replace(in_flight=min(THREADS, task.in_flight))
    in_process = "botod.pool in process, boto 2 in greenlets"
    by_client = f"botod, botod.ipc in {many(threads.in_flight, 'thread')}"
    return {
        "botod": ours("botod", "botod_wire", task, server, shipped),
        "botod-interpreted": ours("botod, not compiled", "botod_wire", task, server, interpreted),
        "botod-quiet": ours("botod, no line a job", "botod_wire", task, server, quiet),
        "botod-client": ours(by_client, "botod_client", threads, server, shipped),
        "botod-pool": generator(in_process, Kind.OURS, "botod_pool", task, server),
    }  # fmt: skip


def boto2_rows(task: Task, server: Nginx) -> dict[str, Contender]:
    """boto 2 in threads, as many as are in flight and fewer.

    One thread does an eighth: every second POST of boto's over http.client stalls for 43 ms.
    """
    alone = task._replace(in_flight=1, number=max(task.number // 8, MIN_ALONE))
    counts = sorted({1, min(THREADS, task.in_flight), task.in_flight})
    return {
        f"boto2-{count}": generator(
            f"boto 2, {many(count, 'thread')}", Kind.PEER, "boto2",
            alone if count == 1 else task._replace(in_flight=count), server,
            package="boto",
        )
        for count in counts
    }  # fmt: skip


def python_rows(task: Task, server: Nginx) -> dict[str, Contender]:
    """What else Python has."""
    number = task.in_flight
    threads = task._replace(in_flight=min(THREADS, number))
    peer = partial(generator, server=server)
    boto3 = f"boto3, {many(threads.in_flight, 'thread')}"
    found = {
        "gevent": peer(f"gevent + boto 2, {number}", Kind.PEER, "gevent_boto2", task,
                       package="gevent"),
        f"boto3-{threads.in_flight}": peer(boto3, Kind.PEER, "by_boto3", threads, package="boto3"),
        "aiobotocore": peer(f"aiobotocore, {many(number, 'task')}", Kind.PEER, "by_aiobotocore",
                            task, package="aiobotocore"),
        "tornado": peer("Tornado's CurlAsyncHTTPClient, nothing signed", Kind.LIMIT, "by_tornado",
                        task, package="tornado"),
        "pycurl": peer("pycurl's CurlMulti, nothing signed", Kind.LIMIT, "by_pycurl", task,
                       package="pycurl"),
    }  # fmt: skip
    if task.kind == "sqs":
        return found
    return found | {
        "awscrt": peer(f"awscrt, {number} tasks", Kind.PEER, "by_awscrt", task, package="awscrt"),
        "obstore-async": peer(f"obstore, {number} tasks", Kind.PEER, "obstore_async", task,
                              package="obstore"),
        "obstore-sync": peer(f"obstore, {number} threads", Kind.PEER, "obstore_sync", task,
                             package="obstore"),
    }  # fmt: skip


def programs(task: Task, server: Nginx, seconds: int) -> dict[str, Contender]:
    """Those of the command line; their start is counted, too, but for wrk."""
    found = {"wrk": wrk(task, server, seconds)}
    if task.kind != "put":
        found["curl"] = curl(task, server)
    if task.kind != "sqs":
        found["s5cmd"] = s5cmd(task, server)
    return found


@contextlib.contextmanager
def stage(
    kind: str, in_flight: int, full: int, quick: int, scale: Scale
) -> Iterator[dict[str, Contender]]:
    """One nginx for all; a daemon as it is shipped, one not compiled, one that logs no jobs."""
    with (
        running_nginx(MEMORY) as server,
        running_daemon(server, daemon=AS_SHIPPED, profile=WITHOUT_BATCHES) as shipped,
        running_daemon(server, daemon=QUIET, profile=WITHOUT_BATCHES) as quiet,
        running_daemon(
            server, daemon=AS_SHIPPED, profile=WITHOUT_BATCHES, compiled=False
        ) as interpreted,
    ):
        number = scale.of(full, quick)
        task = Task(kind, "localhost", server.port, server.ca_file, number, in_flight, WARM_UP)
        yield {
            **our_rows(task, server, shipped, quiet, interpreted),
            **boto2_rows(task, server),
            **python_rows(task, server),
            **(programs(task, server, scale.of(5, 2)) if in_flight > 1 else {}),
        }


WORKS = (
    Work("get", "GET of 1 KiB, 64 in flight", COLUMNS, partial(stage, "get", 64, 8_000, 2_560)),
    Work("get64", "GET of 64 KiB, 64 in flight", COLUMNS,
         partial(stage, "get64", 64, 5_000, 2_560)),
    Work("put", "PUT of 1 KiB, 64 in flight", COLUMNS, partial(stage, "put", 64, 5_000, 2_560)),
    Work("sqs", "SendMessage, 64 in flight", COLUMNS, partial(stage, "sqs", 64, 8_000, 2_560)),
    Work("sqs-serial", "SendMessage, one at a time", COLUMNS,
         partial(stage, "sqs", 1, 800, 400)),
)  # fmt: skip
