"""`botod demo`: servers, a daemon and separate local processes on this machine, one command.

Servers that speak S3, SQS and SimpleDB start on free loopback ports, then the daemon on a Unix
socket, then local processes that know only the socket.
"""

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from botod.ipc.client import connect
from botod.ipc.errors import DaemonUnavailable

START_TIMEOUT_S = 60.0
"""moto's server imports for some seconds, more on a busy machine."""

PROCESS_TIMEOUT_S = 60.0

DRAIN_TIMEOUT_S = 5.0
"""For jobs that run when the demo ends; then they are told so."""

STOP_TIMEOUT_S = 15.0

ACCESS_KEY = "demo-access-key"
SECRET_KEY = "demo-secret-key"  # noqa: S105 - it opens nothing but the demo's own servers

AT_ONCE = (
    ("s3", 1), ("s3", 2), ("s3", 3), ("send", 4), ("receive", 5), ("sdb", 6), ("sdb", 7),
)  # fmt: skip
"""The processes that run at the same time, by job and number."""


class DemoFailed(Exception):
    """Something did not start, or a process failed."""


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    try:
        with tempfile.TemporaryDirectory(prefix="botod-demo-") as folder, started(folder) as path:
            summary = run_processes(path)
            if arguments.keep:
                _keep(path)
            _say(summary)
    except DemoFailed as error:
        sys.stderr.write(f"demo: failed: {error}\n")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(prog="botod demo", description="Show the daemon at work.")
    said.add_argument("--keep", action="store_true", help="leave it running, to try things")
    return said


@contextlib.contextmanager
def started(folder: str) -> Iterator[str]:
    """Servers and daemon, for as long as the block lasts; gives the path of the daemon's socket."""
    with contextlib.ExitStack() as stack:
        aws = stack.enter_context(server("botod.daemon.demo.aws"))
        keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
        sdb = stack.enter_context(server("botod.daemon.demo.simpledb", *keys))
        _say(f"S3 and SQS (moto) at {aws}, SimpleDB at {sdb}")
        path = os.environ.get("BOTOD_SOCKET") or f"{folder}/botod.sock"
        _refuse_a_foreign_daemon(path)
        config = Path(folder, "botod.toml")
        config.write_text(
            f'[daemon]\nsocket = "{path}"\nlog_level = "warning"\n'
            f"drain_timeout_s = {DRAIN_TIMEOUT_S}\n"
            f'[profile.default]\nendpoints.s3 = "{aws}"\n'
            f'endpoints.sqs = "{aws}"\nendpoints.sdb = "{sdb}"\n'
        )
        stack.enter_context(_daemon(config, path))
        _say(f"the daemon listens on {path}")
        yield path


def _refuse_a_foreign_daemon(path: str) -> None:
    """The demo's jobs are for its own servers, never for a daemon that talks to AWS."""
    with contextlib.suppress(DaemonUnavailable), connect(path):
        raise DemoFailed(f"a daemon runs at {path} already: unset BOTOD_SOCKET, or stop it")


def run_processes(path: str) -> str:
    """Run the local processes, first one, then many at once; the last line of the demo."""
    _finish([_process(path, "set-up", 0)])
    _say(f"now {len(AT_ONCE)} processes at the same time")
    _finish([_process(path, job, number) for job, number in AT_ONCE])
    with connect(path) as connection:
        status = connection.call("botod.status")
    jobs = status["jobs"]
    if jobs["failed_total"]:
        raise DemoFailed(f"{jobs['failed_total']} of {jobs['jobs_total']} jobs failed")
    for pool in status["pools"]:
        _say(
            f"pool {pool['origin']}: {pool['leases_total']} requests on "
            f"{pool['sockets']['opened_total']} connections"
        )
    opened = sum(pool["sockets"]["opened_total"] for pool in status["pools"])
    return f"demo: {jobs['jobs_total']} jobs ok, {opened} connections opened"


def _process(path: str, job: str, number: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "botod.daemon.demo.jobs", job, "--number", str(number)],
        env=os.environ | {"BOTOD_SOCKET": path},
    )


def _finish(processes: "list[subprocess.Popen[bytes]]") -> None:
    try:
        for process in processes:
            if process.wait(timeout=PROCESS_TIMEOUT_S):
                raise DemoFailed(f"{process.args!r} ended with {process.returncode}")
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(str(error)) from None
    finally:
        for process in processes:
            _end(process)


@contextlib.contextmanager
def server(module: str, *arguments: str) -> Iterator[str]:
    """A server in a process of its own; gives the URL that it prints when it listens."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None, "asked for as a pipe"
        yield _listening_url(process.stdout, module)
    finally:
        _end(process)


def _listening_url(stdout: IO[str], module: str) -> str:
    prefix = "listening on "
    ready, _, _ = select.select([stdout], [], [], START_TIMEOUT_S)
    line = stdout.readline() if ready else ""
    if not line.startswith(prefix):
        raise DemoFailed(f"{module} did not start; is the extra installed? pip install '.[demo]'")
    return line.removeprefix(prefix).strip()


@contextlib.contextmanager
def _daemon(config: Path, path: str) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "botod.daemon.cli", "run", "--config", str(config)],
        env=os.environ | {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
    )
    try:
        _wait_until_it_answers(process, path)
        yield
    finally:
        _end(process)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", path: str) -> None:
    pause = threading.Event()  # nobody sets it: its wait is a sleep with a bound
    for _ in range(int(START_TIMEOUT_S / 0.05)):
        if process.poll() is not None:
            raise DemoFailed("the daemon did not start")
        try:
            with connect(path) as connection:
                connection.call("botod.ping")
        except DaemonUnavailable:
            pause.wait(0.05)
        else:
            return
    raise DemoFailed("the daemon does not answer")


def _end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _keep(path: str) -> None:
    _say(
        "\nIt goes on running; Ctrl-C ends it. In another terminal:\n\n"
        f"  export PATH={Path(sys.executable).parent}:$PATH\n"
        f"  export BOTOD_SOCKET={path}\n"
        "  botod call s3.put_object Bucket=demo-bucket Key=hello Body='hello, world'\n"
        "  botod call s3.get_object Bucket=demo-bucket Key=hello\n"
        """  echo '{"jsonrpc":"2.0","id":1,"method":"s3.list_buckets"}' """
        "| socat -t60 - UNIX-CONNECT:$BOTOD_SOCKET\n"
        "  botod status\n"
    )
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        signal.pause()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
