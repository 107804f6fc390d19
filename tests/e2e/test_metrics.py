"""What a daemon tells Prometheus, beside what servers and peers have seen."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import Connection, DaemonUnavailable, RpcError
from support.daemons import (
    BOUND_S,
    Daemon,
    endpoints,
    running_daemon,
    short_folder,
    start,
    wait_until,
)
from support.expositions import Exposition, ask, scrape
from support.http_server import http_server
from support.ports import free_port
from support.services import Held, reply, s3_error

SECRET = {"Bucket": "sesame-bucket", "Key": "sesame-key"}
ENDED = ("a visit of", "ended with", "does not tell")
ETC = Path(__file__).parents[2] / "etc"


def admin(daemon: Daemon) -> Path:
    """Where it serves its user."""
    return Path(daemon.socket_path).parent / "admin.sock"


def is_served(place: Path | int, workers_num: int = 1) -> bool:
    """Whether all workers' metrics are there; `wait_until` waits for it."""
    with contextlib.suppress(OSError):
        return scrape(place).total("botod_ready") == workers_num
    return False


def outcome(connection: Connection, method: str = "s3.get_object", **more: Any) -> Any:
    """A job's result, or its error."""
    try:
        return connection.call(method, SECRET | more)
    except (RpcError, DaemonUnavailable) as error:
        return error


@pytest.mark.parametrize("workers_num", [1, 2])
def test_figures_are_what_the_server_counted(workers_num: int) -> None:
    """Jobs by outcome, requests, connections, bytes; with one worker and with two."""
    with http_server(reply(b"miaow")) as aws:
        config = endpoints(aws.port, retries=0) | {"daemon": {"workers": workers_num}}
        with running_daemon(config) as daemon:
            wait_until(lambda: is_served(admin(daemon), workers_num), daemon)
            with contextlib.ExitStack() as stack:
                peers = [stack.enter_context(daemon.connect()) for _ in range(4)]
                for peer in peers:
                    for _ in range(5):
                        outcome(peer)
                    outcome(peer, "s3.no_such_operation")
                found = scrape(admin(daemon))
                assert found.total("botod_peers") == 4
            ok = {"service": "s3", "operation": "get_object", "uid": str(os.geteuid())}
            assert found.total("botod_jobs_total", outcome="ok", **ok) == len(aws.requests) == 20
            assert found.total("botod_jobs_total", outcome="method_not_found") == 4
            assert len(found.found("botod_jobs_total", outcome="ok")) == workers_num
            assert found.total("botod_pool_transfers_total") == len(aws.requests)
            assert found.total("botod_job_attempts_total", service="s3") == len(aws.requests)
            assert found.total("botod_sockets_opened_total") == aws.connections_total
            assert found.total("botod_sockets_reused_total") == 20 - aws.connections_total
            assert found.total("botod_job_received_bytes_total") == 100
            for phase in ("queue", "connect", "first_byte", "body"):
                assert found.total("botod_job_phase_seconds_count", phase=phase) == 20
            phases = found.total("botod_job_phase_seconds_sum")
            assert 0 < phases < found.total("botod_job_duration_seconds_sum")
            assert found.total("botod_workers") == workers_num**2
            assert daemon.stop() == 0
            assert not admin(daemon).exists()


def test_failures_and_retries() -> None:
    """By what became of jobs, and by what they were tried again for."""
    broken = s3_error("InternalError", "Oops", "500 Internal Server Error")
    with http_server(broken) as aws:
        config = endpoints(aws.port, retries=2)
        with running_daemon(config) as daemon, daemon.connect() as peer:
            outcome(peer)
            wait_until(lambda: is_served(admin(daemon)), daemon)
            found = scrape(admin(daemon))
            assert found.total("botod_jobs_total", outcome="server_error") == 1
            assert found.total("botod_retries_total", cause="failed") == len(aws.requests) - 1 == 2
            assert found.total("botod_retry_budget") < 3


def test_what_is_under_way_goes_back_to_nought() -> None:
    """Jobs, slots, peers and bytes, when a peer has gone; its connection's end has a reason."""
    held = Held(reply(b"miaow"))
    with http_server(held) as aws, running_daemon(endpoints(aws.port)) as daemon:
        wait_until(lambda: is_served(admin(daemon)), daemon)
        names = ("botod_jobs_running", "botod_pool_leased", "botod_peers", "botod_sockets_open")
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(daemon.socket_path)
            line = {"jsonrpc": "2.0", "id": 1, "method": "s3.get_object", "params": SECRET}
            peer.sendall(json.dumps(line).encode() + b"\n")
            assert held.arrived.wait(BOUND_S)
            busy = scrape(admin(daemon))
            assert [busy.total(name) for name in names] == [1, 1, 1, 1]
        names = (*names, "botod_requests_in_flight", "botod_buffered_bytes", "botod_unread_bytes")
        wait_until(lambda: not any(map(scrape(admin(daemon)).total, names)), daemon)
        found = scrape(admin(daemon))
        assert found.total("botod_jobs_total", outcome="cancelled") == 1
        assert found.total("botod_sockets_closed_total", reason="aborted") == 1
        held.release.set()


def test_the_admin_socket_is_its_user_s() -> None:
    """And root's."""
    with running_daemon({}) as daemon:
        wait_until(lambda: is_served(admin(daemon)), daemon)
        assert stat.S_IMODE(admin(daemon).stat().st_mode) == 0o600


def test_no_name_of_a_resource_is_told() -> None:
    """Of buckets, keys and queues, whatever becomes of the job; nor what a peer makes up."""
    answers = (reply(b"x"), s3_error("NoSuchKey", "No sesame", "404 Not Found"))
    for answer in answers:
        with http_server(answer) as aws:
            url = f"http://localhost:{aws.port}"
            profile = {"endpoints": {"s3": url, "sqs": url}, "addressing": "virtual"}
            config = {"profile": {"default": profile}, "metrics": {"port": free_port()}}
            with running_daemon(config) as daemon, daemon.connect() as peer:
                for method in ("s3.get_object", "s3.head_object", "s3.sesame", "sesame.open"):
                    outcome(peer, method)
                queue = {"QueueUrl": f"{url}/1/sesame-queue", "MessageBody": "sesame"}
                with contextlib.suppress(RpcError):
                    peer.call("sqs.send_message", queue)
                port = config["metrics"]["port"]
                assert isinstance(port, int)
                hosts = {request.headers["host"] for request in aws.requests}
                assert f"sesame-bucket.localhost:{aws.port}" in hosts
                found = scrape(port)
                assert "sesame" not in json.dumps(sorted(found.label_values()))
                assert "sesame" not in ask(port, "/status.json")[1]
                same = {"host": f"localhost:{aws.port}"}
                assert found.total("botod_pool_transfers_total", **same) == len(aws.requests)


@pytest.mark.parametrize("workers_num", [1, 2])
def test_the_status_has_the_last_minutes(workers_num: int) -> None:
    """The same for a command and over HTTP, but for what is an administrator's; of all workers."""
    with http_server(reply(b"miaow")) as aws:
        config = endpoints(aws.port) | {"daemon": {"workers": workers_num}}
        with running_daemon(config) as daemon, contextlib.ExitStack() as stack:
            for peer in [stack.enter_context(daemon.connect()) for _ in range(4)]:
                outcome(peer)
                outcome(peer, "s3.no_such_operation")
            wait_until(lambda: is_served(admin(daemon), workers_num), daemon)

            def jobs_num() -> int:
                found = json.loads(ask(admin(daemon), "/status.json")[1])
                return sum(sample["jobs_num"] for sample in found["history"])

            wait_until(lambda: jobs_num() == 8, daemon)
            by_http = json.loads(ask(admin(daemon), "/status.json")[1])
            with daemon.connect() as connection:
                by_command = connection.call("botod.status", {"history": True})
                assert "history" not in connection.call("botod.status")
            assert len(by_http["workers"]) == by_http["workers_num"] == workers_num
            assert by_http["history"] == by_command["history"]
            assert by_http["operations"] == by_command["operations"]
            counts = [(one["operation"], one["jobs_total"]) for one in by_http["operations"]]
            assert sorted(counts) == [("other", 4), ("s3.get_object", 4)]
            (error,) = by_http["errors"]
            assert (error["operation"], error["outcome"]) == ("other", "method_not_found")
            assert error["errors_total"] == 4


@contextlib.contextmanager
def holding(daemon: Daemon, held: Held) -> Iterator[None]:
    """A job is under way that does not end before the block does."""
    with daemon.connect() as peer, ThreadPoolExecutor(1) as thread:
        thread.submit(outcome, peer)
        assert held.arrived.wait(BOUND_S)
        try:
            yield
        finally:
            held.release.set()


def test_on_a_port() -> None:
    """For this host's names only; ready until it drains, alive until it ends."""
    port, held = free_port(), Held(reply(b"miaow"))
    with http_server(held) as aws:
        config = endpoints(aws.port) | {"metrics": {"port": port}}
        with running_daemon(config) as daemon:
            assert ask(port, "/readyz")[:2] == (200, "ready\n")
            assert ask(port, "/metrics", Host="evil.example")[0] == 403
            assert scrape(port).total("botod_ready") == 1
            with holding(daemon, held):
                daemon.signal(signal.SIGTERM)
                daemon.wait_for_line("stopping: 1 jobs are running")
                assert ask(port, "/readyz")[0] == 503
                assert ask(port, "/healthz")[0] == 200
                assert scrape(port).total("botod_jobs_running") == 1
            assert daemon.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            ask(port, "/healthz")


@pytest.mark.parametrize("workers_num", [1, 2])
def test_a_drained_daemon_is_not_ready(workers_num: int) -> None:
    """It refuses all jobs until somebody has it go on; a paused one takes them."""
    with running_daemon({"daemon": {"workers": workers_num}}) as daemon:
        wait_until(lambda: is_served(admin(daemon), workers_num), daemon)
        with daemon.connect() as connection:
            for method, status in [("drain", 503), ("resume", 200), ("pause", 200)]:
                connection.call(f"botod.{method}")
                assert ask(admin(daemon), "/readyz")[0] == status
        assert scrape(admin(daemon)).total("botod_ready") == workers_num


@pytest.mark.parametrize("workers_num", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_port_in_use(workers_num: int) -> None:
    """Told as it starts, and it does not; nothing is left."""
    with socket.create_server(("127.0.0.1", 0)) as other, short_folder() as folder:
        port = other.getsockname()[1]
        config = {"metrics": {"port": port}, "daemon": {"workers": workers_num}}
        daemon = start(config, folder)
        words = f"[metrics] port: cannot listen on 127.0.0.1:{port}: Address already in use"
        daemon.wait_for_line(words)
        assert daemon.wait() != 0
        daemon.close()
        assert not (folder / "admin.sock").exists()
        assert not (folder / "botod.sock").exists()


def test_another_port_needs_a_restart() -> None:
    """A reload says so, and keeps the one that is served."""
    port = free_port()
    config = {"metrics": {"port": port}}
    expected = ("need a restart",)
    with running_daemon(config, expected=expected) as daemon:
        daemon.configure({"metrics": {"port": free_port()}})
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_line("these settings need a restart: [metrics] port")
        assert is_served(port)


def leader(daemon: Daemon) -> int:
    """The process that leads."""
    with daemon.connect() as connection:
        workers = connection.call("botod.status")["workers"]
    (pid,) = [one["pid"] for one in workers if one["is_leader"]]
    assert isinstance(pid, int)
    return pid


def test_a_killed_leader_is_followed_by_the_next() -> None:
    """On the socket and on the port; its series begin anew, the other worker's go on."""
    port = free_port()
    with http_server(reply(b"x")) as aws:
        config = endpoints(aws.port) | {"daemon": {"workers": 2}, "metrics": {"port": port}}
        with running_daemon(config, expected=ENDED) as daemon:
            wait_until(lambda: is_served(port, 2) and is_served(admin(daemon), 2), daemon)
            with contextlib.ExitStack() as stack:
                for peer in [stack.enter_context(daemon.connect()) for _ in range(4)]:
                    outcome(peer)
            before, killed = scrape(port), leader(daemon)
            assert before.total("botod_jobs_total") == 4
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: is_served(port, 2) and is_served(admin(daemon), 2), daemon)
            after = scrape(port)
            assert leader(daemon) != killed
            gone, stayed = _by_uptime(after)
            jobs = "botod_jobs_total"
            assert after.total(jobs, worker=gone) == 0
            assert after.total(jobs, worker=stayed) == before.total(jobs, worker=stayed) > 0
            assert daemon.stop() == 0


def _by_uptime(found: Exposition) -> list[str]:
    """The workers, the youngest first."""
    uptimes = found.found("botod_uptime_seconds")
    return [one.labels["worker"] for one in sorted(uptimes, key=lambda one: one.value)]


def test_two_daemons_in_a_directory() -> None:
    """The second serves its jobs, says that admin.sock is the first's, and has it afterwards."""
    with running_daemon({}) as one:
        wait_until(lambda: is_served(admin(one)), one)
        config = {"daemon": {"socket": f"{one.socket_path}.2"}}
        with running_daemon(config, expected=("metrics are not served",)) as other:
            other.wait_for_line("admin.sock: a daemon answers there already")
            assert one.stop() == 0
            wait_until(lambda: is_served(admin(one)), other)
            assert other.stop() == 0


def test_the_dashboard_and_the_alerts_ask_for_what_there_is() -> None:
    """Each name in them is in an exposition."""
    with running_daemon({}) as daemon:
        wait_until(lambda: is_served(admin(daemon)), daemon)
        families = scrape(admin(daemon)).families
    known = {name + end for name in families for end in ("", "_total")} | {
        f"{name}_{end}"
        for name, family in families.items()
        if family.type == "histogram"
        for end in ("bucket", "sum", "count")
    }
    for file in ("grafana-dashboard.json", "botod-alerts.yml"):
        text = (ETC / file).read_text(encoding="utf-8")
        names = set(re.findall(r"\bbotod_\w+", text))
        assert len(names) > 10
        assert names <= known, file
