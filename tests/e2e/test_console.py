"""The administrator's commands on whole daemons, of one worker and of two, with jobs under way."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from botod.daemon import cli
from botod.daemon.rules import NAMED_ONLY
from botod.ipc import Connection, DaemonUnavailable, RpcError
from botod.ipc.errors import Code
from support.askers import needs_root
from support.daemons import (
    BOUND_S,
    EXPECTED_ANYWHERE,
    Daemon,
    endpoints,
    running_daemon,
    wait_until,
)
from support.http_server import Exchange, http_server
from support.load import load_on, sqs_server
from support.services import Held, reply

WORKERS = pytest.mark.parametrize("workers", [1, 2])
ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}


def config(port: int, workers: int, **more: Any) -> dict[str, Any]:
    """Of a daemon with a profile beside the default one, at the same server."""
    found = endpoints(port)
    found["profile"]["other"] = {**found["profile"]["default"], "aws_profile": "default"}
    return found | {"daemon": {"workers": workers}} | more


def serve(daemon: Daemon, workers: int) -> None:
    """Wait until all workers do."""

    def is_whole() -> bool:
        try:
            with daemon.connect() as connection:
                status = connection.call("botod.status")
        except DaemonUnavailable:
            return False
        return len(status.get("workers", [0])) == workers

    wait_until(is_whole, daemon)


def botod(daemon: Daemon, *words: str) -> int:
    """A command's status; `--socket` is added."""
    return cli.main([*words, "--socket", daemon.socket_path])


def told(daemon: Daemon, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What a command says as JSON."""
    capsys.readouterr()
    assert botod(daemon, *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def rows(daemon: Daemon, capsys: pytest.CaptureFixture[str], what: str) -> list[dict[str, Any]]:
    """Those of a table, of all workers."""
    answer = told(daemon, capsys, "show", what)
    return [row for one in answer["workers"] for row in one["rows"]]


@WORKERS
def test_a_pause_under_load_loses_nothing(workers: int) -> None:
    """Nothing reaches AWS while it lasts; afterwards each job is answered, and was one message."""
    with (
        sqs_server() as server,
        running_daemon(endpoints(server.port) | {"daemon": {"workers": workers}}) as daemon,
    ):
        serve(daemon, workers)
        with load_on(daemon.socket_path, server) as load:
            for _ in range(3):
                load.wait_for_more(50)
                assert botod(daemon, "pause") == 0
                seen = len(server.requests)
                wait_until(lambda: waiting(daemon) > 0, daemon)
                assert len(server.requests) == seen
                assert botod(daemon, "resume") == 0
            load.wait_for_more(50)
        assert daemon.stop() == 0


def waiting(daemon: Daemon) -> int:
    """How many jobs wait for slots."""
    with daemon.connect() as connection:
        found: int = sum(one["waiting_num"] for one in connection.call("botod.status")["pools"])
        return found


@WORKERS
def test_a_drain_under_load_refuses_clearly(workers: int) -> None:
    """What is refused reaches nobody and may be asked again; what runs is finished."""
    with (
        sqs_server() as server,
        running_daemon(endpoints(server.port) | {"daemon": {"workers": workers}}) as daemon,
    ):
        serve(daemon, workers)
        with load_on(daemon.socket_path, server, may_be_drained=True) as load:
            load.wait_for_more(50)
            assert botod(daemon, "drain") == 0
            seen = len(server.requests)
            with daemon.connect() as connection, pytest.raises(RpcError) as caught:
                connection.call("s3.get_object", ON_KEY)
            load.wait_for_loss()
            assert len(server.requests) == seen
            assert botod(daemon, "resume") == 0
            load.wait_for_more(50)
        assert load.lost
        assert caught.value.code == Code.DRAINED
        assert caught.value.data["retryable"] is True
        assert caught.value.data["retry_after_ms"] == 5000


@WORKERS
def test_one_profile_is_paused_and_the_other_goes_on(
    workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job of the paused one waits, is shown so, and is done after the resume."""
    with (
        http_server(reply(b"miaow")) as aws,
        running_daemon(config(aws.port, workers)) as daemon,
        ThreadPoolExecutor(1) as thread,
    ):
        serve(daemon, workers)
        assert botod(daemon, "pause", "other") == 0
        with daemon.connect() as connection:
            job = thread.submit(get, connection, profile="other")
            wait_until(lambda: states(daemon, capsys) == ["paused"], daemon)
            assert not aws.requests
            assert get(connection) == b"miaow"
            gates = {(row["profile"], row["gate"]) for row in rows(daemon, capsys, "profiles")}
            assert gates == {("default", "open"), ("other", "paused")}
            assert botod(daemon, "resume", "other") == 0
            assert job.result(BOUND_S) == b"miaow"
        assert len(aws.requests) == 2


def get(connection: Connection, **options: Any) -> Any:
    """A job's body, or its error."""
    try:
        return connection.call("s3.get_object", ON_KEY, **options)["Body"]
    except (RpcError, DaemonUnavailable) as error:
        return error


def states(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What each job is at."""
    return [row["state"] for row in rows(daemon, capsys, "jobs")]


def test_a_worker_in_a_dead_one_s_place_has_its_colleague_s_gates(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was paused stays so, whoever dies, and is opened by the same word."""
    with (
        http_server(reply(b"miaow")) as aws,
        running_daemon(config(aws.port, 2), expected=(*EXPECTED_ANYWHERE, "ended with -9")) as one,
    ):
        serve(one, 2)
        assert botod(one, "pause", "other") == 0
        with one.connect() as connection:
            dead = connection.call("botod.status")["workers"][1]["pid"]
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: is_replaced(one, dead), one)
        gates = [(row["profile"], row["gate"]) for row in rows(one, capsys, "profiles")]
        assert gates == [("default", "open"), ("other", "paused")] * 2
        assert botod(one, "resume", "other") == 0
        assert {row["gate"] for row in rows(one, capsys, "profiles")} == {"open"}


def is_replaced(daemon: Daemon, pid: int) -> bool:
    """Whether both workers serve, and one of this pid is not among them."""
    try:
        with daemon.connect() as connection:
            pids = [worker["pid"] for worker in connection.call("botod.status")["workers"]]
    except DaemonUnavailable:  # it was the one that died
        return False
    return len(pids) == 2 and pid not in pids


def test_a_pause_waits_for_what_is_on_the_wire(capsys: pytest.CaptureFixture[str]) -> None:
    """As long as it is told to; it says what still runs then, and is in force all the same."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(endpoints(aws.port)) as daemon,
        daemon.connect() as connection,
        ThreadPoolExecutor(2) as threads,
    ):
        job = threads.submit(get, connection)
        assert held.arrived.wait(BOUND_S)
        assert botod(daemon, "pause", "--timeout", "0") == 1
        assert "paused, but 1 requests are still on the wire" in capsys.readouterr().err
        again = threads.submit(botod, daemon, "pause")
        held.release.set()
        assert job.result(BOUND_S) == b"miaow"
        assert again.result(BOUND_S) == 0


@WORKERS
def test_a_killed_job_frees_its_slot_and_its_transfer(
    workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its peer is told who did it; the only slot serves the next job at once."""
    gone = threading.Event()

    def hang(exchange: Exchange) -> None:
        if exchange.number == 1:
            exchange.sock.recv(1)
            gone.set()
        else:
            reply(b"next")(exchange)

    with (
        http_server(hang) as aws,
        running_daemon(config(aws.port, workers, pool={"slots_per_host": workers})) as daemon,
        daemon.connect() as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        serve(daemon, workers)
        job = thread.submit(get, connection)
        wait_until(lambda: states(daemon, capsys) == ["on the wire"], daemon)
        (row,) = rows(daemon, capsys, "jobs")
        assert (row["operation"], row["uid"], row["pid"], row["attempts"]) == (
            "s3.get_object", os.geteuid(), os.getpid(), 1,
        )  # fmt: skip
        assert botod(daemon, "kill", row["id"]) == 0
        error = job.result(BOUND_S)
        assert isinstance(error, RpcError)
        assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, False)
        assert "was ended by an administrator" in error.message
        assert gone.wait(BOUND_S)
        assert get(connection) == b"next"
        capsys.readouterr()
        assert botod(daemon, "kill", row["id"]) == 1
        assert f"there is no {row['id']}" in capsys.readouterr().err


@WORKERS
def test_a_killed_peer_is_hung_up_on(workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Its job ends with it, and nobody else's."""
    held = Held(reply(b"miaow"))
    with (
        http_server(held) as aws,
        running_daemon(config(aws.port, workers)) as daemon,
        daemon.connect() as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        serve(daemon, workers)
        job = thread.submit(get, connection)
        assert held.arrived.wait(BOUND_S)
        (row,) = rows(daemon, capsys, "jobs")
        assert botod(daemon, "kill", row["peer"]) == 0
        assert isinstance(job.result(BOUND_S), (RpcError, DaemonUnavailable))
        wait_until(lambda: not rows(daemon, capsys, "jobs"), daemon)
        held.release.set()
        assert get(connection) == b"miaow"


@WORKERS
def test_a_reload_is_answered(workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    """With what changed and what waits; with the mistake of a file that cannot be had."""
    expected = ("a visit of", "these settings need a restart", "not reloaded, all stays as it was")
    before = {"daemon": {"workers": workers}, "limits": {"jobs": 100}}
    with running_daemon(before, expected=expected) as daemon:
        serve(daemon, workers)
        daemon.configure({"daemon": {"workers": workers, "remember_s": 7}, "limits": {"jobs": 60}})
        answer = told(daemon, capsys, "reload")
        assert [(one["changed"], one["needs_restart"]) for one in answer["workers"]] == [
            (["[limits] jobs"], ["[daemon] remember_s"])
        ] * workers
        config_rows = {(row["section"], row["name"]): row for row in told_config(daemon, capsys)}
        assert config_rows["limits", "jobs"]["value"] == 60 // workers
        waits = config_rows["daemon", "remember_s"]
        assert (waits["value"], waits["in_file"], waits["waits_for"]) == (600, 7, "restart")
        daemon.configure({"daemon": {"workers": workers}, "limits": {"jobs": 0}})
        assert botod(daemon, "reload") == 1
        assert "[limits] jobs = 0: has to be from 1 to" in capsys.readouterr().err
        assert botod(daemon, "show", "limits") == 0
        assert f"jobs {60 // workers}" in squeezed(capsys.readouterr().out)


def told_config(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The settings of the first worker."""
    found: list[dict[str, Any]] = told(daemon, capsys, "show", "config")["workers"][0]["rows"]
    return found


def squeezed(text: str) -> str:
    """Without rules and repeated blanks."""
    return " ".join(text.replace("|", " ").split())


def test_a_worker_that_comes_later_has_what_was_reloaded() -> None:
    """The master reads the file anew with the others."""
    with running_daemon(
        {"daemon": {"workers": 2}}, expected=("a visit of", "ended with", "does not answer")
    ) as daemon:
        serve(daemon, 2)
        daemon.configure({"daemon": {"workers": 2}, "limits": {"jobs": 60}})
        assert botod(daemon, "reload") == 0
        with daemon.connect() as connection:
            first = connection.call("botod.status")["workers"][0]["pid"]
        os.kill(first, 9)
        daemon.wait_for_line(f"worker 0, pid {first}, ended with -9")
        wait_until(lambda: jobs_limits(daemon) == [30, 30], daemon)


def jobs_limits(daemon: Daemon) -> list[int]:
    """What each worker that answers has of it."""
    try:
        with daemon.connect() as connection:
            answer = connection.call("botod.show", {"what": "limits"})
    except DaemonUnavailable:
        return []
    found = [row for one in answer["workers"] for row in one["rows"]]
    return [row["value"] for row in found if row["limit"] == "jobs"]


@WORKERS
def test_the_log_s_level_until_the_next_reload(workers: int) -> None:
    """Of one module, of all, and back."""
    with running_daemon({"daemon": {"workers": workers}}) as daemon:
        serve(daemon, workers)
        assert botod(daemon, "log-level", "debug", "daemon.worker") == 0
        assert botod(daemon, "log-level", "error") == 0
        assert botod(daemon, "log-level", "debug", "botocore") == 1
        with daemon.connect() as connection:
            answer = connection.call("botod.log_level", {"level": "error"})
            levels = [(one["level"], one["modules"]) for one in answer["workers"]]
            assert levels == [("error", {"botod.daemon.worker": "debug"})] * workers
            assert botod(daemon, "reload") == 0
            answer = connection.call("botod.log_level", {"level": "info"})
            assert [one["modules"] for one in answer["workers"]] == [{}] * workers


def test_a_worker_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The others do what is asked, and the command has failed."""
    with running_daemon(
        {"daemon": {"workers": 2}}, expected=("a visit of", "ended with", "is stuck", "Fatal")
    ) as daemon:
        serve(daemon, 2)
        with daemon.connect() as connection:
            here = connection.call("botod.ping")["pid"]
            (other,) = (
                one for one in connection.call("botod.status")["workers"] if one["pid"] != here
            )
            os.kill(other["pid"], 19)
            try:
                answer = connection.call("botod.pause")
                assert [one["worker"] for one in answer["workers"]] == [1 - other["number"]]
                assert answer["silent"] == [{"worker": other["number"], "why": "no answer"}]
                status = connection.call("botod.status")
                assert status["silent"] == [{"worker": other["number"], "why": "no answer"}]
            finally:
                os.kill(other["pid"], 18)
    capsys.readouterr()


AS_STRANGER = """
import os, pwd, sys
from botod.ipc import RpcError, connect
uid = pwd.getpwnam(sys.argv[2]).pw_uid
os.setgroups([]), os.setgid(uid), os.setuid(uid)
for method in sys.argv[3:]:
    try:
        connect(sys.argv[1]).call(method)
        print(method, "was done")
    except RpcError as error:
        print(method, error.code)
"""


@needs_root
@pytest.mark.parametrize("mode", ["enforce", "audit"])
def test_a_stranger_is_refused_each_of_them(mode: str) -> None:
    """One who may have any job done may do none of what is an administrator's; a named one may."""
    rules = [{"user": "daemon", "allow": ["*"]}, {"user": "mail", "allow": ["botod.*"]}]
    settings = {"daemon": {"policy_mode": mode}, "policy": rules}
    with running_daemon(settings, expected=("a visit of", "audit")) as daemon:
        methods = sorted(NAMED_ONLY - {"botod.restart"})
        daemon.folder.chmod(0o755)
        outcomes = asked_as("daemon", daemon, [*sorted(NAMED_ONLY), "botod.status"])
        assert outcomes == {
            **dict.fromkeys(NAMED_ONLY, str(int(Code.ACCESS_DENIED))),
            "botod.status": "was done",
        }
        allowed = asked_as("mail", daemon, methods)
        assert set(allowed.values()) == {"was done", str(int(Code.INVALID_PARAMS))}


def asked_as(user: str, daemon: Daemon, methods: list[str]) -> dict[str, str]:
    """What becomes of methods that another user asks for."""
    words = [sys.executable, "-c", AS_STRANGER, daemon.socket_path, user, *methods]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=BOUND_S)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())
