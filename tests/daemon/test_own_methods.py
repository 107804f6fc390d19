"""The daemon's own methods, on the shared socket and on a worker's control socket."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botod.daemon.rules import OWN_METHODS
from botod.daemon.share import control_path
from botod.ipc import RpcError, connect
from botod.ipc.errors import Code
from support.accounts import records_of
from support.daemons import BOUND_S, Daemon, endpoints, running_daemon, wait_until

NO_AWS = endpoints(1)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One with two workers and an audit record."""
    config = NO_AWS | {
        "daemon": {"workers": 2},
        "audit": {"path": str(tmp_path / "audit.jsonl")},
    }
    with running_daemon(config) as one:
        for number in range(2):
            wait_until(Path(control_of(one, number)).exists, one)
        yield one


def control_of(daemon: Daemon, number: int) -> str:
    """The path of a worker's control socket."""
    return control_path(str(Path(daemon.socket_path).parent), number)


def refused_in(path: Path) -> list[tuple[str, int]]:
    """Methods and codes of what the record has as refused."""
    records = [one for one in records_of(path) if one["event"] == "refused"]
    return [(one["method"], one["code"]) for one in records]


def test_one_worker_is_asked_or_all(daemon: Daemon) -> None:
    """The form of the answer is the same."""
    with daemon.connect() as all_of_them, connect(control_of(daemon, 1)) as one:
        asked: tuple[str, dict[str, Any]] = ("botod.show", {"what": "profiles"})
        told = all_of_them.call(*asked)
        assert [worker["worker"] for worker in told["workers"]] == [0, 1]
        assert [worker["worker"] for worker in one.call(*asked)["workers"]] == [1]
        assert len(all_of_them.call("botod.status")["workers"]) == 2
        assert "workers" not in one.call("botod.status")


def test_the_names_of_all_are_told(daemon: Daemon) -> None:
    """To who asks for one that is not there; rules know the same ones."""
    with daemon.connect() as connection, pytest.raises(RpcError) as caught:
        connection.call("botod.pose")
    assert caught.value.code == Code.METHOD_NOT_FOUND
    names = caught.value.message.partition("the daemon has: ")[2].split(", ")
    assert sorted(names) == sorted(OWN_METHODS)


def test_what_a_control_socket_refuses_is_recorded(daemon: Daemon, tmp_path: Path) -> None:
    """Whether a method refuses it, the worker, or the wire."""
    with connect(control_of(daemon, 0)) as connection:
        for method in ("botod.kill", "botod.pose"):
            with pytest.raises(RpcError):
                connection.call(method)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(BOUND_S)
        raw.connect(control_of(daemon, 0))
        raw.sendall(b"{\n")
        assert json.loads(raw.makefile("rb").readline())["error"]["code"] == Code.PARSE_ERROR
    assert daemon.stop() == 0
    assert refused_in(tmp_path / "audit.jsonl") == [
        ("botod.kill", Code.INVALID_PARAMS),
        ("botod.pose", Code.METHOD_NOT_FOUND),
        ("", Code.PARSE_ERROR),
    ]
