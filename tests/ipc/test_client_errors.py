"""What both clients raise where the daemon is absent, old, stopping, full, or says no."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from botod.ipc import aio, connect
from botod.ipc.errors import (
    AccessDenied,
    Code,
    DaemonBusy,
    DaemonLost,
    DaemonUnavailable,
    OtherProtocol,
    OutcomeUnknown,
    Overloaded,
    RpcError,
    ShuttingDown,
    SocketForbidden,
)
from botod.ipc.exchange import Sender
from botod.ipc.line import no_daemon
from botod.ipc.protocol import VERSION, Request
from support.ipc import STEP_TIMEOUT_S, Daemon, bound, limits, scripted


class Ask(Protocol):
    """One call. timeout_s: for connecting, and for the answer."""

    def __call__(self, path: str, *, timeout_s: float = STEP_TIMEOUT_S) -> Any: ...


def blocking(path: str, *, timeout_s: float = STEP_TIMEOUT_S) -> Any:
    """One call of the blocking client."""
    with connect(path, timeout_s=timeout_s) as connection:
        return connection.client("s3").head_object(Bucket="b", Key="k")


def awaited(path: str, *, timeout_s: float = STEP_TIMEOUT_S) -> Any:
    """One call of the asyncio client."""

    async def scenario() -> Any:
        async with await aio.connect(path, timeout_s=timeout_s) as connection:
            return await connection.client("s3").head_object(Bucket="b", Key="k")

    return asyncio.run(asyncio.wait_for(scenario(), STEP_TIMEOUT_S))


BOTH = pytest.mark.parametrize("ask", [blocking, awaited])


@contextmanager
def saying(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """A daemon that answers each connection's requests, however many, with one of these.

    Gives what came. After the last answer it hangs up at once on whoever connects.
    """
    came: list[bytes] = []
    left = list(answers)
    listener = bound(path)
    listener.listen()
    listener.settimeout(STEP_TIMEOUT_S)

    def serve() -> None:
        while True:
            sock, _address = listener.accept()
            with sock:
                sock.settimeout(STEP_TIMEOUT_S)
                data = sock.recv(65536)
                if not data:
                    return
                came.append(data)
                sock.sendall(left.pop(0))
                while sock.recv(65536):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield came
    finally:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(path))
        thread.join(STEP_TIMEOUT_S)
        listener.close()


def hello(answer: bytes) -> bytes:
    """The answer to the greeting, and then to the request that came with it."""
    return b'{"jsonrpc":"2.0","id":0,' + answer + b'}\n{"jsonrpc":"2.0","id":1,"result":{}}\n'


def refusing(code: Code, data: dict[str, Any]) -> Callable[[Request, Sender], Any]:
    """A daemon's handler that says no to all but the greeting."""

    def handle(request: Request, _sender: Sender) -> Any:
        if request.method == "botod.hello":
            return {"protocol": VERSION}
        raise RpcError(code, "no", data)

    return handle


@BOTH
def test_no_daemon(path: Path, ask: Ask) -> None:
    """It says where it looked and how to start one; nothing was sent."""
    with pytest.raises(DaemonUnavailable, match=r"start one with `botod run`") as caught:
        ask(str(path))
    assert not isinstance(caught.value, OutcomeUnknown)
    assert str(path) in str(caught.value)


def test_a_socket_of_others(path: Path) -> None:
    """To start another daemon would not help; to ask for the right to use this one does."""
    error = no_daemon(str(path), PermissionError(13, "Permission denied"))
    assert isinstance(error, SocketForbidden)
    assert "administrator" in str(error)
    assert "botod run" not in str(error)


@BOTH
def test_a_daemon_that_accepts_nobody(path: Path, ask: Ask) -> None:
    """Its queue is full, and stays so: it is there, and that is said."""
    listener = bound(path)
    listener.listen(0)
    with socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))
        with pytest.raises(DaemonBusy, match="ask again later"):
            ask(str(path), timeout_s=0.01)
    listener.close()


@BOTH
@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b'"error":{"code":-32601,"message":"no botod.hello"}', "does not know botod.hello"),
        (b'"result":{"protocol":0,"version":"0.0"}', "version 0"),
        (b'"result":{"protocol":2,"version":"9.0"}', "version 2"),
        (b'"result":{}', "version None"),
    ],
    ids=["no hello", "an older one", "a newer one", "another program"],
)
def test_a_daemon_of_another_version(path: Path, ask: Ask, greeting: bytes, words: str) -> None:
    """Its answers may mean something else; the request went with the greeting, and may be done."""
    with saying(path, hello(greeting)) as came, pytest.raises(OtherProtocol, match=words) as caught:
        ask(str(path))
    assert isinstance(caught.value, OutcomeUnknown)
    assert caught.value.outcome_unknown
    assert "update the older" in str(caught.value)
    assert len(came) == 1, "it was sent twice"


@BOTH
@pytest.mark.parametrize("code", [Code.OVERLOADED, Code.ACCESS_DENIED])
def test_a_greeting_that_is_refused_for_now(path: Path, ask: Ask, code: Code) -> None:
    """It is no other version: the request has its own answer."""
    with saying(path, hello(b'"error":{"code":%d,"message":"no"}' % int(code))):
        assert ask(str(path)) == {}


STOPPING = (
    b'{"jsonrpc":"2.0","id":0,"result":{"protocol":1}}\n'
    b'{"jsonrpc":"2.0","id":1,"error":{"code":-32006,"message":"stopping"}}\n'
)


@BOTH
def test_a_daemon_that_stops(path: Path, ask: Ask) -> None:
    """One tries again on another connection; if that one stops too, nothing was done either."""
    with saying(path, STOPPING, STOPPING) as came, pytest.raises(ShuttingDown) as caught:
        ask(str(path))
    assert len(came) == 2
    assert not isinstance(caught.value, OutcomeUnknown)


@BOTH
def test_a_daemon_that_follows_one_that_stops(path: Path, ask: Ask) -> None:
    """The old one may still be at work on others: the new one is asked on a new connection."""
    with saying(path, STOPPING, hello(b'"result":{"protocol":1}')) as came:
        assert ask(str(path)) == {}
    assert len(came) == 2


@BOTH
def test_a_daemon_that_dies(path: Path, ask: Ask) -> None:
    """What it had read may have been done."""
    listener = bound(path)
    listener.listen()
    listener.settimeout(STEP_TIMEOUT_S)

    def die() -> None:
        sock, _address = listener.accept()
        sock.recv(65536)
        listener.close()
        sock.close()

    thread = threading.Thread(target=die)
    thread.start()
    with pytest.raises(DaemonLost, match="is not known"):
        ask(str(path))
    thread.join(STEP_TIMEOUT_S)


@BOTH
def test_a_daemon_that_is_full(path: Path, ask: Ask) -> None:
    """At its door already; the error says when to ask again, and nothing was done."""
    with (
        Daemon(path, scripted(refusing(Code.INTERNAL_ERROR, {})), limits(peers=0)),
        pytest.raises(Overloaded) as caught,
    ):
        ask(str(path))
    assert caught.value.retry_after_s > 0
    assert not isinstance(caught.value, OutcomeUnknown)


@BOTH
def test_a_user_who_may_not(path: Path, ask: Ask) -> None:
    """The rule's answer is an exception of its own, and no error of the service."""
    with (
        Daemon(path, scripted(refusing(Code.ACCESS_DENIED, {}))),
        pytest.raises(AccessDenied, match="no"),
    ):
        ask(str(path))
