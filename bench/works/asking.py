"""A contender that is a process doing a load.task.Task, or a program of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from nginx import Nginx

from daemon import Daemon
from harness.environment import program
from harness.processes import peak_mib
from harness.work import Contender, Figures, Kind, NotMeasuredError
from load.task import Task

BENCH = Path(__file__).parent.parent
AT_MOST_S = 300
SAMPLE_S = 0.02
KEYS = {
    "AWS_ACCESS_KEY_ID": "access",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def environ(ca_file: str) -> dict[str, str]:
    """What programs that ask find their keys and authority in."""
    return {**os.environ, **KEYS, "AWS_CA_BUNDLE": ca_file, "SSL_CERT_FILE": ca_file}


def told_by(words: Sequence[str], ca_file: str = "") -> Any:
    """What a Python process prints as JSON. NotMeasuredError with its last line if it fails."""
    found = {**environ(ca_file), "PYTHONPATH": str(BENCH)}
    try:
        done = subprocess.run(
            words, env=found, capture_output=True, text=True, timeout=AT_MOST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotMeasuredError(f"not done within {AT_MOST_S} s") from None
    if done.returncode:
        raise NotMeasuredError(_last_line(done.stderr) or f"ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].replace("|", "/")[:200]


def counted(server: Nginx, run: Callable[[], dict[str, float]]) -> Figures:
    """A round's figures, and what the server has seen of it: connections, copies of a request."""
    before = server.counts()
    figures = run()
    after = server.counts()
    figures["connections"] = after.connections - before.connections - 1
    figures["copies"] = (after.requests - before.requests - 1) / figures.pop("sent")
    return figures


def generator(
    label: str,
    kind: Kind,
    way: str,
    task: Task,
    server: Nginx,
    *,
    package: str = "",
    module: str = "load",
) -> Contender:
    """load/WAY.py, by the module that runs it.

    package: the one of the peers' environments that it is about; "" for ours.
    """

    def run() -> Figures:
        python = program(package) if package else sys.executable
        words = [python, "-m", module, way, json.dumps(task._asdict())]
        return counted(server, lambda: dict(told_by(words, task.ca_file)))

    return Contender(label, kind, run)


def ours(label: str, way: str, task: Task, server: Nginx, daemon: Daemon) -> Contender:
    """The same, asking a daemon; its CPU, memory and theirs are counted."""
    to = task._replace(socket=daemon.path, pids=tuple(daemon.pids()))
    return generator(label, Kind.OURS, way, to, server)


class Ran(NamedTuple):
    """What a program said, and took."""

    said: str
    wall_s: float
    cpu_s: float
    rss_mb: float


def ran(words: Sequence[str], ca_file: str, **also: str) -> Ran:
    """Run a program to its end; its children's CPU counts. NotMeasuredError if it fails."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, env={**environ(ca_file), **also}, stdin=-3, stdout=said, stderr=complained
        )
        with Peak(process.pid) as peak:
            _pid, status, used = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        if process.returncode:
            why = _last_line(complained.read()) or f"ended with {process.returncode}"
            raise NotMeasuredError(why)
        return Ran(said.read(), wall_s, used.ru_utime + used.ru_stime, peak.mib)


class Peak:
    """The most memory a process is seen to have.

    wait4's figure has what this process had when it started that one.
    """

    def __init__(self, pid: int) -> None:
        self.mib = 0.0
        self._pid = pid
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(SAMPLE_S):
            with contextlib.suppress(OSError, LookupError):  # it has just ended
                self.mib = max(self.mib, peak_mib(self._pid))


def requests_by(words: Sequence[str], ca_file: str, number: int) -> dict[str, float]:
    """The figures of a program that does so many requests."""
    took = ran(words, ca_file)
    cpu_us = took.cpu_s / number * 1e6
    return {
        "per_s": number / took.wall_s,
        "cpu_us": cpu_us,
        "all_us": cpu_us,
        "rss_mb": took.rss_mb,
        "sent": number,
    }
