"""What a peer may say wrong: each its own clear error, and everybody else is served meanwhile."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from botod.ipc import Code
from support.daemons import Daemon, endpoints, running_daemon
from support.http_server import HttpServer, http_server

BOUND_S = 20.0
LINE_BYTES = 64 * 1024
INLINE_BYTES = 1024 * 1024
PING = b'{"jsonrpc":"2.0","id":"ping","method":"botod.ping"}\n'


@pytest.fixture(scope="module")
def upstream() -> Iterator[HttpServer]:
    """What the daemon talks to."""
    with http_server(lambda exchange: exchange.ok(b"<ListAllMyBucketsResult/>")) as server:
        yield server


@pytest.fixture(scope="module")
def daemon(upstream: HttpServer) -> Iterator[Daemon]:
    """A daemon with small limits, that at the end has nothing left and logged no error."""
    limits = {"limits": {"line_bytes": LINE_BYTES, "inline_bytes": INLINE_BYTES}}
    with running_daemon(endpoints(upstream.port) | limits) as running:
        yield running
        with running.connect() as connection:
            status = connection.call("botod.status")
        assert len(status["peers"]) == 1
        assert status["jobs"]["running_num"] == 0
        assert running.stop() == 0
        assert not [line for line in running.lines if " ERROR " in line or " WARNING " in line]


@pytest.fixture(autouse=True)
def good_peer(daemon: Daemon) -> Iterator[None]:
    """Another peer, whose jobs have to go on all through the test; at least one in full after."""
    stop = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            with daemon.connect() as connection:
                while True:
                    last = stop.is_set()
                    connection.client("s3").list_buckets()
                    if last:
                        return
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    yield
    stop.set()
    worker.join(BOUND_S)
    assert not worker.is_alive()
    assert failures == []


class Peer:
    """A peer that says what it likes."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(BOUND_S)
        self.sock.connect(path)
        self._lines = self.sock.makefile("rb")

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hear(self) -> dict[str, Any]:
        """The next answer."""
        answer: dict[str, Any] = json.loads(self._lines.readline())
        return answer

    def hears_the_end(self) -> bool:
        """Whether the daemon has closed."""
        return self._lines.readline() == b""

    def close(self) -> None:
        self._lines.close()
        self.sock.close()


@pytest.fixture
def peer(daemon: Daemon) -> Iterator[Peer]:
    """One that is connected and has said nothing yet."""
    connected = Peer(daemon.socket_path)
    yield connected
    connected.close()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"hello\n", Code.PARSE_ERROR),
        (b"[" * 10_000 + b"\n", Code.PARSE_ERROR),
        (b'{"a":' * 10_000 + b"\n", Code.PARSE_ERROR),
        (b"\xff\xfe\n", Code.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"x"}\n', Code.PARSE_ERROR),
        (b"GET / HTTP/1.1\r\n\r\n", Code.PARSE_ERROR),
        (b"x" * (LINE_BYTES + 2), Code.LINE_TOO_LONG),
        (b'{"jsonrpc":"2.0","bytes":"5"}\n', Code.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","bytes":[-1]}\n', Code.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","bytes":[99999999999999]}\n', Code.BODY_TOO_LARGE),
    ],
    ids=["no JSON", "lists", "objects", "no UTF-8", "NaN", "HTTP", "long line", "sizes", "negative",
         "far too large"],
)  # fmt: skip
def test_what_cannot_be_read_is_answered_and_the_connection_closed(
    peer: Peer, said: bytes, code: Code
) -> None:
    """Nobody can tell where the next message begins."""
    peer.say(said)
    answer = peer.hear()
    assert (answer["id"], answer["error"]["code"]) == (None, code)
    assert answer["error"]["message"]
    assert peer.hears_the_end()


S3 = '{"jsonrpc":"2.0","id":1,"method":"s3.'


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            b'{"jsonrpc":"2.0","id":1,"method":"x.y"}\n',
            Code.METHOD_NOT_FOUND,
            "there is no service 'x'",
        ),
        (f'{S3}nothing"}}\n', Code.METHOD_NOT_FOUND, "lists what s3 has"),
        (f'{S3}get_object","params":{{"Bucket":"bbb"}}}}\n', Code.INVALID_PARAMS, "Key is missing"),
        (f'{S3}list_buckets","params":{{"Kee":1}}}}\n', Code.INVALID_PARAMS, "Kee is unknown"),
        (
            f'{S3}get_object","params":{{"Bucket":7,"Key":"k"}}}}\n',
            Code.INVALID_PARAMS,
            "Bucket has to be a text, not a number",
        ),
        (f'{S3}list_buckets","params":[]}}\n', Code.INVALID_PARAMS, "by name"),
        (f'{S3}list_buckets","timeout":1}}\n', Code.INVALID_REQUEST, "unknown option 'timeout'"),
        (f'{S3}list_buckets","timeout_s":-1}}\n', Code.INVALID_PARAMS, "timeout_s"),
        (f'{S3}list_buckets","profile":"no"}}\n', Code.INVALID_PARAMS, "no profile 'no'"),
        (b'{"id":1,"method":"x.y"}\n', Code.INVALID_REQUEST, "jsonrpc"),
        (b"[]\n", Code.INVALID_REQUEST, "a batch has 1 to 100 requests"),
        (f'{S3}list_buckets","fds":1}}\n', Code.INVALID_REQUEST, "0 came with the line"),
        (f'{S3}list_buckets","streams":"1"}}\n', Code.INVALID_REQUEST, "streams is a list"),
        (f'{S3}list_buckets","priority":11}}\n', Code.INVALID_PARAMS, "priority"),
        (f'{S3}list_buckets","traceparent":"00-0-0-0"}}\n', Code.INVALID_PARAMS, "traceparent"),
        (
            f'{S3}put_object","bytes":[{INLINE_BYTES + 1}]}}\n'.encode()
            + b"x" * (INLINE_BYTES + 1),
            Code.BODY_TOO_LARGE,
            f"at most {INLINE_BYTES}",
        ),
    ],
)
def test_what_is_refused_is_answered_and_the_connection_goes_on(
    peer: Peer, upstream: HttpServer, said: bytes | str, code: Code, words: str
) -> None:
    """Its own clear error, its bytes drained, and the next request is done. Nothing was sent."""
    before = {request.target for request in upstream.requests}
    peer.say(said.encode() if isinstance(said, str) else said)
    answer = peer.hear()
    assert answer["error"]["code"] == code
    assert words in answer["error"]["message"]
    peer.say(PING)
    assert peer.hear()["id"] == "ping"
    assert {request.target for request in upstream.requests} <= before | {"/"}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b'{"jsonrpc":"2.0","id":1,"method":"s3.list_bu',
        S3.encode() + b'put_object","params":{"Bucket":"b"},"bytes":[5]}\nhel',
    ],
    ids=["nothing", "half a line", "half a body"],
)
def test_hanging_up_in_the_middle(peer: Peer, upstream: HttpServer, said: bytes) -> None:
    """What did not come whole is not done."""
    peer.say(said)
    peer.close()
    assert all(request.method == "GET" for request in upstream.requests)


def test_half_a_line_and_then_no_more(peer: Peer) -> None:
    """An unterminated last line is a line: half of one is no JSON, and is answered as that."""
    peer.say(b'{"jsonrpc":"2.0","id":1,"method":"s3.list_bu')
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.hear()["error"]["code"] == Code.PARSE_ERROR
    assert peer.hears_the_end()


def test_a_body_shorter_than_announced_is_never_a_job(peer: Peer, upstream: HttpServer) -> None:
    """The rest does not come: it is said, and nothing was sent."""
    params = '"params":{"Bucket":"short","Key":"k","Body":{"$bytes":0}}'
    peer.say(f'{S3}put_object",{params},"bytes":[5]}}\nhel'.encode())
    peer.sock.shutdown(socket.SHUT_WR)
    answer = peer.hear()
    assert (answer["id"], answer["error"]["code"]) == (1, Code.BODY_CUT_SHORT)
    assert peer.hears_the_end()
    assert not upstream.copies("/short/k")


def test_the_same_body_whole_is_a_job(peer: Peer, upstream: HttpServer) -> None:
    """So that the test before could fail: with its last two bytes the job is done."""
    params = '"params":{"Bucket":"whole","Key":"k","Body":{"$bytes":0}}'
    peer.say(f'{S3}put_object",{params},"bytes":[5]}}\nhello'.encode())
    assert "result" in peer.hear()
    (seen,) = [request for request in upstream.requests if request.target == "/whole/k"]
    assert seen.body == b"hello"
