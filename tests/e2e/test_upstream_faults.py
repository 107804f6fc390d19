"""A daemon whose server misbehaves under load, and then no more: nothing of it stays."""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from botod.ipc import Code, RpcError
from support.certificates import new_authority
from support.daemons import Daemon, endpoints, running_daemon, short_folder
from support.figures import survives
from support.http_server import Answer, Exchange, http_server
from support.sqs_server import SqsServer

PEERS = 16
JOBS = 6
TIMEOUT_S = 0.5
"""Of each job while the fault lasts."""

PROMPT_S = 10.0
"""Until a job is answered that has TIMEOUT_S, on a machine that does other things as well."""

BACK_S = 20.0
"""Until a job succeeds again: a host that rests is tried again within some seconds."""

ON_KEY = {"Bucket": "bucket", "Key": "key"}
BODY = b"a body of some length" * 100

SETTINGS = {"pool": {"connect_timeout_s": 0.3, "slots_per_host": 8}}
"""Fewer slots than peers, so that there are always some that wait for one."""


take_messages = SqsServer()


def fine(exchange: Exchange) -> None:
    """What the server answers when there is no fault."""
    if exchange.method == "POST":
        take_messages(exchange)
    else:
        exchange.ok(BODY, 'ETag: "e"')


class Server:
    """Answers as it should, or, while `fault` is set, as that does."""

    def __init__(self) -> None:
        self.fault: Answer | None = None
        self.over = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        (self.fault or fine)(exchange)

    @contextlib.contextmanager
    def with_fault(self, fault: Answer) -> Iterator[None]:
        """Answer so for the length of a block."""
        self.fault = fault
        self.over.clear()
        try:
            yield
        finally:
            self.fault = None
            self.over.set()

    def say_nothing(self, _exchange: Exchange) -> None:
        """Read the request, and be silent until the fault is over."""
        self.over.wait(PROMPT_S)

    def half_close(self, exchange: Exchange) -> None:
        """Send no more, and go on reading."""
        exchange.sock.shutdown(socket.SHUT_WR)
        self.over.wait(PROMPT_S)


def half_a_head(exchange: Exchange) -> None:
    """Break off in the headers."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.cut()


def half_a_body(exchange: Exchange) -> None:
    """Break off in the body."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<half")
    exchange.reset()


def half_close_when_idle(exchange: Exchange) -> None:
    """Answer, and then send no more."""
    fine(exchange)
    exchange.sock.shutdown(socket.SHUT_WR)


def too_busy(exchange: Exchange) -> None:
    """What S3 says when it is asked too often."""
    exchange.ok(
        b"<Error><Code>SlowDown</Code><Message>less</Message></Error>", status="503 Slow Down"
    )


def get(daemon: Daemon) -> None:
    """A job as it should be."""
    with daemon.connect() as connection:
        assert connection.call("s3.get_object", ON_KEY, timeout_s=PROMPT_S)["Body"] == BODY


def outcomes(daemon: Daemon) -> Counter[str]:
    """What a crowd is answered, each in time: "done", or the kind of the error."""
    with ThreadPoolExecutor(PEERS) as threads:
        found = threads.map(lambda number: list(_outcomes(daemon, number)), range(PEERS))
        return Counter(word for words in found for word in words)


def _outcomes(daemon: Daemon, number: int) -> Iterator[str]:
    jobs: list[tuple[str, dict[str, Any]]] = [
        ("s3.get_object", ON_KEY),
        ("s3.put_object", ON_KEY | {"Body": BODY}),
        ("sqs.send_message", {"QueueUrl": "http://h/1/q", "MessageBody": str(number)}),
    ]
    with daemon.connect() as connection:
        for method, params in jobs * (JOBS // len(jobs)):
            began = time.monotonic()
            try:
                result = connection.call(method, params, timeout_s=TIMEOUT_S)
            except RpcError as error:
                yield Code(error.code).name
            else:
                assert result.get("Body", BODY) == BODY
                yield "done"
            assert time.monotonic() - began < PROMPT_S


BROKEN = {"OUTCOME_UNKNOWN", "UNREACHABLE", "DEADLINE_EXCEEDED"}
SLOW = {"OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED", "OVERLOADED"}
"""OVERLOADED: with slots that are held by silent requests, more jobs than may come to none."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        pytest.param(lambda _server: Exchange.reset, BROKEN, id="reset"),
        pytest.param(lambda _server: Exchange.cut, BROKEN, id="cut"),
        pytest.param(lambda _server: half_a_head, BROKEN, id="half a head"),
        pytest.param(lambda _server: half_a_body, BROKEN | {"done"}, id="half a body"),
        pytest.param(lambda server: server.half_close, BROKEN, id="half-close"),
        pytest.param(lambda server: server.say_nothing, SLOW, id="silence"),
        pytest.param(lambda _server: half_close_when_idle, {"done"}, id="half-close when idle"),
        pytest.param(lambda _server: too_busy, {"SERVICE_ERROR", *SLOW}, id="503 storm"),
    ],
)
def test_a_server_that_misbehaves(fault: Callable[[Server], Answer], kinds: set[str]) -> None:
    """Each job ends in time, with the error that says what is known; then all is as before."""
    server = Server()
    with (
        http_server(server) as upstream,
        running_daemon(endpoints(upstream.port) | SETTINGS) as daemon,
        survives(daemon, lambda: get(daemon), within_s=BACK_S),
        server.with_fault(fault(server)),
    ):
        found = outcomes(daemon)
        assert found.total() == PEERS * JOBS
        assert found.keys() <= kinds, found


@contextlib.contextmanager
def black_hole(port: int) -> Iterator[None]:
    """A port where the kernel drops what comes: its backlog is full, and nobody accepts."""
    with socket.create_server(("127.0.0.1", port), backlog=0), contextlib.ExitStack() as fillers:
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield


@pytest.mark.long
def test_a_server_that_takes_no_connections() -> None:
    """What is sent to it is lost on the way, as behind a firewall that drops; then it is back."""
    with contextlib.ExitStack() as serving:
        port = serving.enter_context(http_server(fine)).port
        with (
            running_daemon(endpoints(port) | SETTINGS) as daemon,
            survives(daemon, lambda: get(daemon), within_s=BACK_S),
        ):
            serving.close()
            with black_hole(port):
                found = outcomes(daemon)
            assert found.keys() <= {"UNREACHABLE", "DEADLINE_EXCEEDED"}, found
            serving.enter_context(http_server(fine, port=port))


@pytest.mark.long
def test_a_server_that_is_slow_to_greet() -> None:
    """Connections come about, and then no TLS: nothing was sent, and nothing is held for long."""
    greeting = threading.Event()
    greeting.set()

    def greet(_sock: socket.socket, _number: int) -> bool:
        return greeting.wait(PROMPT_S)

    with short_folder() as folder:
        authority = new_authority(folder)
        tls = authority.server_context("127.0.0.1")
        with http_server(fine, tls=tls, on_connect=greet) as upstream:
            url = f"https://127.0.0.1:{upstream.port}"
            config: dict[str, Any] = {
                "profile": {"default": {"endpoints": {"s3": url, "sqs": url}}},
                "pool": SETTINGS["pool"] | {"ca_file": authority.ca_file},
            }
            with (
                running_daemon(config) as daemon,
                survives(daemon, lambda: get(daemon), within_s=BACK_S),
            ):
                greeting.clear()
                upstream.hang_up()
                found = outcomes(daemon)
                greeting.set()
                assert found.keys() <= {"UNREACHABLE", "DEADLINE_EXCEEDED"}, found
