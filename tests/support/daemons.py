"""Real daemons in processes of their own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botod.ipc import Connection, DaemonUnavailable, connect

START_S = 30.0
STOP_S = 30.0

KEYS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}

UNEXPECTED = (" WARNING ", " ERROR ", " CRITICAL ", "Traceback")


@dataclass
class Daemon:
    """A daemon that runs. `folder` is its own; it is short, as paths of sockets have to be."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    socket: str

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def connect(self) -> Connection:
        return connect(self.socket)

    def status(self) -> Any:
        """What `botod status --json` shows."""
        with self.connect() as connection:
            return connection.call("botod.status")

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


@contextlib.contextmanager
def daemon(
    endpoint: str,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] = KEYS,
    expected: tuple[str, ...] = (),
    endpoints: Mapping[str, str] | None = None,
) -> Iterator[Daemon]:
    """A daemon whose services are all at `endpoint` (or `endpoints`); stopped by SIGTERM.

    settings: sections of its configuration. expected: parts of log lines that may be warnings. At
    the end its exit status has to be 0 and its log must hold nothing unexpected, unless the test
    has ended it.
    """
    with tempfile.TemporaryDirectory(prefix="botod-") as name:
        folder = Path(name)
        path = f"{name}/sock"
        services = endpoints or dict.fromkeys(("s3", "sqs", "sdb"), endpoint)
        sections = {**(settings or {}), "profile.default.endpoints": services}
        (folder / "botod.toml").write_text(as_toml(sections), encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "botod.daemon.cli", "run", "--config", name + "/botod.toml"],
                env={**os.environ, **environ, "BOTOD_SOCKET": path},
                stderr=log,
            )
        running = Daemon(process, folder, path)
        try:
            wait_until_it_answers(running)
            yield running
            if process.poll() is None:
                assert running.stop() == 0, running.log
            lines = [line for line in running.log.splitlines() if not has(line, expected)]
            assert not [line for line in lines if has(line, UNEXPECTED)], running.log
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(STOP_S)


def has(line: str, parts: tuple[str, ...]) -> bool:
    """Whether one of the parts stands in a line."""
    return any(part in line for part in parts)


def as_toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Sections of texts, numbers and truths as TOML, which writes those as JSON does."""
    blocks = (
        "\n".join([
            f"[{section}]",
            *(f"{key} = {json.dumps(value)}" for key, value in values.items()),
        ])
        for section, values in sections.items()
    )
    return "\n\n".join(blocks) + "\n"


def wait_until_it_answers(running: Daemon) -> None:
    """Ping until there is an answer, for at most START_S."""
    pause = threading.Event()  # nobody sets it: its wait is a sleep with a bound
    for _ in range(int(START_S / 0.02)):
        assert running.process.poll() is None, f"the daemon ended: {running.log}"
        try:
            with running.connect() as connection:
                connection.call("botod.ping")
        except DaemonUnavailable:
            pause.wait(0.02)
        else:
            return
    raise AssertionError(f"the daemon does not answer: {running.log}")
