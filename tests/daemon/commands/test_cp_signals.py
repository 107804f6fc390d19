"""`botod cp` is ended in the middle: nothing is left, here or there, that looks whole."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from botod.ipc.sending import SMALL_BYTES
from support.buckets import BUCKET, Served
from support.copying import on_terminal, started
from support.daemons import BOUND_S, Daemon, endpoints, running_daemon, wait_until
from support.http_server import http_server
from support.tools import tool

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
LARGE = b"x" * (4 * 1024 * 1024)
SMALL = b"x" * SMALL_BYTES
KEY = f"s3://{BUCKET}/k"


def has_no_jobs(daemon: Daemon) -> bool:
    """Whether it has ended all that was under way."""
    with daemon.connect() as connection:
        return connection.call("botod.status")["jobs"]["running_num"] == 0


def held(served: Served, data: bytes) -> None:
    """An object of which half comes."""
    served.buckets.objects["k"] = data
    served.buckets.held.add("k")


def wait_for_the_middle(served: Served) -> None:
    """Until half of the object is on its way."""
    assert served.buckets.is_held.wait(BOUND_S)


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("words", [[KEY, "x"], ["-r", f"s3://{BUCKET}", "."]])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_download_leaves_no_file(
    served: Served, tmp_path: Path, number: int, words: list[str], data: bytes
) -> None:
    """Nor a temporary one; the process dies of the signal, and the daemon knows."""
    held(served, data)
    (tmp_path / "x").write_bytes(b"before")
    with started(*words, cwd=tmp_path) as copy:
        wait_for_the_middle(served)
        copy.send_signal(number)
        assert copy.communicate(timeout=BOUND_S) == (b"", b"")
        assert copy.returncode == -number
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"before"
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)


@pytest.mark.parametrize("number", ENDING)
def test_an_upload_from_a_pipe_makes_no_object(served: Served, number: int) -> None:
    """Though all that had come was sent."""
    with started("-", KEY) as copy:
        assert copy.stdin is not None
        copy.stdin.write(LARGE[: 2 * SMALL_BYTES])
        copy.stdin.flush()
        wait_until(lambda: not has_no_jobs(served.daemon), served.daemon)
        copy.send_signal(number)
        assert copy.wait(BOUND_S) == -number
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)
    assert not served.buckets.objects


def test_a_pipeline_that_is_ended_makes_no_object(served: Served) -> None:
    """Ctrl-C goes to all of it: the end of its input comes together with the signal."""
    with started("-", KEY) as copy:
        assert copy.stdin is not None
        copy.stdin.write(b"half")
        copy.stdin.flush()
        wait_until(lambda: not has_no_jobs(served.daemon), served.daemon)
        copy.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, copy.pid, os.WSTOPPED | os.WNOWAIT)
        copy.stdin.close()
        copy.send_signal(signal.SIGINT)
        copy.send_signal(signal.SIGCONT)
        assert copy.wait(BOUND_S) == -signal.SIGINT
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)
    assert not served.buckets.objects


@contextmanager
def deaf() -> Iterator[Daemon]:
    """A daemon for a service that takes connections, and reads nothing."""
    let_go = threading.Event()

    def on_connect(_sock: socket.socket, _number: int) -> bool:
        let_go.wait(BOUND_S)
        return False

    with (
        http_server(on_connect=on_connect) as server,
        running_daemon(endpoints(server.port)) as daemon,
    ):
        yield daemon
        let_go.set()
        assert not server.requests


@pytest.mark.parametrize("words", [["x", KEY], ["-r", ".", KEY], ["-", KEY]])
def test_an_upload_of_files_is_ended(tmp_path: Path, words: list[str]) -> None:
    """However much of it was sent."""
    (tmp_path / "x").write_bytes(LARGE)
    (tmp_path / "y").write_bytes(SMALL)
    with deaf() as daemon, (tmp_path / "x").open("rb") as file:
        where = ("--socket", daemon.socket_path)
        with started(*where, *words, cwd=tmp_path, stdin=file) as copy:
            wait_until(lambda: not has_no_jobs(daemon), daemon)
            copy.send_signal(signal.SIGTERM)
            assert copy.communicate(timeout=BOUND_S) == (b"", b"")
            assert copy.returncode == -signal.SIGTERM
        wait_until(lambda: has_no_jobs(daemon), daemon)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


def test_a_shell_sees_128_and_the_number(served: Served, tmp_path: Path) -> None:
    """And ends a loop of its own, as it does only for those who die of the signal."""
    held(served, LARGE)
    script = f"for n in 1 2; do {tool('botod')} cp {KEY} x; echo $?; done"
    shell = subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, cwd=tmp_path, start_new_session=True
    )
    with shell:
        wait_for_the_middle(served)
        os.killpg(shell.pid, signal.SIGTERM)
        assert shell.communicate(timeout=BOUND_S)[0] == b""
    script = f"{tool('botod')} cp {KEY} x & echo $!; wait $!; echo $?"
    served.buckets.is_held.clear()
    shell = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, cwd=tmp_path)
    with shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        wait_for_the_middle(served)
        os.kill(pid, signal.SIGTERM)
        assert shell.stdout.read() == b"143\n"
    assert not list(tmp_path.iterdir())


def test_nobody_reads_standard_output(served: Served) -> None:
    """It dies of SIGPIPE, as others do, and says nothing."""
    served.buckets.objects["k"] = LARGE
    with started(KEY, "-") as copy:
        assert copy.stdout is not None
        assert copy.stdout.read(5) == LARGE[:5]
        copy.stdout.close()
        assert copy.stderr is not None
        assert copy.stderr.read() == b""
        assert copy.wait(BOUND_S) == -signal.SIGPIPE
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)


def test_a_reader_that_does_not_read_keeps_no_signal_out(served: Served) -> None:
    """Standard output is full and the writing waits: Ctrl-C ends it all the same."""
    served.buckets.objects["k"] = LARGE
    with started(KEY, "-") as copy:
        assert copy.stdout is not None
        assert copy.stdout.read(1) == LARGE[:1]
        copy.send_signal(signal.SIGINT)
        assert copy.wait(BOUND_S) == -signal.SIGINT
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)


@pytest.mark.parametrize("words", [[KEY], ["-r", f"s3://{BUCKET}"]])
def test_the_terminal_is_closed(served: Served, tmp_path: Path, words: list[str]) -> None:
    """As by SIGHUP, which comes of it."""
    held(served, LARGE)
    with on_terminal(*words, tmp_path) as copy:
        wait_for_the_middle(served)
        copy.close()
        assert copy.wait() == -signal.SIGHUP
    assert not list(tmp_path.iterdir())
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)


def test_the_terminal_is_closed_that_is_copied_from(served: Served) -> None:
    """What was typed is no object."""
    with on_terminal("-", KEY) as copy:
        os.write(copy.terminal, b"typed\n")
        wait_until(lambda: not has_no_jobs(served.daemon), served.daemon)
        copy.close()
        assert copy.wait() == -signal.SIGHUP
    wait_until(lambda: has_no_jobs(served.daemon), served.daemon)
    assert not served.buckets.objects


def test_a_key_on_the_terminal_ends_it(served: Served, tmp_path: Path) -> None:
    """Ctrl-C, with the bar half drawn: the prompt comes on a line of its own."""
    held(served, LARGE)
    with on_terminal(KEY, tmp_path) as copy:
        wait_for_the_middle(served)
        copy.read_until(b" of 4.0 MiB")
        os.write(copy.terminal, b"\x03")
        assert copy.finish() == -signal.SIGINT
        assert copy.shown.endswith(b"\r\x1b[K")
    assert not list(tmp_path.iterdir())


def test_what_was_ignored_stays_ignored(served: Served, tmp_path: Path) -> None:
    """As under nohup: the copy goes on to its end."""
    held(served, LARGE)
    script = f"trap '' HUP INT; exec {tool('botod')} cp {KEY} x"
    with subprocess.Popen(["sh", "-c", script], cwd=tmp_path) as copy:
        wait_for_the_middle(served)
        copy.send_signal(signal.SIGHUP)
        copy.send_signal(signal.SIGINT)
        served.buckets.go_on.set()
        assert copy.wait(BOUND_S) == 0
    assert (tmp_path / "x").read_bytes() == LARGE


@pytest.mark.parametrize("words", [[KEY, "x"], ["-r", f"s3://{BUCKET}", "."]])
def test_the_daemon_goes_away(tmp_path: Path, words: list[str]) -> None:
    """Status 3, one line, and no file."""
    with deaf() as daemon:
        (tmp_path / "x").write_bytes(b"before")
        with started("--socket", daemon.socket_path, *words, cwd=tmp_path) as copy:
            wait_until(lambda: not has_no_jobs(daemon), daemon)
            daemon.process.kill()
            out, err = copy.communicate(timeout=BOUND_S)
        assert (copy.returncode, out, err.count(b"\n")) == (3, b"", 1)
        assert b"the daemon hung up" in err
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
