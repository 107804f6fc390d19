"""A daemon that may open no more descriptors: it serves whom it has, and all again afterwards."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botod.ipc import Code, Connection, RpcError
from support.daemons import EXPECTED_ANYWHERE, Daemon, endpoints, running_daemon
from support.figures import cpu_s, survives
from support.http_server import Exchange, http_server

EXPECTED = (*EXPECTED_ANYWHERE, "cannot accept a connection: [Errno 24] Too many open files")

WATCHED_S = 3.0
CPU_SHARE_MAX = 0.3
"""Of one core. A daemon that asks again and again for what it cannot have takes all of it."""

SPARE = 4
"""Descriptors beyond those that are open: some work is begun that cannot be ended."""

PEERS = 40

PROMPT_S = 10.0

FAILED = {Code.UNREACHABLE, Code.DEADLINE_EXCEEDED}

ON_KEY = {"Bucket": "bucket", "Key": "key"}


def answer(exchange: Exchange) -> None:
    """On a connection that is not kept, so that each job needs a socket."""
    exchange.ok(b"fine", "Connection: close")
    exchange.cut()


@contextlib.contextmanager
def few_descriptors(pid: int) -> Iterator[None]:
    """Have a process open hardly one more, for the length of a block."""
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest(pid) + SPARE, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def highest(pid: int) -> int:
    """The number after that of its last descriptor; numbers are what is limited."""
    return max(int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir()) + 1


def get(connection: Connection, **options: Any) -> None:
    """A job as it should be."""
    assert connection.call("s3.get_object", ON_KEY, **options)["Body"] == b"fine"


def get_anew(daemon: Daemon) -> None:
    """The same, on a connection of its own."""
    with daemon.connect() as connection:
        get(connection)


def code_of(connection: Connection) -> int | None:
    """The error that a job ends with."""
    try:
        get(connection, timeout_s=1.0)
    except RpcError as error:
        return error.code
    return None


def test_it_goes_on_when_there_are_some_again() -> None:
    """Who is connected has errors in time, who connects waits; nothing turns in a circle."""
    with (
        http_server(answer) as server,
        running_daemon(endpoints(server.port), expected=EXPECTED) as daemon,
    ):
        pid = daemon.process.pid
        with daemon.connect() as known:
            get(known)
        with (
            survives(daemon, lambda: get_anew(daemon), within_s=PROMPT_S),
            daemon.connect() as known,
        ):
            get(known)
            with few_descriptors(pid), contextlib.ExitStack() as crowd:
                for _ in range(PEERS):
                    peer = crowd.enter_context(socket.socket(socket.AF_UNIX))
                    peer.connect(daemon.socket_path)
                daemon.wait_for_line("cannot accept a connection")
                before_s = cpu_s(pid)
                assert {code_of(known) for _ in range(3)} <= FAILED
                assert known.call("botod.ping")["pid"] == pid
                time.sleep(WATCHED_S)
                assert cpu_s(pid) - before_s < CPU_SHARE_MAX * WATCHED_S
            began = time.monotonic()
            get(known)
            get_anew(daemon)
            assert time.monotonic() - began < PROMPT_S
        assert daemon.stop() == 0
