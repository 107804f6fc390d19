"""`botod supervisor-watchdog`, between a supervisor and workers that are played."""

import io
import signal
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from botod.daemon.commands.supervisor_watchdog import Supervisor, Watchdog, events, main
from support.daemons import short_folder

RUNNING, STOPPED = 20, 0


class Played(socketserver.ThreadingMixIn, socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    """supervisor's XML-RPC, with the processes that it is told of."""

    daemon_threads = True
    logRequests = False  # noqa: N815 - its name there

    def __init__(self, path: str) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True)
        socketserver.UnixStreamServer.__init__(self, path, Handler)
        self.processes: list[dict[str, Any]] = []
        self.signals: list[tuple[str, str]] = []
        self.register_function(lambda: self.processes, "supervisor.getAllProcessInfo")
        self.register_function(self._signal, "supervisor.signalProcess")

    def add(self, name: str, pid: int, *, group: str = "botod", **more: Any) -> None:
        process = {"group": group, "name": name, "pid": pid, "state": RUNNING}
        self.processes.append({**process, "start": 100, "now": 200, **more})

    def _signal(self, name: str, number: str) -> bool:
        self.signals.append((name, number))
        return True


class Handler(SimpleXMLRPCRequestHandler):
    """Over a Unix socket, whose peers have no address."""

    rpc_paths = ("/RPC2",)
    disable_nagle_algorithm = False

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """The runtime directory."""
    with short_folder() as one:
        yield one


@pytest.fixture
def played(folder: Path) -> Iterator[Played]:
    """A supervisor that answers."""
    server = Played(str(folder / "supervisor.sock"))
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def watchdog(played: Played, folder: Path) -> Watchdog:
    """One that looks after the group botod."""
    supervisor = Supervisor(str(folder / "supervisor.sock"))
    return Watchdog(supervisor, group="botod", folder=str(folder), timeout_s=0.05)


def worker(folder: Path, number: int) -> "socketserver.UnixStreamServer":
    """A worker that answers whatever it is asked."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b'{"jsonrpc":"2.0","id":1,"result":{}}\n')

    server = socketserver.UnixStreamServer(str(folder / f"worker-{number}.sock"), Answer)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    return server


@pytest.mark.long
def test_who_does_not_answer_is_aborted_then_killed(
    folder: Path, played: Played, watchdog: Watchdog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who does is left alone, and so is one that is gone by the second look."""
    served = worker(folder, 0)
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(str(folder / "worker-1.sock"))
        stuck.listen()
        played.add("botod_0", 10)
        played.add("botod_1", 11)
        watchdog.look()
        assert played.signals == [("botod:botod_1", str(int(signal.SIGABRT)))]
        watchdog.look()
        assert played.signals[1:] == [("botod:botod_1", str(int(signal.SIGKILL)))]
        played.processes[1]["pid"] = 12
        watchdog.look()
        assert played.signals[2:] == [("botod:botod_1", str(int(signal.SIGABRT)))]
    served.shutdown()
    served.server_close()
    assert "botod_1, pid 11: SIGABRT" in capsys.readouterr().err


def test_who_is_not_looked_at(played: Played, watchdog: Watchdog) -> None:
    """Others' processes, those that do not run, and those that have just begun."""
    played.add("botod_1", 11, group="others")
    played.add("botod_1", 12, state=STOPPED)
    played.add("botod_1", 13, start=190)
    watchdog.look()
    assert played.signals == []


def test_a_supervisor_that_cannot_be_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said; the next look may find it."""
    supervisor = Supervisor(str(folder / "none.sock"))
    Watchdog(supervisor, group="botod", folder=str(folder), timeout_s=1).look()
    assert "supervisor cannot be asked: " in capsys.readouterr().err


def test_supervisor_s_protocol() -> None:
    """Ready, an event with its payload, acknowledged as the next one is asked for; then the end."""
    head = "ver:3.0 server:supervisor serial:1 pool:w poolserial:1 eventname:{} len:{}\n"
    stdin = io.BytesIO(
        (head.format("TICK_5", 15) + "when:1201063880" + head.format("OTHER", 0)).encode()
    )
    stdout = io.BytesIO()
    assert list(events(stdin, stdout)) == ["TICK_5", "OTHER"]
    assert stdout.getvalue() == b"READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n"


def test_it_is_supervisor_that_starts_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand there is nobody to ask."""
    monkeypatch.delenv("SUPERVISOR_SERVER_URL", raising=False)
    assert main([]) == 2
    assert "start it by supervisor, with a [unix_http_server]" in capsys.readouterr().err
