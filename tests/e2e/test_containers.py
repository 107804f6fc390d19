"""What docs/containers.md says, with the namespaces that containers are made of."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import DaemonUnavailable, connect
from botod.ipc.errors import Code
from support.askers import needs_root
from support.daemons import (
    BOUND_S,
    Daemon,
    clean_environ,
    endpoints,
    running_daemon,
    short_folder,
    start,
    wait_until,
)
from support.http_server import http_server
from support.namespaces import NO_RIGHTS, daemon_in, unshared
from support.services import reply

APP, OTHER = 70033, 70044
"""Users of programs that ask, which nobody on a test's machine is."""

OBJECT = {"Bucket": "logs", "Key": "2026/x"}
READ = ["s3.get_object on logs/*"]
NO = int(Code.ACCESS_DENIED)

PEER = """
import ctypes, json, os, sys
from botod.ipc import DaemonUnavailable, connect
from botod.ipc.errors import RpcError

def asked(path):
    try:
        with connect(path, wait_s=float(os.environ.get("WAIT_S", "0"))) as connection:
            connection.call("s3.get_object", {"Bucket": "logs", "Key": "2026/x"})
            return "served"
    except DaemonUnavailable as error:
        return type(error.__cause__ or error.__context__).__name__
    except RpcError as error:
        return [error.code, error.message]

outside, inside = sys.argv[1:]
if outside != "0":
    os.setgroups([])
    os.setresgid(*3 * [int(outside)])
    os.setresuid(*3 * [int(outside)])
if inside:
    NEWUSER, DUMPABLE = 0x10000000, 4
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(NEWUSER) == 0, ctypes.get_errno()
    assert libc.prctl(DUMPABLE, 1, 0, 0, 0) == 0
    if inside != "unmapped":
        with open("/proc/self/uid_map", "w") as map:
            map.write(f"{inside} {outside} 1")
for line in sys.stdin:
    print(json.dumps({"uid": os.getuid(), **{path: asked(path) for path in line.split()}}))
    sys.stdout.flush()
"""
"""Asks at each path of a line for an object, and prints what became of it, once for each line.

As another user, and that one in a user namespace of its own, where it is the user `inside`.
"""


class Peer:
    """A program that asks, in namespaces of its own; it begins to ask when it is told to."""

    def __init__(self, *inside: str, uid: int, inner: str, wait_s: float) -> None:
        self.process = subprocess.Popen(
            [*inside, sys.executable, "-c", PEER, str(uid), inner],
            env=clean_environ(Path("/"), WAIT_S=str(wait_s)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, *paths: str | Path) -> None:
        """Have it ask at these."""
        assert self.process.stdin is not None, "asked for as a pipe"
        self.process.stdin.write(" ".join(map(str, paths)) + "\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, Any]:
        """What became of it, by path; and which user it is for itself."""
        assert self.process.stdout is not None, "asked for as a pipe"
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, path: str | Path) -> Any:
        """What became of asking at one path."""
        self.tell(path)
        return self.told()[str(path)]


@contextlib.contextmanager
def peer(*inside: str, uid: int = 0, inner: str = "", wait_s: float = 0.0) -> Iterator[Peer]:
    """A peer, gone at the end.

    inside: what it is started by. inner: who it is in a user namespace of its own; empty: in none.
    """
    one = Peer(*inside, uid=uid, inner=inner, wait_s=wait_s)
    try:
        yield one
    finally:
        one.process.communicate(timeout=BOUND_S)


@contextlib.contextmanager
def daemon_with(*rules: dict[str, Any], inside: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon with these rules, in namespaces of its own or not, that every user can reach."""
    with http_server(reply(b"miaow")) as aws:
        config = endpoints(aws.port) | {"policy": list(rules)}
        with running_daemon(config, command=daemon_in(*inside)) as daemon:
            daemon.folder.chmod(0o755)
            yield daemon


MOUNTS = """
set -e
cd "$1"; shift
mkdir directory; touch file
mount --bind run directory
mount -o remount,bind,ro directory
mount --bind run/botod.sock file
exec "$@"
"""


@needs_root
def test_mount_the_directory_never_the_socket() -> None:
    """A mounted file is dead after a restart; a mounted directory, read-only too, has the new one.

    Nor can who has it read-only put anything in the socket's place.
    """
    mounted = unshared("--mount", "sh", "-c")
    with http_server(reply(b"miaow")) as aws, short_folder() as folder:
        config = endpoints(aws.port) | {"daemon": {"socket": f"{folder}/run/botod.sock"}}
        daemon = start(config, folder)
        try:
            wait_until(lambda: answers(daemon), daemon)
            file, there = folder / "file", folder / "directory" / "botod.sock"
            with peer(*mounted, MOUNTS, "sh", str(folder)) as one:
                one.tell(file, there)
                assert one.told() == {"uid": 0, str(file): "served", str(there): "served"}
                assert daemon.stop() == 0
                daemon.close()
                daemon = start(config, folder)
                wait_until(lambda: answers(daemon), daemon)
                assert one.ask(file) == "ConnectionRefusedError"
                assert one.ask(there) == "served"
                seen = Path(f"/proc/{one.process.pid}/root{there}")
                with pytest.raises(OSError, match="Read-only"):
                    seen.unlink()
                inside = ("nsenter", f"--mount=/proc/{one.process.pid}/ns/mnt")
                doctor = examined(folder, file, inside)
            assert "it is mounted by itself" in doctor
            assert "mount the directory of the socket" in doctor
        finally:
            daemon.close()


def answers(daemon: Daemon) -> bool:
    """Whether it serves its own user."""
    try:
        with connect(daemon.socket_path) as connection:
            return bool(connection.call("botod.ping"))
    except DaemonUnavailable:
        return False


def examined(folder: Path, path: str | Path, inside: Sequence[str]) -> str:
    """What the doctor says of a socket, asked in a peer's place."""
    doctor = (sys.executable, "-m", "botod.daemon.cli", "doctor", "--socket", str(path))
    done = subprocess.run(
        [*inside, *doctor, "--config", str(folder / "botod.toml")],
        env=clean_environ(folder),
        capture_output=True,
        text=True,
        timeout=2 * BOUND_S,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


OWN_PIDS = ("--pid", "--fork", "--kill-child", "--mount-proc")


@needs_root
def test_a_peer_in_another_pid_namespace() -> None:
    """It has no number for the daemon, and is served by its user. A unit cannot be told of it."""
    inside = unshared(*OWN_PIDS)
    by_unit = {"uid": OTHER, "unit": "app.service", "allow": READ}
    with daemon_with({"uid": APP, "allow": READ}, by_unit, inside=inside) as daemon:
        with peer(*inside, uid=APP) as one:
            assert one.ask(daemon.socket_path) == "served"
        with peer(*inside, uid=OTHER) as one:
            code, words = one.ask(daemon.socket_path)
            assert (code, "may not call s3.get_object" in words) == (NO, True)
        line = daemon.wait_for_line(f"user {OTHER} may not call s3.get_object")
        assert "pid 0: " in line
        assert "its unit cannot be told: it is in a pid namespace that the daemon does not" in line
        beside = examined(daemon.folder, daemon.socket_path, inside)
        assert "answers, in a pid namespace that is not seen from here" in beside
        outside = examined(daemon.folder, daemon.socket_path, ())
        assert "answers, pid 1\n" not in outside, "that is this machine's first process"


@needs_root
def test_a_peer_below_the_daemon_s_pid_namespace() -> None:
    """As with hostPID: the daemon has a number for it."""
    with daemon_with({"uid": APP, "unit": "app.service", "allow": READ}) as daemon:
        with peer(*unshared(*OWN_PIDS), uid=APP) as one:
            assert one.ask(daemon.socket_path)[0] == NO
        line = daemon.wait_for_line(f"user {APP} may not call s3.get_object")
        assert "pid 0: " not in line
        assert "its unit cannot be told" not in line


def test_a_peer_that_starts_before_the_daemon() -> None:
    """It waits as long as it said, for a directory as for a socket, and then is served."""
    with http_server(reply(b"miaow")) as aws, short_folder() as folder:
        path = folder / "run" / "botod.sock"
        with pytest.raises(DaemonUnavailable):
            connect(str(path))
        began = time.monotonic()
        with pytest.raises(DaemonUnavailable):
            connect(str(path), wait_s=0.5)
        assert 0.5 <= time.monotonic() - began < BOUND_S
        with peer(wait_s=BOUND_S) as one:
            one.tell(path)
            daemon = start(endpoints(aws.port) | {"daemon": {"socket": str(path)}}, folder)
            try:
                assert one.told()[str(path)] == "served"
            finally:
                daemon.close()


@needs_root
def test_a_peer_in_a_user_namespace() -> None:
    """It is the user that it is outside, whatever it calls itself: root, or nobody at all."""
    with daemon_with({"uid": APP, "allow": READ}) as daemon:
        for inner, called in ("0", 0), ("7", 7), ("unmapped", 65534):
            with peer(uid=APP, inner=inner) as one:
                one.tell(daemon.socket_path)
                assert one.told() == {"uid": called, daemon.socket_path: "served"}
        with peer(uid=OTHER, inner="0") as one:
            code, words = one.ask(daemon.socket_path)
        assert (code, words.startswith(f"user {OTHER} may not call")) == (NO, True)


@needs_root
def test_a_daemon_in_a_user_namespace() -> None:
    """It knows who is mapped into it, and refuses all others, who look alike; they are told why."""
    rules = {"user": "*", "allow": READ}
    with daemon_with(rules, inside=unshared("--user", "--map-root-user")) as daemon:
        for stranger in APP, OTHER:
            with peer(uid=stranger) as one:
                code, words = one.ask(daemon.socket_path)
            assert code == NO
            assert words.startswith("user 65534 may not call s3.get_object: that is what every")
            assert "run the daemon in the host's, or map the user into it" in words
        with peer() as one:
            assert one.ask(daemon.socket_path) == "served"


SIDECAR = """
set -e
volume=$1; shift
mount --bind "$volume" "$volume"
cut -d' ' -f5 /proc/self/mountinfo | while read -r at; do
    [ "$at" = "$volume" ] || mount -o remount,bind,ro "$at"
done
exec "$@"
"""
"""A container of its own: what it shares may be written, all else is read-only."""

APPLICATION = """
set -e
volume=$1; shift
mount --bind "$volume" "$volume"
mount -o remount,bind,ro "$volume"
exec "$@"
"""


@needs_root
@pytest.mark.parametrize("workers", [1, 2])
def test_a_sidecar(workers: int) -> None:
    """Another user's, without a capability, on a root that it cannot write to, sharing an emptyDir.

    Each container has processes, mounts and messages of its own.
    """
    container = unshared("--mount", "--ipc", *OWN_PIDS, "sh", "-c")
    with http_server(reply(b"miaow")) as aws, short_folder() as folder:
        folder.chmod(0o755)
        volume = folder / "pod"
        volume.mkdir()
        volume.chmod(0o777)  # as the kubelet makes an emptyDir
        path = volume / "botod" / "botod.sock"
        config = endpoints(aws.port) | {
            "daemon": {"socket": str(path), "workers": workers},
            "policy": [{"uid": APP, "allow": READ}],
        }
        command = daemon_in(*container, SIDECAR, "sh", str(volume), *NO_RIGHTS)
        daemon = start(config, folder, command=command)
        try:
            daemon.wait_for_line("listening on")
            with peer(*container, APPLICATION, "sh", str(volume), uid=APP, wait_s=BOUND_S) as one:
                assert one.ask(path) == "served"
            with peer(*container, APPLICATION, "sh", str(volume), uid=OTHER) as one:
                assert one.ask(path)[0] == NO
            assert path.parent.stat().st_uid == 990
            container_pid = child_of(daemon.process.pid)
            status = Path(f"/proc/{container_pid}/status").read_text()
            lines = dict(line.split(":\t", 1) for line in status.splitlines())
            assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
            assert (lines["NoNewPrivs"], lines["Uid"].split()) == ("1", ["990"] * 4)
            with pytest.raises(OSError, match="Read-only"):
                Path(f"/proc/{container_pid}/root{folder}/anything").touch()
            os.kill(container_pid, signal.SIGTERM)
            assert daemon.wait() == 0
            daemon.reader.join(BOUND_S)
            daemon.assert_quiet(("a visit of",))
        finally:
            daemon.close()


def child_of(pid: int) -> int:
    """The process that unshare has started."""
    (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)
