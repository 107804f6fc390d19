"""Whether the socket is there, whether a user may reach it, and whether a daemon answers."""

import os
import re
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botod.daemon.callers import OVERFLOW_ID, Caller
from botod.daemon.control import BOTOD_VERSION
from botod.daemon.doctor.finding import Finding, bad, doubtful, good
from botod.daemon.doctor.rights import WRITE, closed_to, may, rights_text
from botod.ipc.client import Connection, connect
from botod.ipc.errors import DaemonUnavailable, RpcError
from botod.ipc.receiving import Credentials, connected_as

ANSWER_S = 5.0
"""A daemon answers a ping in a millisecond; one that takes longer serves nobody."""

INIT = 1
"""systemd's process, which hands its sockets to others."""

START = "start the daemon: systemctl start botod, supervisorctl start botod, or botod run"

MOUNT = (
    "mount the directory of the socket: each start of the daemon makes another file, which a mount "
    "of the old one never shows; docs/containers.md"
)

_NO_KEYS: Mapping[str, Mapping[str, Any]] = {}


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
        words = f"{path}: a daemon answers, and refuses who asks"
        return _running(_listener(path), 0, refusal=error.message), [good("socket", words)]
    running = _running(_listener(path), said["pid"], version=said["version"], keys=keys)
    where = f"pid {running.pid}" if running.pid else "in a pid namespace that is not seen from here"
    findings = [good("socket", f"{path}: botod {running.version} answers, {where}")]
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
        if _is_mounted(path):
            return bad("socket", f"{words}, and it is mounted by itself", MOUNT)
        return bad("socket", words, f"{START}; it replaces the dead socket")
    if isinstance(cause, PermissionError):
        return bad("socket", f"{path}: this user may not connect", 'socket_mode = "0666"')
    return bad(
        "socket",
        f"{path}: who listens there gave no answer within {ANSWER_S:g} s",
        "see the daemon's log; restart it",
    )


def _listener(path: str) -> Credentials:
    """Who began to listen there, by the kernel's word, as they are called here; pid 0: not here."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_S)
        try:
            probe.connect(path)
        except OSError:
            return Credentials(0, OVERFLOW_ID, OVERFLOW_ID)
        return connected_as(probe)


def _running(
    listener: Credentials,
    said_pid: int,
    *,
    version: str = "",
    refusal: str = "",
    keys: Mapping[str, Mapping[str, Any]] = _NO_KEYS,
) -> Running:
    """Who answers. said_pid: what it calls itself, which in a container is not what it is here.

    systemd's sockets are systemd's; a container's first process is called like it.
    """
    if listener.pid == 0:
        uid = listener.uid if listener.uid not in (0, OVERFLOW_ID) else None
        return Running(0, uid, version, refusal, keys)
    if listener.pid != INIT and (not said_pid or _is_called_otherwise(listener.pid)):
        said_pid = listener.pid
    return Running(said_pid, _owner(said_pid), version, refusal, keys)


def _is_called_otherwise(pid: int) -> bool:
    """Whether a process has another number for itself: it is in a pid namespace below this one."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    found = re.search(r"^NSpid:\t(.*)$", text, re.MULTILINE)
    return found is not None and len(found[1].split()) > 1


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid if pid else None
    except OSError:
        return None


def _is_mounted(path: str) -> bool:
    """Whether this very file is mounted, and not the directory that it is in."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return os.path.realpath(path) in (line.split(" ")[4] for line in lines)
