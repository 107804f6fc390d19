"""A daemon of two workers that its master has forked."""

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
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
from support.figures import nothing_left
from support.http_server import Exchange, http_server
from support.load import ROOM, load_on, send, sqs_server
from support.services import Held, query_xml, reply

TWO = {"daemon": {"workers": 2}}
ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}
ENDED = ("a visit of", "ended with", "is stuck", "Fatal Python error", "does not answer")


LATE = """
import array, socket, sys
from botod.daemon.compiled_code import use_compiled_code
use_compiled_code()
from botod.daemon.cli import main
from botod.daemon.handover import Handover

def leave(self, real=Handover.leave):
    self.giver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    self.giver.connect(self._path)
    real(self)

def close(self, real=Handover.close):
    ours, peer = socket.socketpair()
    peer.shutdown(socket.SHUT_WR)
    rights = array.array("i", [ours.fileno()])
    self.giver.sendmsg([b"\\xff"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    real(self)

Handover.leave, Handover.close = leave, close
sys.exit(main(sys.argv[1:]))
"""
"""The daemon, whose workers are each handed a half-closed connection when they have drained."""


def workers(daemon: Daemon) -> list[dict[str, Any]]:
    """What the status says of each."""
    with daemon.connect() as connection:
        found: list[dict[str, Any]] = connection.call("botod.status")["workers"]
        return found


def pids(daemon: Daemon) -> list[int]:
    """Those of the workers that answer."""
    return [one["pid"] for one in workers(daemon)]


def are_two(daemon: Daemon) -> bool:
    """Whether both workers serve; `wait_until` waits for it."""
    with contextlib.suppress(DaemonUnavailable):
        return len(workers(daemon)) == 2
    return False


@pytest.mark.parametrize("number", [20, 7])
def test_a_burst_of_connections_is_divided(number: int) -> None:
    """Whoever accepts them: nobody has more than one too many."""
    with running_daemon(TWO) as daemon, contextlib.ExitStack() as stack:
        wait_until(lambda: are_two(daemon), daemon)
        with ThreadPoolExecutor(number) as threads:
            connections = list(threads.map(lambda _number: daemon.connect(), range(number)))
        answers = [
            stack.enter_context(connection).call("botod.ping")["pid"] for connection in connections
        ]
        counts = sorted(answers.count(pid) for pid in set(answers))
        assert counts in ([number // 2, number - number // 2], [number // 2 - 1, number // 2 + 1])


def test_the_status_is_that_of_both() -> None:
    """Peers side by side, jobs and pools added up; one of them leads."""
    with http_server(reply(b"x")) as aws, running_daemon(endpoints(aws.port) | TWO) as daemon:
        wait_until(lambda: are_two(daemon), daemon)
        with daemon.connect() as one, daemon.connect() as other, daemon.connect() as third:
            asked = {one_of.call("botod.ping")["pid"] for one_of in (one, other, third)}
            assert len(asked) == 2
            for connection in (one, other, third):
                connection.call("s3.get_object", ON_KEY)
            status = one.call("botod.status")
        assert status["jobs"]["jobs_total"] == 3
        assert len(status["peers"]) == 3
        (pool,) = status["pools"]
        assert (pool["slots_num"], pool["leases_total"]) == (64, 3)
        assert [worker["number"] for worker in status["workers"]] == [0, 1]
        assert sum(worker["is_leader"] for worker in status["workers"]) == 1
        assert daemon.stop() == 0


class Crowd:
    """A server that holds requests until it is told, and counts who is there at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.most_num = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self._now += 1
            self.most_num = max(self.most_num, self._now)
        assert self.release.wait(BOUND_S)
        with self._lock:
            self._now -= 1
        query_xml("SendMessage", f"<MessageId>m-{exchange.number}</MessageId>")(exchange)


def test_the_host_s_limit_holds_over_both() -> None:
    """The server counts no more connections, and no more at once, than `slots_per_host` has."""
    crowd = Crowd()
    with http_server(crowd) as aws:
        config = endpoints(aws.port) | TWO | {"pool": {"slots_per_host": 5}}
        with running_daemon(config) as daemon:
            wait_until(lambda: are_two(daemon), daemon)
            with ThreadPoolExecutor(40) as threads:
                jobs = [threads.submit(one_job, daemon, str(number)) for number in range(40)]
                wait_until(lambda: crowd.most_num == 5, daemon)
                crowd.release.set()
                assert all(job.result(BOUND_S) is None for job in jobs)
            assert (crowd.most_num, len(aws.requests)) == (5, 40)
            assert aws.connections_total <= 5


def one_job(daemon: Daemon, body: str) -> None:
    """On a connection of its own."""
    with daemon.connect() as connection:
        send(connection, body)


def test_a_killed_worker_is_replaced() -> None:
    """Its peers get a clear error, or their answer after the client has connected anew."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port) | TWO, expected=ENDED) as daemon,
        ThreadPoolExecutor(1) as thread,
    ):
        wait_until(lambda: are_two(daemon), daemon)
        with daemon.connect() as connection:
            pid = connection.call("botod.ping")["pid"]
            job = thread.submit(outcome, connection)
            assert held.arrived.wait(BOUND_S)
            os.kill(pid, signal.SIGKILL)
            error = job.result(BOUND_S)
            held.release.set()
            assert isinstance(error, DaemonUnavailable)
            assert connection.call("s3.get_object", ON_KEY)["Body"] == b"miaow"
        wait_until(lambda: are_two(daemon) and pid not in pids(daemon), daemon)
        assert daemon.stop() == 0


def outcome(connection: Connection) -> Any:
    """A job's body, or its error."""
    try:
        return connection.call("s3.get_object", ON_KEY)["Body"]
    except (RpcError, DaemonUnavailable) as error:
        return error


@pytest.mark.long
def test_a_stuck_worker_is_replaced() -> None:
    """Stopped, it beats no more; it is aborted, killed, and another one comes in its place."""
    with running_daemon(TWO, expected=ENDED) as daemon:
        wait_until(lambda: are_two(daemon), daemon)
        pid = pids(daemon)[0]
        os.kill(pid, signal.SIGSTOP)
        daemon.wait_for_line(f"worker 0, pid {pid}, is stuck")
        daemon.wait_for_line(f"worker 0, pid {pid}, ended with -9")
        wait_until(lambda: are_two(daemon) and pid not in pids(daemon), daemon)
        assert daemon.stop() == 0


def test_a_killed_master_takes_its_workers_along() -> None:
    """They finish what runs and end; nobody is left on the socket."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port) | TWO) as daemon,
        ThreadPoolExecutor(1) as thread,
    ):
        wait_until(lambda: are_two(daemon), daemon)
        with daemon.connect() as connection:
            job = thread.submit(outcome, connection)
            assert held.arrived.wait(BOUND_S)
            daemon.process.kill()
            daemon.wait()
            held.release.set()
            assert job.result(BOUND_S) == b"miaow"
        for number in (0, 1):
            daemon.wait_for_line(f"worker {number} botod.daemon.service: stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group(number: int) -> None:
    """As systemd and a terminal send it: workers have it twice, and finish what runs."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port) | TWO, expected=ENDED) as daemon,
        ThreadPoolExecutor(1) as thread,
    ):
        wait_until(lambda: are_two(daemon), daemon)
        everybody = pids(daemon)
        with daemon.connect() as connection:
            busy = connection.call("botod.ping")["pid"]
            job = thread.submit(outcome, connection)
            assert held.arrived.wait(BOUND_S)
            for pid in (*everybody, daemon.process.pid):
                os.kill(pid, number)
            daemon.wait_for_line("stopping: 1 jobs are running")
            os.kill(busy, number)  # two that came in one turn of its loop were one
            held.release.set()
            assert job.result(BOUND_S) == b"miaow"
        assert daemon.wait() == 0


def test_a_connection_that_comes_last() -> None:
    """It comes to its end like any other, and so does the worker."""
    with running_daemon(TWO, command=("-c", LATE, "run")) as daemon:
        wait_until(lambda: are_two(daemon), daemon)
        assert daemon.stop() == 0


def test_limits_that_cannot_be_divided() -> None:
    """Told once, at the start, with status 78; nothing is left."""
    config = TWO | {"limits": {"peers": 1}}
    with short_folder() as folder:
        daemon = start(config, folder)
        assert daemon.wait() == 78
        words = "[limits] peers = 1: has to be at least the number of workers, 2, among which"
        daemon.wait_for_line(words)
        daemon.close()
        assert [file.name for file in folder.iterdir()] == ["botod.toml"]


def test_a_worker_that_cannot_start_ends_the_daemon() -> None:
    """With its status; the others do not stay alone."""
    with short_folder() as folder:
        daemon = start({"daemon": {"workers": 2, "keys_file": "/no/such/folder/keys"}}, folder)
        daemon.wait_for_line("there is no directory /no/such/folder")
        assert daemon.wait() == 78
        daemon.close()


@pytest.mark.long
def test_workers_killed_under_load() -> None:
    """Who had a request under way is told so; nothing is done twice, and all else is answered."""
    with (
        sqs_server() as server,
        running_daemon(endpoints(server.port) | TWO | ROOM, expected=ENDED) as daemon,
    ):
        wait_until(lambda: are_two(daemon), daemon)
        with load_on(daemon.socket_path, server, may_lose=True) as load:
            for _ in range(5):
                load.wait_for_more(200)
                os.kill(pids(daemon)[0], signal.SIGKILL)
                wait_until(lambda: are_two(daemon), daemon)
            load.wait_for_more(200)
        wait_until(lambda: nothing_left(daemon), daemon)
        assert daemon.stop() == 0


@pytest.mark.long
def test_two_thousand_peers_at_once() -> None:
    """All are served, half of them by each worker, and nothing of them is left afterwards."""
    limits = {"peers": 4000, "peers_per_uid": 4000}
    with running_daemon({"daemon": {"workers": 2}, "limits": limits}) as daemon:
        wait_until(lambda: are_two(daemon), daemon)
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(50) as threads:
            connections = list(threads.map(lambda _number: daemon.connect(), range(2000)))
            for connection in connections:
                stack.enter_context(connection)
            served = list(threads.map(lambda one: one.call("botod.ping")["pid"], connections))
            counts = [served.count(pid) for pid in set(served)]
            assert sum(counts) == 2000
            assert max(counts) - min(counts) <= 100
        wait_until(lambda: sum(one["peers_num"] for one in workers(daemon)) == 1, daemon)
        assert daemon.stop() == 0
