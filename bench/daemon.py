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
from typing import Any

from nginx import Nginx

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
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2

    def cpu_s(self) -> float:
        """What it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _endpoints(server: Nginx) -> str:
    url = f"https://localhost:{server.port}"
    return f'endpoints = {{ s3 = "{url}", sqs = "{url}" }}'


@contextlib.contextmanager
def running_daemon(server: Nginx, other: Nginx | None = None, limits: str = "") -> Iterator[Daemon]:
    """`botod run` for the length of a block, with a profile `default` and one called `other`.

    server, other: what each asks. limits: lines for the section of that name.
    """
    with tempfile.TemporaryDirectory(prefix="botod-bench-") as folder:
        path, config = f"{folder}/socket", Path(folder, "botod.toml")
        config.write_text(
            f'[daemon]\nsocket = "{path}"\nlog_level = "warning"\n[limits]\n{limits}\n'
            f'[pool]\nca_file = "{server.ca_file}"\n'
            f"[profile.default]\n{_endpoints(server)}\n"
            f"[profile.other]\n{_endpoints(other or server)}\n"
        )
        shared = Path(folder, "credentials")
        shared.write_text("[other]\naws_access_key_id = access\naws_secret_access_key = secret\n")
        keys = {
            "AWS_ACCESS_KEY_ID": "access",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SHARED_CREDENTIALS_FILE": str(shared),
        }
        command = [sys.executable, "-m", "botod.daemon.cli", "run", "--config", str(config)]
        process = subprocess.Popen(command, env={**os.environ, **keys, "HOME": folder})
        try:
            deadline = time.monotonic() + STARTED_WITHIN_S
            while not Path(path).exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.2)  # it is bound, but does not listen yet
            yield Daemon(process.pid, path)
        finally:
            process.terminate()
            process.wait(30)
