"""Two daemons that share a keys file, each a process with a socket of its own."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botod.ipc import Code, DaemonUnavailable, RpcError
from support.daemons import (
    BOUND_S,
    Daemon,
    endpoints,
    running_daemon,
    short_folder,
    start,
    wait_until,
)
from support.http_server import Exchange, HttpServer, http_server
from support.services import query_xml

MESSAGE = {"QueueUrl": "http://h/1/q", "MessageBody": "x"}


class Upstream:
    """A server that answers when it is told to."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        assert self.release.wait(BOUND_S)
        query_xml("SendMessage", f"<MessageId>m-{exchange.number}</MessageId>")(exchange)


@contextlib.contextmanager
def daemons(server: HttpServer) -> Iterator[list[Daemon]]:
    """Two of them."""
    with short_folder() as folder:
        config = {
            **endpoints(server.port, sqs_batching=False),
            "daemon": {"keys_file": str(folder / "keys")},
        }
        with running_daemon(config) as one, running_daemon(config) as other:
            yield [one, other]


def send(daemon: Daemon, key: str) -> Any:
    """Send the message; its id, or the error."""
    with daemon.connect() as connection:
        try:
            result = connection.call("sqs.send_message", MESSAGE, idempotency_key=key)
        except RpcError as error:
            return error
        return result["MessageId"]


def joined_num(daemon: Daemon) -> int:
    """Requests of a daemon that were answered with what another's came to."""
    with daemon.connect() as connection:
        return int(connection.call("botod.status")["jobs"]["joined_total"])


def running_num(daemon: Daemon) -> int:
    """Jobs that a daemon has under way, those that wait for another daemon's among them."""
    with daemon.connect() as connection:
        return int(connection.call("botod.status")["jobs"]["running_num"])


def test_one_key_at_two_daemons_is_one_message() -> None:
    """Asked for at both at once, by several; and at each again."""
    upstream = Upstream()
    with http_server(upstream) as server, daemons(server) as both, ThreadPoolExecutor() as threads:
        calls = [threads.submit(send, daemon, "k") for daemon in both * 3]
        wait_until(lambda: all(running_num(daemon) for daemon in both), both[0])
        upstream.release.set()
        assert [call.result() for call in calls] == ["m-1"] * 6
        assert [send(daemon, "k") for daemon in both] == ["m-1"] * 2
        assert sum(map(joined_num, both)) == 7
        assert len(server.requests) == 1


def test_many_keys_at_two_daemons_at_once() -> None:
    """Each is one message, whoever is first."""
    upstream = Upstream()
    upstream.release.set()
    keys = [str(number) for number in range(60)]
    with http_server(upstream) as server, daemons(server) as both, ThreadPoolExecutor(8) as threads:
        calls = [[threads.submit(send, daemon, key) for daemon in both] for key in keys]
        found = [{call.result() for call in of_key} for of_key in calls]
        assert all(len(ids) == 1 for ids in found), found
        assert len(set.union(*found)) == len(server.requests) == len(keys)


def test_the_owner_is_killed_in_the_middle() -> None:
    """Who joined it is told that nobody knows; the server saw one copy, and sees no other."""
    upstream = Upstream()
    with (
        http_server(upstream) as server,
        daemons(server) as (one, other),
        ThreadPoolExecutor() as threads,
    ):
        lost = threads.submit(lose, one)
        wait_until(lambda: len(server.requests) == 1, one)
        joined: Future[Any] = threads.submit(send, other, "k")
        wait_until(lambda: running_num(other) == 1, other)
        one.process.kill()
        lost.result()
        for error in (joined.result(), send(other, "k")):
            assert isinstance(error, RpcError)
            assert (error.code, error.data["outcome_unknown"]) == (Code.OUTCOME_UNKNOWN, True)
        upstream.release.set()
        assert send(other, "another") == "m-2"
        assert len(server.requests) == 2


def lose(daemon: Daemon) -> None:
    """A request to a daemon that is killed."""
    with pytest.raises(DaemonUnavailable):
        send(daemon, "k")


def test_what_one_daemon_did_another_knows_after_it_has_stopped() -> None:
    """The last outcomes are written before a daemon ends."""
    upstream = Upstream()
    upstream.release.set()
    with http_server(upstream) as server, daemons(server) as (one, other):
        assert send(one, "k") == "m-1"
        assert one.stop() == 0
        assert send(other, "k") == "m-1"


def test_a_file_that_cannot_be_used() -> None:
    """The daemon does not start; status and words say that the configuration is wrong."""
    with short_folder() as folder:
        (folder / "keys").write_text("call home\n" * 1000)
        (folder / "keys").chmod(0o600)
        daemon = start({"daemon": {"keys_file": str(folder / "keys")}}, folder)
        assert daemon.wait() == 78
        assert daemon.wait_for_line("it is not a keys file of botod; name another path")
        assert not Path(daemon.socket_path).exists()
        daemon.close()
