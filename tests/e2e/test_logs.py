"""The log and the audit record of a daemon, whatever becomes of who reads them, and of the disk."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import Overloaded, RpcError
from support.accounts import records_of
from support.daemons import (
    BOUND_S,
    RUN,
    Daemon,
    clean_environ,
    configure,
    endpoints,
    full_pipe,
    running_daemon,
    short_folder,
    wait_until,
)
from support.http_server import HttpServer, http_server

GET = {"Bucket": "bucket", "Key": "key"}


def get(daemon: Daemon, **params: Any) -> bytes:
    """One job."""
    with daemon.connect() as connection:
        body: bytes = connection.call("s3.get_object", {**GET, **params})["Body"]
    return body


def at(server: HttpServer, **sections: Any) -> dict[str, Any]:
    """A configuration that leads to a server."""
    return {**endpoints(server.port), **sections}


def start_into(stderr: int, config: dict[str, Any], folder: Path) -> Daemon:
    """A daemon whose standard error is `stderr`."""
    path = configure(config, folder)
    process = subprocess.Popen(
        [sys.executable, *RUN, "--config", str(folder / "botod.toml")],
        env=clean_environ(folder),
        stdin=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
        cwd=folder,
    )
    daemon = Daemon(process, path, folder, {})
    wait_until(lambda: answers(path), daemon)
    return daemon


def answers(path: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def test_a_rotated_log_loses_nothing(tmp_path: Path) -> None:
    """Renamed, then SIGUSR1: each job has its line, in the one file or in the other."""
    log, old = tmp_path / "botod.log", tmp_path / "botod.log.1"
    jobs_num = 60
    with http_server() as server, running_daemon(at(server, log={"file": str(log)})) as daemon:
        assert stat.S_IMODE(log.stat().st_mode) == 0o640
        for number in range(jobs_num):
            get(daemon, Key=f"k{number}")
            if number == jobs_num // 2:
                log.rename(old)
            if number == jobs_num // 2 + 10:
                daemon.signal(signal.SIGUSR1)
        wait_until(log.exists, daemon)
        assert daemon.stop() == 0
        assert daemon.lines == []
    first, second = old.read_text(), log.read_text()
    told = re.findall(r"resource=bucket/k(\d+)", first + second)
    assert told == [str(number) for number in range(jobs_num)]
    assert "k40" in first + second
    assert second.endswith("INFO botod.daemon.service: stopped\n")


def workers_in(log: Path, words: str) -> set[int]:
    """Those that have written lines with these words."""
    found = re.findall(rf"^\S+ INFO worker (\d) .*{words}", log.read_text(), re.MULTILINE)
    return set(map(int, found))


def test_two_workers_rotate_one_log_and_one_record(tmp_path: Path) -> None:
    """They append to one file, whole lines each, and all let go of the old one."""
    log, audit = tmp_path / "botod.log", tmp_path / "audit.jsonl"
    config = {"log": {"file": str(log)}, "audit": {"path": str(audit)}, "daemon": {"workers": 2}}
    with http_server() as server, running_daemon(at(server, **config)) as daemon:
        get(daemon)
        for path in (log, audit):
            path.rename(f"{path}.1")  # whether both workers have begun by then or not
        daemon.signal(signal.SIGUSR1)
        # Who has just begun may be told twice.
        wait_until(lambda: log.exists() and workers_in(log, "SIGUSR1") == {0, 1}, daemon)
        wait_until(audit.exists, daemon)
        for _ in range(20):
            get(daemon)
        assert daemon.stop() == 0
    records = records_of(tmp_path / "audit.jsonl.1") + records_of(audit)
    assert sum(record["event"] == "job" for record in records) == 21
    assert {record["worker"] for record in records} == {0, 1}
    assert stat.S_IMODE(audit.stat().st_mode) == 0o600


def test_no_name_forges_a_line(tmp_path: Path) -> None:
    """What a peer chooses cannot end its line, nor look like a field, in either form."""
    forged = 'k\n2026-01-01T00:00:00.000Z INFO botod.daemon.ledger: job x ok uid=0 \x1b[2J" uid=1'
    for form in ("text", "json"):
        log = tmp_path / form
        config = {"log": {"file": str(log), "format": form}}
        with http_server() as server, running_daemon(at(server, **config)) as daemon:
            get(daemon, Key=forged)
            assert daemon.stop() == 0
        (line,) = [one for one in log.read_text().splitlines() if "get_object" in one]
        if form == "json":
            assert json.loads(line)["resource"] == f"bucket/{forged}"
            assert json.loads(line)["uid"] == os.geteuid()
        else:
            assert line.count(" uid=") == 3  # those in quotes among them
            found = re.search(r'resource=("(?:[^"\\]|\\.)*")', line)
            assert found is not None
            assert json.loads(found[1]) == f"bucket/{forged}"
        assert "\x1b" not in line


def test_a_log_without_names(tmp_path: Path) -> None:
    """Where they are nobody's business; a reload brings them back, and other levels."""
    log = tmp_path / "log"
    quiet = {"file": str(log), "resources": False, "levels": {"botod.daemon.service": "error"}}
    with http_server() as server, running_daemon(at(server, log=quiet)) as daemon:
        get(daemon)
        daemon.configure(at(server, log={"file": str(log), "format": "json"}))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "changed: [log] format" in log.read_text(), daemon)
        get(daemon)
        assert daemon.stop() == 0
    lines = log.read_text().splitlines()
    jobs = [line for line in lines if "s3.get_object" in line]
    assert "resource" not in jobs[0]
    assert json.loads(jobs[1])["resource"] == "bucket/key"
    assert not any("listening" in line for line in lines)
    assert any("stopped" in line for line in lines)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reader_that_is_gone_does_no_harm(workers: int) -> None:
    """Standard error is a pipe that nobody has the other end of: jobs go on, and the end comes."""
    with http_server() as server, short_folder() as folder:
        reader, end = os.pipe()
        daemon = start_into(end, at(server, daemon={"workers": workers}), folder)
        os.close(end)
        os.close(reader)
        for _ in range(50):
            assert get(daemon) == b"fine"
        daemon.signal(signal.SIGUSR1)
        assert daemon.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reader_that_does_not_read_does_no_harm(workers: int) -> None:
    """The pipe is full: jobs go on, and the end waits for two seconds at most."""
    with http_server() as server, short_folder() as folder:
        reader, end = full_pipe()
        daemon = start_into(end, at(server, daemon={"workers": workers}), folder)
        os.close(end)
        for _ in range(50):
            assert get(daemon) == b"fine"
        assert daemon.stop() == 0
        os.close(reader)


def test_the_journal_s_pipe_gets_all_lines() -> None:
    """journald reads standard error from a stream socket."""
    with http_server() as server, short_folder() as folder:
        ours, theirs = socket.socketpair()
        with ours, ours.makefile("r") as lines:
            with theirs:
                daemon = start_into(theirs.fileno(), at(server), folder)
            for _ in range(20):
                get(daemon)
            assert daemon.stop() == 0
            text = lines.read()
    assert text.count("job s3.get_object ok") == 20
    assert text.endswith("stopped\n")


def test_a_full_disk_does_not_hold_up_jobs() -> None:
    """The log goes to /dev/full: it is lost, and nothing else is."""
    config = {"log": {"file": "/dev/full"}}
    with http_server() as server, running_daemon(at(server, **config)) as daemon:
        for _ in range(20):
            assert get(daemon) == b"fine"
        assert daemon.stop() == 0
        assert daemon.lines == []


def test_a_log_that_cannot_be_opened_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    """The setting is named, and the status is that of a mistake in the configuration."""
    for section, key in (("log", "file"), ("audit", "path")):
        path = str(tmp_path / "none" / "file")
        configure({section: {key: path}}, tmp_path)
        command = [sys.executable, *RUN, "--config", str(tmp_path / "botod.toml")]
        done = subprocess.run(
            command,
            env=clean_environ(tmp_path),
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        assert done.returncode == 78
        assert f"botod: [{section}] {key} = {path!r}: No such file or directory" in done.stderr


def test_without_its_record_no_job_begins(tmp_path: Path) -> None:
    """The record's folder is gone: jobs are refused until it is there again; nothing is missing."""
    folder = tmp_path / "audit"
    folder.mkdir()
    path = folder / "audit.jsonl"
    config = {"audit": {"path": str(path)}}
    expected = ("audit record",)
    with http_server() as server, running_daemon(at(server, **config), expected=expected) as daemon:
        get(daemon)
        wait_until(lambda: '"event":"job"' in path.read_text(), daemon)
        first = records_of(path)
        path.unlink()
        folder.rmdir()
        get(daemon)  # nobody knows yet; its record waits
        wait_until(lambda: is_refused(daemon), daemon)
        daemon.wait_for_line("the audit record cannot be written: [Errno 2]")
        asked = len(server.requests)
        assert is_refused(daemon)
        assert len(server.requests) == asked
        folder.mkdir()
        wait_until(lambda: not is_refused(daemon), daemon)
        daemon.wait_for_line("the audit record is written again")
        assert daemon.stop() == 0
        jobs = [one for one in first + records_of(path) if one["event"] == "job"]
        assert len(jobs) == len(server.requests)


def is_refused(daemon: Daemon) -> bool:
    """Whether a job is refused for want of the record."""
    try:
        get(daemon)
    except Overloaded as error:
        return (error.data["limit"], error.data["retry_after_ms"]) == ("audit", 1000)
    return False


def test_jobs_go_on_without_their_record_if_that_is_set() -> None:
    """The disk is full: it is told once, and nothing is refused."""
    config = {"audit": {"path": "/dev/full", "on_failure": "continue"}}
    expected = ("audit record", "of the audit")
    with http_server() as server, running_daemon(at(server, **config), expected=expected) as daemon:
        for _ in range(50):
            get(daemon)
        line = "the audit record cannot be written: [Errno 28] No space left on device; jobs go on"
        daemon.wait_for_line(line)
        assert daemon.stop() == 0
        assert sum(line in one for one in daemon.lines) == 1


def test_reloads_and_acts_are_recorded(tmp_path: Path) -> None:
    """A restart that is asked for, a reload, and one that was refused."""
    path = tmp_path / "audit.jsonl"
    config = {"audit": {"path": str(path)}}
    expected = ("not reloaded",)
    with http_server() as server, running_daemon(at(server, **config), expected=expected) as daemon:
        daemon.configure(at(server, **config, pool={"slots_per_host": 9}))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("reloaded; changed")
        daemon.configure(at(server, **config, pool={"slots_per_host": 0}))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("not reloaded")
        daemon.configure(at(server, **config))
        with daemon.connect() as connection:
            connection.call("botod.status")
            with pytest.raises(RpcError, match="no module"):
                connection.call("botod.log_level", {"level": "debug", "module": "none"})
            with pytest.raises(RpcError, match="level"):
                connection.call("botod.log_level", {})
            connection.call("botod.restart")
        wait_until(lambda: path.read_text().count('"started"') == 2, daemon)
        assert daemon.stop() == 0
    records = records_of(path)
    good, bad = (record for record in records if record["event"] == "reload")
    assert (good["outcome"], good["changed"]) == ("ok", ["[pool] slots_per_host"])
    assert bad["outcome"] == "error"
    assert "slots_per_host = 0" in bad["message"]
    acts = [record for record in records if record["event"].startswith("admin")]
    assert {act["uid"] for act in acts} == {os.geteuid()}
    assert [(act["event"], act["method"], act.get("outcome")) for act in acts] == [
        ("admin", "botod.log_level", None),
        ("admin_ended", "botod.log_level", "error"),
        ("admin", "botod.log_level", None),
        ("admin_ended", "botod.log_level", "error"),
        ("admin", "botod.restart", None),
        ("admin_ended", "botod.restart", "ok"),
    ]


def test_what_a_master_refuses_is_recorded(tmp_path: Path) -> None:
    """Once, by one of its workers; it keeps no record itself."""
    path = tmp_path / "audit.jsonl"
    config = {"audit": {"path": str(path)}, "daemon": {"workers": 2}}
    expected = ("not reloaded",)
    with http_server() as server, running_daemon(at(server, **config), expected=expected) as daemon:
        wait_until(lambda: path.read_text().count('"started"') == 2, daemon)
        daemon.configure(at(server, **config, pool={"slots_per_host": 0}))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: '"reload"' in path.read_text(), daemon)
        assert daemon.stop() == 0
    (bad,) = (record for record in records_of(path) if record["event"] == "reload")
    assert bad["outcome"] == "error"
    assert "slots_per_host = 0" in bad["message"]


def test_policy_s_audit_mode_is_recorded(tmp_path: Path) -> None:
    """What it would refuse is done, logged as a warning, and told by the record."""
    path = tmp_path / "audit.jsonl"
    rule = {"uid": os.geteuid(), "allow": ["*"], "deny": ["s3.* on bucket/*"]}
    config = {
        "audit": {"path": str(path)},
        "daemon": {"policy_mode": "audit"},
        "policy": [rule],
    }
    expected = ("audit: pid", "policy_mode is audit")
    with http_server() as server, running_daemon(at(server, **config), expected=expected) as daemon:
        get(daemon)
        daemon.wait_for_line("WARNING botod.daemon.policy: audit: pid")
        assert daemon.stop() == 0
    (job,) = (record for record in records_of(path) if record["event"] == "job")
    assert job["would_be_refused"] is True
    assert job["rule"].endswith('deny "s3.* on bucket/*"')
