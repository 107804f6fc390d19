"""Daemons as processes of their own, for the length of a block."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botod.ipc import Connection, connect
from support.compiled import COMPILED_PATH
from support.secrets import secrets_in

BOUND_S = 30.0
"""For what takes a fraction of a second; a process that takes longer fails its test."""

STEP_S = 0.01

LOUD = (" WARNING ", " ERROR ", " CRITICAL ", "Traceback")

EXPECTED_ANYWHERE = ("a visit of",)
"""A loaded machine may stretch any visit."""

RUN = ("-m", "botod.daemon.cli", "run")

NO_METADATA = {"AWS_EC2_METADATA_DISABLED": "true"}
"""Nobody is asked at an address that is not this machine's."""

KEYS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}


@dataclass
class Daemon:
    """A daemon's process. `lines` is what it has written to standard error so far."""

    process: "subprocess.Popen[str]"
    socket_path: str
    folder: Path
    environ: Mapping[str, str]
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread = field(init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def connect(self) -> Connection:
        return connect(self.socket_path, timeout_s=BOUND_S)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write another configuration, for its next reload."""
        configure(config, self.folder)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; its exit status."""
        return self.process.wait(BOUND_S)

    def wait_for_line(self, words: str) -> str:
        """Wait until it logs a line with these words."""
        with self._changed:
            self._changed.wait_for(lambda: self._find(words) is not None, BOUND_S)
            line = self._find(words)
        assert line is not None, f"no line with {words!r} in {self.lines}"
        return line

    def close(self) -> None:
        """Kill it if it lives, and read its log no more."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.reader.join(BOUND_S)  # its workers may write for a moment longer

    def assert_quiet(self, expected: Sequence[str]) -> None:
        """No line of the log so far is a warning or worse, but those with one of these parts."""
        bad = [
            line
            for line in self.lines
            if any(part in line for part in LOUD) and not any(part in line for part in expected)
        ]
        whole = "\n".join(self.lines)
        assert not bad, f"unexpected log lines: {bad}, in\n{whole}"
        assert not secrets_in(self.lines), secrets_in(self.lines)
        for path in self._kept_files():
            assert not secrets_in(path.read_text().splitlines())

    def _kept_files(self) -> Iterator[Path]:
        """Its log and its audit record, where they are files, with those that were renamed."""
        config = tomllib.loads((self.folder / "botod.toml").read_text())
        named = (config.get("log", {}).get("file"), config.get("audit", {}).get("path"))
        for path in (Path(name) for name in named if name and name.startswith("/")):
            yield from (one for one in path.parent.glob(f"{path.name}*") if one.is_file())

    def _find(self, words: str) -> str | None:
        return next((line for line in self.lines if words in line), None)

    def read_lines(self) -> None:
        """Gather what it writes until it ends; run by a thread."""
        assert self.process.stderr is not None, "standard error is a pipe"
        with self.process.stderr:
            for line in self.process.stderr:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()


def clean_environ(folder: Path, **more: str) -> dict[str, str]:
    """An environment with throwaway keys, and with nothing of the user's in it."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return {**own, **COMPILED_PATH, **NO_METADATA, **KEYS, **more}


def as_toml(config: Mapping[str, Any]) -> str:
    """A configuration of nested tables as a file: inline tables, so order does not matter."""
    return "".join(f"{key} = {_inline(value)}\n" for key, value in config.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {_inline(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def endpoints(port: int, **settings: Any) -> dict[str, Any]:
    """The part of a configuration that leads all services to a server on loopback.

    settings: more of the profile's.
    """
    url = f"http://127.0.0.1:{port}"
    urls = {"s3": url, "sqs": url, "sdb": url}
    return {"profile": {"default": {"endpoints": urls, **settings}}}


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for sockets, whose paths may have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="botod-", dir="/tmp") as name:
        yield Path(name)


def start(
    config: Mapping[str, Any],
    folder: Path,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = RUN,
) -> Daemon:
    """Start `botod run` with a configuration, its socket in `folder`; does not wait for it.

    command: what Python runs, where it is something else that takes --config.
    """
    file = folder / "botod.toml"
    path = configure(config, folder)
    process = subprocess.Popen(
        [sys.executable, *command, "--config", str(file)],
        env=environ or clean_environ(folder),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    started = Daemon(process, path, folder, environ or clean_environ(folder))
    started.reader = threading.Thread(target=started.read_lines, daemon=True)
    started.reader.start()
    return started


def configure(config: Mapping[str, Any], folder: Path) -> str:
    """Write a daemon's configuration; the path of its socket."""
    daemon = {"socket": str(folder / "botod.sock")} | dict(config.get("daemon", {}))
    new = folder / "botod.toml.new"
    new.write_text(as_toml({**config, "daemon": daemon}))
    new.replace(folder / "botod.toml")  # at once: a reload may be reading it
    path: str = daemon["socket"]
    return path


@contextlib.contextmanager
def running_daemon(
    config: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = RUN,
    expected: tuple[str, ...] = EXPECTED_ANYWHERE,
) -> Iterator[Daemon]:
    """A daemon that answers; at the end it is killed if the test has not stopped it.

    It must not have logged a warning or an error, except those whose parts are `expected`.
    """
    with short_folder() as folder:
        daemon = start(config, folder, environ, command)
        try:
            wait_until(lambda: _answers(daemon), daemon)
            yield daemon
            daemon.assert_quiet(expected)
        finally:
            daemon.close()


def wait_until(happened: Callable[[], bool], daemon: Daemon) -> None:
    """Wait until something outside has happened, which nobody announces; the daemon must live."""
    deadline = time.monotonic() + BOUND_S
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen; {daemon.lines}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = daemon.process.wait(STEP_S)
            raise AssertionError(f"the daemon ended with {status}: {daemon.lines}")


def full_pipe() -> tuple[int, int]:
    """Both ends of a pipe in which there is no room."""
    reader, end = os.pipe()
    os.set_blocking(end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(end, b"x" * 4096)
    os.set_blocking(end, True)
    return reader, end


def _answers(daemon: Daemon) -> bool:
    """Whether it serves, and handles signals: its socket is there a moment before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(BOUND_S)
        if probe.connect_ex(daemon.socket_path) != 0:
            return False
        probe.sendall(b'{"jsonrpc":"2.0","id":1,"method":"botod.ping"}\n')
        try:
            return bool(probe.recv(1))
        except OSError:  # it ended meanwhile
            return False
