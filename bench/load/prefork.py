"""So many local processes at once, each with a client of its own: what a web server forks.

    python -m load.prefork MODULE TASK    # as load itself; task.in_flight: how many processes

The module's `asking` makes the client, in each child after the fork. All have asked once before
anything is counted. CPU, memory and latency are of all of them, and of the daemon.
"""

import importlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from load.meter import cpu_s, pss_mib
from load.task import Task


def child(
    pipe: Connection, asking: Callable[[Task], Callable[[], Any]], task: Task, number: int
) -> None:
    """Warm up, wait for the word, ask, tell how long each took, and stay until told to end."""
    ask = asking(task)
    ask()
    pipe.send(())
    pipe.recv()
    took_s = []
    for _ in range(number):
        began = time.perf_counter()
        ask()
        took_s.append(time.perf_counter() - began)
    pipe.send(took_s)
    pipe.recv()


def main() -> None:
    """Fork, and tell the figures."""
    way, told = sys.argv[1:]
    task = Task(**json.loads(told))
    asking = importlib.import_module(f"load.{way}").asking
    context = multiprocessing.get_context("fork")
    pipes, pids = [], []
    for _ in range(task.in_flight):
        ours, theirs = context.Pipe()
        number = task.number // task.in_flight
        process = context.Process(target=child, args=(theirs, asking, task, number), daemon=True)
        process.start()
        assert process.pid is not None, "it was started"
        pipes.append(ours)
        pids.append(process.pid)
    for pipe in pipes:
        pipe.recv()
    print(json.dumps(_figures(task, pipes, pids)), flush=True)
    for pipe in pipes:
        pipe.send(())


def _figures(task: Task, pipes: list[Connection], pids: list[int]) -> dict[str, float]:
    """Say the word to all, and see what they take."""
    before = {pid: cpu_s(pid) for pid in (*pids, *task.pids)}
    began = time.perf_counter()
    for pipe in pipes:
        pipe.send(())
    took = sorted(took_s for pipe in pipes for took_s in pipe.recv())
    wall_s, number = time.perf_counter() - began, len(took)
    used = {pid: cpu_s(pid) - then for pid, then in before.items()}
    daemon_s = sum(used[pid] for pid in task.pids)
    return {
        "per_s": number / wall_s,
        "cpu_us": (daemon_s or sum(used.values())) / number * 1e6,
        "all_us": sum(used.values()) / number * 1e6,
        "busiest": max((used[pid] for pid in task.pids), default=0.0) / (daemon_s or 1.0) * 100,
        "p50_ms": took[number // 2] * 1000,
        "p99_ms": took[number * 99 // 100] * 1000,
        "pss_mb": pss_mib([*pids, *task.pids]),
        "sent": number + len(pids),
    }


if __name__ == "__main__":
    main()
