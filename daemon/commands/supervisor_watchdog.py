"""`botod supervisor-watchdog`: an event listener of supervisor's that restarts stuck workers.

On each TICK it pings every process of a group on that worker's control socket. One that does not
answer is sent SIGABRT, which has its stacks written to the log, and SIGKILL at the next TICK if it
is still there; supervisor starts it again. It speaks supervisor's protocol on standard input and
output, and its XML-RPC over a Unix socket, with the standard library alone.
"""

import argparse
import http.client
import os
import re
import signal
import socket
import sys
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from botod.daemon.share import control_path
from botod.ipc.client import connect
from botod.ipc.errors import DaemonUnavailable, RpcError

READY = b"READY\n"
OK = b"RESULT 2\nOK"

RUNNING = 20
"""supervisor's state of a process that has started and not ended."""

YOUNG_S = 15
"""A process that has run for less may still be starting."""

EXIT_USAGE = 2


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(argv)
    url = os.environ.get("SUPERVISOR_SERVER_URL", "")
    if not url.startswith("unix://"):
        sys.stderr.write("botod: start it by supervisor, with a [unix_http_server]\n")
        return EXIT_USAGE
    watchdog = Watchdog(
        Supervisor(url.removeprefix("unix://")),
        group=arguments.group,
        folder=arguments.folder,
        timeout_s=arguments.timeout,
    )
    for event in events(sys.stdin.buffer, sys.stdout.buffer):
        if event.startswith("TICK"):
            watchdog.look()
    return 0


def parser() -> argparse.ArgumentParser:
    """What may be said."""
    said = argparse.ArgumentParser(
        prog="botod supervisor-watchdog",
        description="Restart workers that do not answer: an event listener of supervisor's.",
    )
    said.add_argument("--group", default="botod", help="supervisor's group; default: botod")
    said.add_argument(
        "--folder", default="/run/botod", help="where the control sockets are; default: /run/botod"
    )
    said.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="for an answer; default: 5"
    )
    return said


def events(stdin: BinaryIO, stdout: BinaryIO) -> Iterator[str]:
    """The names of supervisor's events, each acknowledged once the next one is asked for."""
    while True:
        stdout.write(READY)
        stdout.flush()
        headers = dict(word.split(":", 1) for word in stdin.readline().decode().split())
        if not headers:
            return
        stdin.read(int(headers["len"]))
        yield headers["eventname"]
        stdout.write(OK)
        stdout.flush()


class Supervisor:
    """supervisor's XML-RPC over the Unix socket at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def running(self, group: str) -> dict[str, Mapping[str, Any]]:
        """What it knows of the processes of a group that run, by name."""
        with self._asked() as rpc:
            found: Any = rpc.supervisor.getAllProcessInfo()
        return {
            one["name"]: one for one in found if (one["group"], one["state"]) == (group, RUNNING)
        }

    def signal(self, group: str, name: str, number: int) -> None:
        with self._asked() as rpc:
            rpc.supervisor.signalProcess(f"{group}:{name}", str(number))

    def _asked(self) -> xmlrpc.client.ServerProxy:
        """One connection a question: they are seconds apart."""
        return xmlrpc.client.ServerProxy("http://supervisor", transport=_Transport(self._path))


class _Transport(xmlrpc.client.Transport):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("supervisor", timeout=30)
        self._path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        self.sock = sock


class Watchdog:
    """Looks after the processes of one group. timeout_s: for each one's answer."""

    def __init__(
        self, supervisor: Supervisor, *, group: str, folder: str, timeout_s: float
    ) -> None:
        self._supervisor = supervisor
        self._group = group
        self._folder = folder
        self._timeout_s = timeout_s
        self._aborted: set[int] = set()

    def look(self) -> None:
        """Ping all once, and end those that do not answer."""
        try:
            running = self._supervisor.running(self._group)
            for name, process in running.items():
                if process["now"] - process["start"] >= YOUNG_S and not self._answers(name):
                    self._end(name, process["pid"])
            self._aborted &= {process["pid"] for process in running.values()}
        except (OSError, xmlrpc.client.Error, http.client.HTTPException) as error:
            _log(f"supervisor cannot be asked: {error}")

    def _answers(self, name: str) -> bool:
        number = re.search(r"\d*$", name)
        assert number is not None, "it matches nothing at all, too"
        path = control_path(self._folder, int(number[0] or 0))
        try:
            with connect(path, timeout_s=self._timeout_s) as connection:
                connection.call("botod.ping")
        except (DaemonUnavailable, RpcError) as error:
            _log(f"{name} does not answer: {error}")
            return False
        return True

    def _end(self, name: str, pid: int) -> None:
        number = signal.SIGKILL if pid in self._aborted else signal.SIGABRT
        self._aborted.add(pid)
        _log(f"{name}, pid {pid}: {number.name}")
        self._supervisor.signal(self._group, name, number)


def _log(words: str) -> None:
    """On standard error: standard output is supervisor's."""
    sys.stderr.write(f"botod supervisor-watchdog: {words}\n")
    sys.stderr.flush()
