"""The blocking client: boto3's face, one connection, and what it says when the daemon fails it."""

import itertools
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

import botod.ipc
from botod.ipc import line, lines, requests
from botod.ipc.client import SYSTEM_SOCKET, Connection, StreamingBody, connect, default_socket
from botod.ipc.errors import (
    ClientError,
    Code,
    DaemonLost,
    DaemonUnavailable,
    MethodNotFound,
    OutcomeUnknown,
    ProtocolError,
    RpcError,
)
from botod.ipc.exchange import Exchange, Sender
from botod.ipc.framing import MessageLimits
from botod.ipc.protocol import VERSION, Request
from support.ipc import (
    STEP_TIMEOUT_S,
    Daemon,
    bound,
    limits,
    scripted,
    strange_daemon,
)
from support.pools import descriptors_num

NO_SUCH_KEY = {
    "type": "NoSuchKey",
    "service": "s3",
    "operation": "GetObject",
    "http_status": 404,
    "request_id": "4442587FB7D0A2F9",
}


class Store:
    """A daemon's handler: keeps what is put, and what it was asked."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.requests: list[Request] = []

    def __call__(self, request: Request, _sender: Sender) -> Any:
        if request.method == "botod.hello":
            return {"protocol": VERSION}
        self.requests.append(request)
        operation = request.method.partition(".")[2]
        if operation == "put_object":
            self.objects[request.params["Key"]] = request.params["Body"]
            return {"ETag": '"e"'}
        if operation == "get_object":
            if request.params["Key"] not in self.objects:
                raise ClientError(Code.SERVICE_ERROR, "The key does not exist.", NO_SUCH_KEY)
            return {"Body": self.objects[request.params["Key"]], "ContentLength": 1}
        if operation == "echo":
            return request.params
        raise RpcError(Code.METHOD_NOT_FOUND, f"no {request.method}", {"known": ["get_object"]})


class Trickle(socket.socket):
    """A socket from which empty lines come without end."""

    reads = 0

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self.reads += 1
        assert self.reads < 100, "it reads for ever"
        buffer[:1] = b"\n"
        return 1


S = TypeVar("S", bound=socket.socket)


def swapped(connection: Connection, kind: type[S]) -> S:
    """The connection's only socket, made one of another kind."""
    (one,) = connection._lines._idle
    assert one._socket is not None
    one._socket = sock = kind(fileno=one._socket.detach())
    return sock


def answers(*pieces: bytes) -> Callable[[socket.socket], None]:
    """A conversation: reads a line, writes these bytes, and hangs up."""

    def converse(sock: socket.socket) -> None:
        with sock.makefile("rb") as lines:
            lines.readline()
        for piece in pieces:
            sock.sendall(piece)

    return converse


# As boto3's


def test_put_and_get(path: Path) -> None:
    """Bytes go in as Body and come out of Body's read(), as with boto3."""
    body = os.urandom(2_000_000)
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        s3 = connection.client("s3")
        assert s3.put_object(Bucket="b", Key="k", Body=body) == {"ETag": '"e"'}
        answer = s3.get_object(Bucket="b", Key="k")
        assert answer["Body"].read() == body
        assert answer["ContentLength"] == 1


def test_what_is_thrown_away_is_closed(path: Path) -> None:
    """At once: a client keeps what it was used for, and is in no cycle with it."""
    with Daemon(path, scripted(Store())):
        s3 = connect(str(path)).client("s3")
        assert s3.echo(A=1) == {"A": 1}
        assert s3.echo is s3.echo
        with pytest.warns(ResourceWarning, match="unclosed"):
            del s3


def test_a_body_is_a_stream() -> None:
    """It is read in parts, in chunks, to its end, and may be closed."""
    body = StreamingBody(b"0123456789")
    assert body.read(3) == b"012"
    assert list(body.iter_chunks(4)) == [b"3456", b"789"]
    assert body.read() == b""
    assert list(StreamingBody(b"").iter_chunks()) == []
    assert [len(chunk) for chunk in StreamingBody(b"x" * 2500).iter_chunks()] == [1024, 1024, 452]
    with body:
        pass
    assert body.closed


def test_a_body_that_is_text_stays_text(path: Path) -> None:
    """Only bytes become a stream: SQS's Body is a string."""
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        assert connection.client("sqs").echo(Body="text") == {"Body": "text"}


@pytest.mark.parametrize("body", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes")])
def test_all_kinds_of_bytes_are_sent(path: Path, body: Any) -> None:
    """What boto3 takes as bytes, we take."""
    with Daemon(path, scripted(store := Store())), connect(str(path)) as connection:
        connection.client("s3").put_object(Key="k", Body=body)
        assert store.objects == {"k": b"bytes"}


def test_bytes_at_any_depth_travel(path: Path) -> None:
    """Attributes of messages are nested; their bytes come back where they were."""
    params = {"Entries": [{"Id": "1", "Attributes": {"a": {"BinaryValue": b"\x00\xff"}}}], "N": 1}
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        assert connection.client("sqs").echo(**params) == params


def test_methods_are_operations(path: Path) -> None:
    """Any name is a method of the wire's; those Python asks for by itself are not."""
    with Daemon(path, scripted(store := Store())), connect(str(path)) as connection:
        s3 = connection.client("s3")
        assert repr(s3) == f"<Client s3 at {path}>"
        assert s3.echo.__name__ == "echo"
        s3.echo(A=1)
        assert [(one.method, one.params) for one in store.requests] == [("s3.echo", {"A": 1})]
        with pytest.raises(AttributeError):
            s3._private  # noqa: B018 - asking is the point
        assert not hasattr(s3, "__len__")


def test_options_go_beside_the_params(path: Path) -> None:
    """The profile is the client's, the timeout the connection's or the call's."""
    with (
        Daemon(path, scripted(store := Store())),
        connect(str(path), timeout_s=11.0) as connection,
    ):
        connection.client("s3").echo()
        connection.client("s3", profile="other").echo()
        connection.call("s3.echo", timeout_s=2.5, profile="third")
        assert [one.options for one in store.requests] == [
            {"timeout_s": 11.0},
            {"timeout_s": 11.0, "profile": "other"},
            {"timeout_s": 2.5, "profile": "third"},
        ]


def test_a_call_needs_no_params(path: Path) -> None:
    """The daemon's own methods are called by name."""
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        assert connection.call("botod.echo") == {}


# Errors


def test_a_service_error_is_a_client_error(path: Path) -> None:
    """It has boto3's response, and the connection goes on."""
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        s3 = connection.client("s3")
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="b", Key="k")
        assert caught.value.response == {
            "Error": {"Code": "NoSuchKey", "Message": "The key does not exist."},
            "ResponseMetadata": {"HTTPStatusCode": 404, "RequestId": "4442587FB7D0A2F9"},
        }
        assert caught.value.operation_name == "GetObject"
        assert caught.value.data == NO_SUCH_KEY
        assert s3.echo(A=1) == {"A": 1}


def test_other_errors_are_rpc_errors(path: Path) -> None:
    """The daemon's own have its code, sentence and data, and are no ClientError."""
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        with pytest.raises(RpcError) as caught:
            connection.client("s3").fly()
        assert type(caught.value) is MethodNotFound
        assert str(caught.value) == "no s3.fly (-32601)"
        assert caught.value.data == {"known": ["get_object"]}
        assert connection.call("s3.echo") == {}


def test_what_cannot_be_sent_is_not(path: Path) -> None:
    """Params that JSON does not have fail before a byte is sent; the connection goes on."""
    with Daemon(path, scripted(store := Store())), connect(str(path)) as connection:
        for value in (object(), float("nan")):
            with pytest.raises((TypeError, ValueError)):
                connection.call("s3.echo", {"A": value})
        assert connection.call("s3.echo", {"A": 1}) == {"A": 1}
        assert len(store.requests) == 1


def test_too_large_a_body_is_told(path: Path) -> None:
    """The refusal arrives although the body is on its way; the connection goes on."""
    small = limits(message=MessageLimits(inline_bytes=1000))
    with Daemon(path, scripted(Store()), small), connect(str(path)) as connection:
        with pytest.raises(RpcError) as caught:
            connection.client("s3").put_object(Key="k", Body=b"x" * 5_000_000)
        assert caught.value.code == Code.BODY_TOO_LARGE
        assert connection.call("s3.echo") == {}


def test_too_long_a_line_is_told(path: Path) -> None:
    """The daemon hangs up while the line is written; its reason is what is raised."""
    small = limits(message=MessageLimits(line_bytes=100_000))
    with Daemon(path, scripted(Store()), small), connect(str(path)) as connection:
        with pytest.raises(RpcError) as caught:
            connection.call("s3.echo", {"A": "x" * 5_000_000})
        assert caught.value.code == Code.LINE_TOO_LONG
        assert connection.call("s3.echo") == {}


def test_one_peer_too_many_is_told(path: Path) -> None:
    """Who is refused at the door learns why with his first request."""
    with (
        Daemon(path, scripted(Store()), limits(peers=0)),
        connect(str(path)) as connection,
    ):
        with pytest.raises(RpcError) as caught:
            connection.call("s3.echo")
        assert caught.value.code == Code.OVERLOADED
        assert caught.value.data["retryable"] is True


# No daemon


def test_no_socket_there(path: Path) -> None:
    """Nobody ever listened there: the error says where, and what to do."""
    before = descriptors_num()
    with pytest.raises(DaemonUnavailable) as caught:
        connect(str(path))
    assert str(path) in str(caught.value)
    assert "No such file" in str(caught.value)
    assert "BOTOD_SOCKET" in str(caught.value)
    assert descriptors_num() == before


def test_nobody_listens_any_more(path: Path) -> None:
    """A socket file that a daemon left behind is no daemon."""
    bound(path).close()
    with pytest.raises(DaemonUnavailable, match="refused"):
        connect(str(path))


def test_a_path_too_long_for_a_socket(path: Path) -> None:
    """It cannot be connected to, and that is said as of any other."""
    with pytest.raises(DaemonUnavailable, match="too long"):
        connect(f"{path}{'x' * 200}")


def test_a_daemon_that_stops(path: Path) -> None:
    """Nothing can have been done by what is not there any more, and that is what is said."""
    daemon = Daemon(path, scripted(Store()))
    with daemon, connect(str(path)) as connection:
        connection.call("s3.echo")
        daemon.stop()
        with pytest.raises(DaemonUnavailable) as caught:
            connection.call("s3.echo")
        assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b'{"jsonrpc":"2.0","id":1,"res',),
        (b'{"jsonrpc":"2.0","id":1,"result":{"$bytes":0},"bytes":[10]}\n', b"12345"),
    ],
    ids=["before its answer", "in the middle of a line", "in the middle of bytes"],
)
def test_a_daemon_that_hangs_up(path: Path, pieces: tuple[bytes, ...]) -> None:
    """Half an answer is none; whether the request was done is not known, and that is said."""
    before = descriptors_num()
    with (
        strange_daemon(path, answers(*pieces)),
        connect(str(path)) as connection,
        pytest.raises(DaemonLost, match=r"hung up.*is not known"),
    ):
        connection.call("s3.echo")
    assert descriptors_num() == before


def test_a_daemon_that_never_answers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the request's own time and some grace one gives up, and hangs up."""
    monkeypatch.setattr(lines, "GRACE_S", 0.01)
    ended = threading.Event()

    def silent(sock: socket.socket) -> None:
        while sock.recv(65536):
            pass
        ended.set()

    with strange_daemon(path, silent), connect(str(path)) as connection:
        with pytest.raises(DaemonLost, match=r"timed out.*is not known"):
            connection.call("s3.echo", timeout_s=0.01)
        assert ended.wait(STEP_TIMEOUT_S), "the connection is left open"


def test_a_daemon_that_trickles(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is the request's, not each read's: bytes that keep coming do not move it."""
    clock = itertools.count(step=10.0)
    with strange_daemon(path, lambda sock: sock.recv(1)), connect(str(path)) as connection:
        monkeypatch.setattr(line, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        monkeypatch.setattr(lines, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        trickle = swapped(connection, Trickle)
        with pytest.raises(DaemonLost, match="timed out"):
            connection.call("s3.echo", timeout_s=60.0)
        assert 0 < trickle.reads < 100


def test_a_daemon_that_never_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline holds for writing too."""
    monkeypatch.setattr(lines, "GRACE_S", 0.01)
    given_up = threading.Event()

    with (
        strange_daemon(path, lambda _sock: given_up.wait(STEP_TIMEOUT_S)),
        connect(str(path)) as connection,
    ):
        with pytest.raises(DaemonUnavailable, match=r"timed out$"):
            connection.call("s3.echo", {"A": b"x" * 5_000_000}, timeout_s=0.01)
        given_up.set()


def test_a_daemon_that_talks_nonsense(path: Path) -> None:
    """What is no answer of ours is raised as such, and the connection is given up."""
    nonsense = answers(b"HTTP/1.1 400 Bad Request\r\n")
    with (
        strange_daemon(path, nonsense),
        connect(str(path)) as connection,
        pytest.raises(ProtocolError),
    ):
        connection.call("s3.echo")


def test_answers_to_others_are_passed_over(path: Path) -> None:
    """Only what bears this request's number, or none, is its answer."""
    others = (
        b'{"jsonrpc":"2.0","id":7,"result":"other"}\n{"jsonrpc":"2.0","id":1,"result":"ours"}\n'
    )
    with strange_daemon(path, answers(others)), connect(str(path)) as connection:
        assert connection.call("s3.echo") == "ours"


class Interrupt(BaseException):
    """As KeyboardInterrupt, which would end the test run."""


class Interrupted(socket.socket):
    """A socket where writing is interrupted in the middle."""

    def sendmsg(self, buffers: Any, *_rest: Any) -> int:
        super().sendmsg([bytes(buffers[0])[:10]])
        raise Interrupt


def test_an_interrupted_request_closes_the_connection(path: Path) -> None:
    """Half a request on the wire would be read together with the next one's bytes."""
    ended: list[bytes] = []

    def converse(sock: socket.socket) -> None:
        ended.append(sock.recv(100))
        ended.append(sock.recv(100))

    with strange_daemon(path, converse), connect(str(path)) as connection:
        swapped(connection, Interrupted)
        with pytest.raises(Interrupt):
            connection.call("s3.put_object", {"Body": b"x" * 100})
    assert ended == [b'{"jsonrpc"', b""]


# One connection, many hands


def test_threads_take_turns(path: Path) -> None:
    """Threads that share a connection each get their own answer."""
    with Daemon(path, scripted(Store())), connect(str(path)) as connection:
        s3 = connection.client("s3")

        def work(number: int) -> bool:
            body = bytes([number]) * (number * 1000)
            return all(
                s3.echo(Body=body, N=turn)["N"] == turn
                and s3.echo(Body=body)["Body"].read() == body
                for turn in range(10)
            )

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(16)))


def test_a_second_thread_does_not_wait_for_the_first(path: Path) -> None:
    """Both requests are under way before the first is answered."""
    both = threading.Barrier(2, timeout=STEP_TIMEOUT_S)
    held: list[Exchange] = []
    waiting = threading.Event()

    def holds_both(exchange: Exchange) -> None:
        held.append(exchange)
        if len(held) == 2:
            waiting.set()

    with Daemon(path, holds_both) as daemon, connect(str(path)) as connection:

        def ask(number: int) -> Any:
            both.wait()
            return connection.call("s3.echo", {"N": number})

        with ThreadPoolExecutor(2) as pool:
            results = pool.map(ask, range(2))
            assert waiting.wait(STEP_TIMEOUT_S)
            for exchange in held:
                daemon.call_soon(exchange.answer, exchange.request.params["N"])
            assert list(results) == [0, 1]


def test_an_idle_connection_is_made_anew(path: Path) -> None:
    """What the daemon closed because nobody used it is nothing that the caller need know."""
    store = Store()
    with (
        Daemon(path, scripted(store), limits(idle_timeout_s=0.05)) as daemon,
        connect(str(path)) as connection,
    ):
        assert connection.call("s3.put_object", {"Key": "k", "Body": b"v"}) is not None
        while daemon.server.stats():
            threading.Event().wait(0.01)
        assert connection.call("s3.get_object", {"Key": "k"})["Body"] == b"v"
        assert [request.method for request in store.requests] == ["s3.put_object", "s3.get_object"]


def test_closing_hangs_up(path: Path) -> None:
    """The daemon learns that nobody waits any more; closing again does nothing."""
    ended = threading.Event()

    def converse(sock: socket.socket) -> None:
        assert sock.recv(1) == b""
        ended.set()

    with strange_daemon(path, converse):
        connection = connect(str(path))
        connection.close()
        assert ended.wait(STEP_TIMEOUT_S)
        connection.close()
        with pytest.raises(DaemonUnavailable, match="connect anew"):
            connection.call("s3.echo")


# Where the daemon is


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable is set, and the system's socket does not exist; a folder to name others in."""
    monkeypatch.delenv("BOTOD_SOCKET", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(requests, "SYSTEM_SOCKET", str(tmp_path / "system.sock"))
    return tmp_path


def test_where_the_systems_socket_is() -> None:
    """The path is promised in the documents."""
    assert SYSTEM_SOCKET == "/run/botod/botod.sock"


def test_nothing_is_set(places: Path) -> None:
    """Without any hint it is the system's socket, whether it is there or not."""
    assert default_socket() == str(places / "system.sock")


def test_the_user_has_a_runtime_directory(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own socket counts where the system has none."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert default_socket() == "/run/user/1000/botod.sock"
    (places / "system.sock").touch()
    assert default_socket() == str(places / "system.sock")


def test_the_variable_comes_first(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is named is taken, also when it does not exist; empty means unset."""
    (places / "system.sock").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setenv("BOTOD_SOCKET", "/somewhere/else")
    assert default_socket() == "/somewhere/else"
    monkeypatch.setenv("BOTOD_SOCKET", "")
    assert default_socket() == str(places / "system.sock")


def test_connect_goes_there(path: Path, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path `connect` takes the default socket."""
    monkeypatch.setenv("BOTOD_SOCKET", str(path))
    with Daemon(path, scripted(Store())), connect() as connection:
        assert isinstance(connection, Connection)
        assert connection.path == str(path)
        assert connection.call("s3.echo") == {}


def test_what_the_package_offers_is_there() -> None:
    """Every name in `__all__` can be imported from the package."""
    assert all(hasattr(botod.ipc, name) for name in botod.ipc.__all__)
