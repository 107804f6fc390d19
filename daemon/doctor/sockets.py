"""Whether the socket is there, whether a user may reach it, and whether a daemon answers."""

import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botod.daemon.callers import Caller
from botod.daemon.control import BOTOD_VERSION
from botod.daemon.doctor.finding import Finding, bad, doubtful, good
from botod.daemon.doctor.rights import WRITE, closed_to, may, rights_text
from botod.ipc.client import Connection, connect
from botod.ipc.errors import DaemonUnavailable, RpcError
from botod.ipc.receiving import connected_as

ANSWER_S = 5.0
"""A daemon answers a ping in a millisecond; one that takes longer serves nobody."""

INIT = 1
"""systemd's process, which hands its sockets to others."""

START = "start the daemon: systemctl start botod, supervisorctl start botod, or botod run"


@dataclass(frozen=True)
class Running:
    """A daemon that answers, as far as is known who it is. pid: 0: it is not known.

    refusal: what it says to who asks if it does not serve that user; empty: it does. keys: what it
    tells of its looks for keys, if it tells who asks.
    """

    pid: int = 0
    uid: int | None = None
    version: str = ""
    refusal: str = ""
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def look_at_socket(path: str, mode: int) -> tuple[Running | None, list[Finding]]:
    """Whether a daemon answers there, and what is wrong. mode: what the configuration wants."""
    findings: list[Finding] = []
    try:
        found = os.lstat(path)
    except OSError as error:
        return None, [bad("socket", f"{path}: {error.strerror}", _missing(path, error))]
    if not stat.S_ISSOCK(found.st_mode):
        cause = f"{path}: there is something that is not a socket"
        return None, [bad("socket", cause, "remove it; the daemon does not start over it")]
    if stat.S_IMODE(found.st_mode) != mode:
        findings.append(
            doubtful(
                "socket",
                f"{path} has the rights {rights_text(found)}, socket_mode says {mode:04o}",
                f"restart the daemon, or chmod {mode:04o} {path}; with systemd's socket unit, "
                "SocketMode= decides",
            )
        )
    running, answered = _ask(path)
    return running, [*findings, *answered]


def look_at_way(path: str, caller: Caller) -> Iterator[Finding]:
    """Whether a user may reach the socket, and whether others could put a false one there."""
    folder = Path(path).absolute().parent
    try:
        closed = closed_to(caller, path)
        around, found = folder.stat(), os.lstat(path)
    except OSError:
        return  # it is not there, which was said
    if closed is not None:
        yield bad(
            "socket",
            f"{caller} may not enter {closed} ({rights_text(Path(closed).stat())})",
            f"chmod o+x {closed}; with systemd, RuntimeDirectoryMode=0755",
        )
    elif not may(caller, found, WRITE):
        yield bad(
            "socket",
            f"{caller} may not write to {path} ({rights_text(found)})",
            'socket_mode = "0666": policy decides who is served; with systemd\'s socket unit, '
            "SocketMode=0666",
        )
    if around.st_mode & stat.S_IWOTH and not around.st_mode & stat.S_ISVTX:
        yield bad(
            "socket",
            f"everybody may write in {folder}, and put a socket of their own there",
            f"chmod go-w {folder}",
        )


def _missing(path: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run this as root, or chmod o+x the directories on the way"
    if not Path(path).parent.is_dir():
        return f"there is no directory {Path(path).parent}; {START}"
    return f"{START}; or name its socket with --socket or $BOTOD_SOCKET"


def _ask(path: str) -> tuple[Running | None, list[Finding]]:
    try:
        with connect(path, timeout_s=ANSWER_S) as connection:
            said = connection.call("botod.ping")
            keys = _keys(connection)
    except DaemonUnavailable as error:
        return None, [_silent(path, error)]
    except RpcError as error:
        pid = _listener(path)
        words = f"{path}: a daemon answers, and refuses who asks"
        return Running(pid, _owner(pid), refusal=error.message), [good("socket", words)]
    running = Running(said["pid"], _owner(said["pid"]), said["version"], keys=keys)
    findings = [good("socket", f"{path}: botod {running.version} answers, pid {running.pid}")]
    if running.version != BOTOD_VERSION:
        findings.append(
            doubtful(
                "version",
                f"botod {running.version} runs, {BOTOD_VERSION} is installed",
                "restart the daemon",
            )
        )
    return running, findings


def _keys(connection: Connection) -> Mapping[str, Mapping[str, Any]]:
    try:
        keys: Mapping[str, Mapping[str, Any]] = connection.call("botod.status")["keys"]
    except RpcError:
        return {}  # this user may not ask that
    return keys


def _silent(path: str, error: DaemonUnavailable) -> Finding:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ConnectionRefusedError):
        words = f"{path}: nobody listens there: a daemon that ended has left it"
        return bad("socket", words, f"{START}; it replaces the dead socket")
    if isinstance(cause, PermissionError):
        return bad("socket", f"{path}: this user may not connect", 'socket_mode = "0666"')
    return bad(
        "socket",
        f"{path}: who listens there gave no answer within {ANSWER_S:g} s",
        "see the daemon's log; restart it",
    )


def _listener(path: str) -> int:
    """The process that began to listen there; 0: it is not known, as systemd began to."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_S)
        try:
            probe.connect(path)
        except OSError:
            return 0
        pid = connected_as(probe).pid
    return pid if pid != INIT else 0


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None
