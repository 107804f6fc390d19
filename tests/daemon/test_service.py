"""The whole daemon as a process: it serves, reports, drains and stops."""

import json
import os
import signal
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.settings import LimitSettings
from botod.ipc import ClientError, Code, DaemonUnavailable, RpcError, connect
from support.compiled import COMPILED_PATH
from support.daemons import (
    BOUND_S,
    KEYS,
    NO_METADATA,
    Daemon,
    clean_environ,
    endpoints,
    running_daemon,
    short_folder,
    start,
    wait_until,
)
from support.http_server import http_server
from support.secrets import secrets_in
from support.services import Held, reply, s3_error

ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}


def get(daemon: Daemon) -> Any:
    """One job on a connection of its own: its body, or the error."""
    try:
        with daemon.connect() as connection:
            return connection.call("s3.get_object", ON_KEY)["Body"]
    except (RpcError, DaemonUnavailable) as error:
        return error


def test_a_job_goes_all_the_way() -> None:
    """Over the socket, through boto and the pool to the service, and back."""
    with http_server(reply(b"miaow")) as aws, running_daemon(endpoints(aws.port)) as daemon:
        with daemon.connect() as connection:
            result = connection.client("s3").get_object(**ON_KEY)
        assert result["Body"].read() == b"miaow"
        headers = aws.requests[0].headers
        assert "Credential=an-access-key/" in headers["authorization"]
        daemon.wait_for_line("job s3.get_object ok attempts=1 took_ms=")
        assert daemon.stop() == 0


def test_the_service_s_errors_arrive_as_boto3_s() -> None:
    """With code, status and request id."""
    aws_says = s3_error("NoSuchKey", "No such key", "404 Not Found")
    with http_server(aws_says) as aws, running_daemon(endpoints(aws.port)) as daemon:
        error = get(daemon)
        assert isinstance(error, ClientError)
        assert error.response["Error"] == {"Code": "NoSuchKey", "Message": "No such key"}


def test_the_status_counts() -> None:
    """Peers, jobs, pools and visits, in numbers only."""
    with http_server(reply(b"x")) as aws, running_daemon(endpoints(aws.port)) as daemon:
        with daemon.connect() as connection:
            connection.call("s3.get_object", ON_KEY)
            connection.call("s3.get_object", ON_KEY)
            status = connection.call("botod.status")
        assert status["pid"] == daemon.process.pid
        assert status["jobs"] == {
            "running_num": 0,
            "polling_num": 0,
            "jobs_total": 2,
            "failed_total": 0,
            "joined_total": 0,
            "remembered_num": 0,
        }
        assert status["refused_by_limit"] == {}
        (peer,) = status["peers"]
        assert (peer["pid"], peer["uid"]) == (os.getpid(), os.geteuid())
        assert (peer["requests_total"], peer["unread_bytes"]) == (3, 0)
        (pool,) = status["pools"]
        assert pool["origin"] == f"http://127.0.0.1:{aws.port}"
        assert (pool["slots_num"], pool["leased_num"], pool["leases_total"]) == (64, 0, 2)
        sockets = {"open_num": 1, "opened_total": 1, "reused_total": 1, "closed_total": {}}
        assert pool["sockets"] == sockets
        assert status["visits"]["visits_num"] > 0
        assert "secret" not in json.dumps(status)


def test_settings_arrive_where_they_belong() -> None:
    """Rights of the socket, limits of peers and jobs, deadlines, tries."""
    config = endpoints(0) | {
        "daemon": {"socket_mode": "0600", "job_timeout_s": 5, "job_timeout_max_s": 40},
        "limits": {"inline_bytes": 10, "peers": 2},
        "pool": {"slots_per_host": 3},
    }
    broken = s3_error("InternalError", "Oops", "500 Internal Server Error")
    with http_server(broken) as aws:
        config["profile"] = endpoints(aws.port)["profile"]
        config["profile"]["default"] |= {"retries": 0, "region": "eu-central-1"}
        with running_daemon(config) as daemon:
            assert stat.S_IMODE(Path(daemon.socket_path).stat().st_mode) == 0o600
            with daemon.connect() as connection:
                with pytest.raises(RpcError, match="at most 40"):
                    connection.call("s3.get_object", ON_KEY, timeout_s=41)
                with pytest.raises(RpcError, match="at most 10 may be"):
                    connection.call("s3.put_object", ON_KEY | {"Body": b"x" * 11})
                with pytest.raises(ClientError):
                    connection.call("s3.get_object", ON_KEY)
                assert connection.call("botod.status")["pools"][0]["slots_num"] == 3
                with daemon.connect() as second:
                    second.call("botod.ping")
                    with daemon.connect() as third, pytest.raises(RpcError, match="2 peers"):
                        third.call("botod.ping")
            assert len(aws.requests) == 1
            assert "/eu-central-1/s3/" in aws.requests[0].headers["authorization"]


def test_the_environment_may_name_the_socket() -> None:
    """Where the configuration does not: the same place that clients look at."""
    with short_folder() as folder:
        path = str(folder / "elsewhere.sock")
        environ = clean_environ(folder, BOTOD_SOCKET=path)
        daemon = start({"daemon": {"socket": ""}}, folder, environ)
        daemon.wait_for_line(f"listening on {path}")
        assert daemon.stop() == 0
        daemon.close()


def test_what_was_refused_is_counted() -> None:
    """By the wire's limits and by the worker's, under the name that the error has."""
    with running_daemon({"limits": {"peers": 2}}) as daemon, daemon.connect() as connection:
        connection.call("botod.ping")
        with daemon.connect() as second:
            second.call("botod.ping")
            with daemon.connect() as third, pytest.raises(RpcError):
                third.call("botod.ping")
        assert connection.call("botod.status")["refused_by_limit"] == {"peers": 1}


def test_hello_has_the_limits_that_hold() -> None:
    """Those of the configuration."""
    config = {"limits": {"line_bytes": 2048}, "daemon": {"job_timeout_max_s": 90}}
    with running_daemon(config) as daemon, daemon.connect() as connection:
        limits = connection.call("botod.hello")["limits"]
        assert set(limits) == {setting.name for setting in fields(LimitSettings)} | {
            "job_timeout_s",
            "job_timeout_max_s",
            "remember_s",
        }
        assert (limits["line_bytes"], limits["job_timeout_max_s"]) == (2048, 90)


def test_without_keys_it_starts_and_says_so() -> None:
    """Jobs are refused with what to do."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **NO_METADATA}
    with running_daemon({}, environ, expected=("keys of profile",)) as daemon:
        daemon.wait_for_line("keys of profile 'default': there are none in the environment")
        error = get(daemon)
        assert isinstance(error, RpcError)
        assert error.code == Code.NO_CREDENTIALS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_after_its_jobs(number: int) -> None:
    """New peers find no socket, new jobs are refused, what runs is finished and answered."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port)) as daemon,
        daemon.connect() as other,
        ThreadPoolExecutor(1) as thread,
    ):
        other.call("botod.ping")
        job = thread.submit(get, daemon)
        assert held.arrived.wait(BOUND_S)
        daemon.signal(number)
        daemon.wait_for_line("stopping: 1 jobs are running")
        wait_until(lambda: not Path(daemon.socket_path).exists(), daemon)
        with pytest.raises(DaemonUnavailable):
            connect(daemon.socket_path)
        with pytest.raises(DaemonUnavailable):  # told to connect anew, it found nobody
            other.call("s3.get_object", ON_KEY)
        assert daemon.process.poll() is None
        held.release.set()
        assert job.result(BOUND_S) == b"miaow"
        assert daemon.wait() == 0
        daemon.wait_for_line("stopped")
        assert len(aws.requests) == 1


def test_jobs_that_take_too_long_are_ended() -> None:
    """After `drain_timeout_s`; their peers are told."""
    held = Held(reply(b"miaow"))
    with http_server(held) as aws:
        config = endpoints(aws.port) | {"daemon": {"drain_timeout_s": 0}}
        with running_daemon(config) as daemon, ThreadPoolExecutor(1) as thread:
            job = thread.submit(get, daemon)
            assert held.arrived.wait(BOUND_S)
            assert daemon.stop() == 0
            error = job.result(BOUND_S)
            held.release.set()
            assert isinstance(error, RpcError)
            assert error.code == Code.CANCELLED


def test_a_second_signal_ends_it_at_once() -> None:
    """With status 1, for whoever has no time."""
    held = Held(reply(b"miaow"))
    expected = ("second signal",)
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port), expected=expected) as daemon,
    ):
        with ThreadPoolExecutor(1) as thread:
            job = thread.submit(get, daemon)
            assert held.arrived.wait(BOUND_S)
            daemon.signal(signal.SIGTERM)
            daemon.wait_for_line("stopping: 1 jobs are running")
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 1
            assert isinstance(job.result(BOUND_S), DaemonUnavailable)
            held.release.set()
        daemon.wait_for_line("second signal: ending at once")
        assert not Path(daemon.socket_path).exists()


def test_an_idle_daemon_stops_with_peers_connected() -> None:
    """They are hung up on: nothing of theirs is under way."""
    with running_daemon({}) as daemon, daemon.connect() as connection:
        connection.call("botod.ping")
        assert daemon.stop() == 0
        with pytest.raises(DaemonUnavailable):
            connection.call("botod.ping")


def test_a_killed_daemon_s_socket_is_taken_over() -> None:
    """The next one starts at the same place."""
    with running_daemon({}) as daemon:
        daemon.process.kill()
        daemon.wait()
        assert Path(daemon.socket_path).exists()
        with running_daemon({"daemon": {"socket": daemon.socket_path}}) as next_one:
            with next_one.connect() as connection:
                assert connection.call("botod.ping")["pid"] == next_one.process.pid
            assert next_one.stop() == 0


def test_a_peer_that_hangs_up_ends_its_job() -> None:
    """And nobody else's; the transfer is closed towards the service."""
    held = Held(reply(b"miaow"))
    with http_server(held) as aws, running_daemon(endpoints(aws.port)) as daemon:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(daemon.socket_path)
            line = {"jsonrpc": "2.0", "id": 1, "method": "s3.get_object", "params": ON_KEY}
            peer.sendall(json.dumps(line).encode() + b"\n")
            assert held.arrived.wait(BOUND_S)
        daemon.wait_for_line("job s3.get_object cancelled attempts=1")
        held.release.set()
        assert get(daemon) == b"miaow"


def test_no_core_and_nothing_secret_in_its_status() -> None:
    """What a crash leaves, and what an operator is shown, has no keys in it."""
    with http_server(reply(b"miaow")) as aws, running_daemon(endpoints(aws.port)) as daemon:
        get(daemon)
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text(encoding="utf-8")
        (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"]
        with daemon.connect() as connection:
            status = json.dumps(connection.call("botod.status"))
        assert '"source": "env"' in status
        assert not secrets_in([status])
        assert not any(value in status for value in KEYS.values())


# Signals


def test_a_reload_holds_at_once() -> None:
    """Rules, limits, deadlines, slots and level; a job that runs goes on."""
    held = Held(reply(b"miaow"))
    with http_server(held) as aws, ThreadPoolExecutor(1) as thread:
        config = endpoints(aws.port) | {"pool": {"slots_per_host": 3}}
        with running_daemon(config, expected=("a visit of", "policy_mode is audit")) as daemon:
            job = thread.submit(get, daemon)
            assert held.arrived.wait(BOUND_S)
            changes = {
                "daemon": {"job_timeout_s": 7, "policy_mode": "audit"},
                "limits": {"jobs": 9, "peers": 20},
                "pool": {"slots_per_host": 5},
            }
            daemon.configure(config | changes)
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_line("reloaded; changed: ")
            daemon.wait_for_line("policy_mode is audit")
            with daemon.connect() as connection:
                limits = connection.call("botod.hello")["limits"]
                assert (limits["jobs"], limits["peers"], limits["job_timeout_s"]) == (9, 20, 7)
                (pool,) = connection.call("botod.status")["pools"]
                assert pool["slots_num"] == 5
            held.release.set()
            assert job.result(BOUND_S) == b"miaow"


def test_a_reload_reads_keys_anew() -> None:
    """From the shared credentials file; where that is none, those that there are stay."""
    with short_folder() as folder, http_server(reply(b"x")) as aws:
        file = folder / "keys"
        environ = clean_environ(folder, AWS_SHARED_CREDENTIALS_FILE=str(file))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del environ[name]
        expected = ("a visit of", "keys of profile 'default': ")
        with running_daemon(endpoints(aws.port), environ, expected=expected) as daemon:
            assert isinstance(get(daemon), RpcError)
            for keys, line in (
                ("[default]\naws_access_key_id=first\naws_secret_access_key=s\n", "from shared-c"),
                ("[default]\nnonsense\n", "Unable to parse"),
            ):
                file.write_text(keys)
                daemon.signal(signal.SIGHUP)
                daemon.wait_for_line(f"keys of profile 'default': {line}")
                assert get(daemon) == b"x"
        for request in aws.requests:
            assert "Credential=first/" in request.headers["authorization"]


def test_where_everything_stands() -> None:
    """SIGUSR2 has it written to the log, job by job."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port)) as daemon,
        ThreadPoolExecutor(1) as thread,
    ):
        job = thread.submit(get, daemon)
        assert held.arrived.wait(BOUND_S)
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_line("1 of greenlet s3.get_object")
        daemon.wait_for_line("in _send" if COMPILED_PATH else "in getresponse")
        held.release.set()
        assert job.result(BOUND_S) == b"miaow"


def test_standard_error_is_not_opened_anew() -> None:
    """SIGUSR1 does it no harm."""
    with running_daemon({}) as daemon:
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for_line("SIGUSR1: files are opened anew")
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for_line("SIGUSR2: ")


def test_a_long_poll_in_flight_is_finished_and_none_begun() -> None:
    """Its peer is told to connect anew when it asks for the next one on the same connection."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port)) as daemon,
        socket.socket(socket.AF_UNIX) as peer,
    ):
        with daemon.connect() as idle:
            idle.call("botod.ping")
            peer.connect(daemon.socket_path)
            lines = [
                {"jsonrpc": "2.0", "id": number, "method": "s3.get_object", "params": ON_KEY}
                for number in (1, 2)
            ]
            peer.sendall(json.dumps(lines[0]).encode() + b"\n")
            assert held.arrived.wait(BOUND_S)
            daemon.signal(signal.SIGTERM)
            daemon.wait_for_line("stopping: 1 jobs are running")
            wait_until(lambda: not Path(daemon.socket_path).exists(), daemon)
            with pytest.raises(DaemonUnavailable):
                idle.call("botod.ping")  # it was hung up on, and nobody listens
        peer.sendall(json.dumps(lines[1]).encode() + b"\n")
        peer.settimeout(BOUND_S)
        with peer.makefile("rb") as answers:
            refused = json.loads(answers.readline())
            assert (refused["id"], refused["error"]["code"]) == (2, Code.SHUTTING_DOWN)
            held.release.set()
            answer = json.loads(answers.readline())
            assert (answer["id"], answer["bytes"]) == (1, [5])
        assert daemon.wait() == 0
