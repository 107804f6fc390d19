"""A daemon for benchmarks, as a process of its own, and a client that speaks the wire by hand."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from harness.processes import cpu_of, family, rss_mib

COMPILED = os.environ.get("COMPILED", "")
"""Where the compiled modules are; from the Makefile."""

MEMORY = "/dev/shm"
STARTED_WITHIN_S = 10.0


class Client:
    """One connection to the daemon."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self._buffer = b""

    def ask(
        self, method: str, params: dict[str, Any], fds: tuple[int, ...] = (), **options: Any
    ) -> Any:
        """The result of a request; its raw bytes are dropped."""
        envelope = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **options}
        if fds:
            envelope["fds"] = len(fds)
        line = json.dumps(envelope).encode() + b"\n"
        if fds:
            socket.send_fds(self.socket, [line], fds)
        else:
            self.socket.sendall(line)
        answer = self.read()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def read(self) -> Any:
        """The next message."""
        while b"\n" not in self._buffer:
            self._fill()
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        message = json.loads(line)
        due = sum(message.get("bytes", []))
        while len(self._buffer) < due:
            self._fill()
        self._buffer = self._buffer[due:]
        return message

    def _fill(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the daemon hung up")
        self._buffer += data


class Daemon:
    """The daemon while it runs."""

    def __init__(self, pid: int, path: str) -> None:
        self.pid = pid
        self.path = path

    def connect(self) -> Client:
        return Client(self.path)

    def rss_mib(self) -> float:
        return rss_mib(self.pid)

    def pids(self) -> list[int]:
        """Its processes: with several workers their master, too."""
        return family(self.pid)

    def cpu_s(self) -> float:
        """What they have used so far."""
        return cpu_of(self.pids())


class Upstream(Protocol):
    """What a daemon asks."""

    @property
    def url(self) -> str:
        """Where S3 and SQS are."""

    @property
    def ca_file(self) -> str:
        """What verifies it; "" for plain HTTP."""


def _endpoints(server: Upstream) -> str:
    return f'endpoints = {{ s3 = "{server.url}", sqs = "{server.url}" }}'


@contextlib.contextmanager
def running_daemon(
    server: Upstream,
    other: Upstream | None = None,
    limits: str = "",
    *,
    daemon: str = 'log_level = "warning"',
    pool: str = "",
    profile: str = "",
    compiled: bool = True,
) -> Iterator[Daemon]:
    """`botod run` for the length of a block, with a profile `default` and one called `other`.

    server, other: what each asks. The others: lines for the sections of these names, profile's for
    both profiles. compiled: it runs on what `make compiled` makes, where that is there. What it
    logs goes to a file in memory.
    """
    with (
        tempfile.TemporaryDirectory(prefix="botod-bench-") as folder,
        tempfile.TemporaryFile(dir=MEMORY) as log,
    ):
        path, config = f"{folder}/socket", Path(folder, "botod.toml")
        ca_file = f'ca_file = "{server.ca_file}"' if server.ca_file else ""
        config.write_text(
            f'[daemon]\nsocket = "{path}"\n{daemon}\n[limits]\n{limits}\n'
            f"[pool]\n{ca_file}\n{pool}\n"
            f"[profile.default]\n{_endpoints(server)}\n{profile}\n"
            f"[profile.other]\n{_endpoints(other or server)}\n{profile}\n"
        )
        shared = Path(folder, "credentials")
        shared.write_text("[other]\naws_access_key_id = access\naws_secret_access_key = secret\n")
        keys = {
            "AWS_ACCESS_KEY_ID": "access",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SHARED_CREDENTIALS_FILE": str(shared),
        }
        command = [sys.executable, "-m", "botod.daemon.cli", "run", "--config", str(config)]
        environ = {**os.environ, **keys, "HOME": folder}
        if compiled and COMPILED:
            environ["PYTHONPATH"] = COMPILED
        process = subprocess.Popen(command, env=environ, stderr=log)
        try:
            _wait_for(path, process)
            running = Daemon(process.pid, path)
            running.connect().ask("botod.ping", {})  # somebody has begun to serve
            yield running
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(path: str, process: "subprocess.Popen[bytes]") -> None:
    """Until it listens; a daemon that ends instead ends the run."""
    deadline = time.monotonic() + STARTED_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.02)
    sys.exit("the daemon does not listen")
