"""A server that is down, slow, broken or somebody else: each a clear error, in time.

Nothing is lost: at the end of each test open_worker counts slots, transfers, greenlets and
descriptors from outside.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botod.daemon import retries
from botod.ipc import Code, RpcError
from support.certificates import new_authority
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run
from support.workers import Jobs, open_worker

QUEUE = {"QueueUrl": "https://elsewhere.test/1/q"}
SEND = ("sqs.send_message", QUEUE | {"MessageBody": "m"})
GET = ("s3.get_object", {"Bucket": "bucket", "Key": "k"})


@pytest.fixture(autouse=True)
def short_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are a hundredth of their bound."""
    monkeypatch.setattr(retries, "random", lambda: 0.01)


async def error_of(jobs: Jobs, job: tuple[str, dict[str, Any]], **options: Any) -> RpcError:
    """The error that a job ends with."""
    method, params = job
    with pytest.raises(RpcError) as caught:
        await jobs.do(method, **options, **params)
    return caught.value


def all_at(port: int, scheme: str = "http") -> dict[str, str]:
    """Every service at one server on loopback."""
    return dict.fromkeys(("s3", "sqs", "sdb"), f"{scheme}://127.0.0.1:{port}")


def named(error: RpcError, service: str, port: int, attempts: int) -> None:
    """Assert that an error names service, host and attempts, to a person and to a program."""
    assert error.data["service"] == service
    assert error.data["host"] == f"127.0.0.1:{port}"
    assert error.data["attempts"] == attempts
    if error.code != Code.SERVICE_ERROR:
        tries = "1 attempt:" if attempts == 1 else f"{attempts} attempts:"
        assert f"{service}." in error.message
        assert f"on 127.0.0.1:{port}, {tries}" in error.message


@pytest.mark.parametrize(("job", "service"), [(SEND, "sqs"), (GET, "s3")])
def test_down(job: Any, service: str) -> None:
    """Nobody listens: all tries are made, since nothing was sent, and said."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        async with open_worker(all_at(port), retries=2, slots=1) as jobs:
            error = await error_of(jobs, job)
            assert (error.code, error.data["retryable"]) == (Code.UNREACHABLE, True)
            assert not error.data["outcome_unknown"]
            named(error, service, port, attempts=3)

    run(scenario)


@pytest.mark.parametrize(
    ("job", "service", "code"),
    [(SEND, "sqs", Code.OUTCOME_UNKNOWN), (GET, "s3", Code.DEADLINE_EXCEEDED)],
)
def test_slow(job: Any, service: str, code: Code) -> None:
    """No answer by the deadline: a message may have been sent, an object may be asked for again."""
    release = threading.Event()

    async def scenario() -> None:
        with http_server(lambda _exchange: release.wait(BOUND_S) and None) as server:
            async with open_worker(all_at(server.port), slots=1) as jobs:
                error = await error_of(jobs, job, timeout_s=0.3)
                release.set()
                assert error.code == code
                assert error.data["outcome_unknown"] == (code is Code.OUTCOME_UNKNOWN)
                named(error, service, server.port, attempts=1)

    run(scenario)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down"])
@pytest.mark.parametrize(("job", "service"), [(SEND, "sqs"), (GET, "s3")])
def test_errors_of_the_server(job: Any, service: str, status: str) -> None:
    """A 5xx is an answer, and the last one is the error.

    A message goes out again only after a 503, by which it was refused.
    """
    attempts = 1 if job is SEND and status.startswith("500") else 3

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(b"busy", status=status)) as server:
            async with open_worker(all_at(server.port), retries=2, slots=1) as jobs:
                error = await error_of(jobs, job)
                assert error.code == Code.SERVICE_ERROR
                assert error.data["http_status"] == int(status[:3])
                assert error.data["retryable"] is (attempts > 1)
                named(error, service, server.port, attempts=attempts)
        assert len(server.requests) == attempts

    run(scenario)


def half_a_body(exchange: Exchange) -> None:
    """Announce more than is sent."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<half")
    exchange.cut()


def half_a_head(exchange: Exchange) -> None:
    """Break off in the headers."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.cut()


@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "reused connection"])
@pytest.mark.parametrize(
    "fault",
    [Exchange.cut, Exchange.reset, half_a_head, half_a_body],
    ids=["cut", "reset", "half a head", "half a body"],
)
def test_broken_off_after_the_request(fault: Callable[[Exchange], None], warm: bool) -> None:
    """A message arrives once and its outcome is unknown; what may be repeated is, and counted."""

    def answer(exchange: Exchange) -> None:
        if exchange.method == "HEAD":
            exchange.ok()
        else:
            fault(exchange)

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_worker(all_at(server.port), retries=2, slots=1) as jobs:
                if warm:
                    await jobs.do("s3.head_bucket", Bucket="bucket")
                error = await error_of(jobs, SEND)
                assert error.code == Code.OUTCOME_UNKNOWN
                assert (error.data["outcome_unknown"], error.data["retryable"]) == (True, False)
                named(error, "sqs", server.port, attempts=1)
                assert server.copies("/1/q") == 1
                error = await error_of(jobs, GET)
                assert (error.code, error.data["retryable"]) == (Code.UNREACHABLE, True)
                named(error, "s3", server.port, attempts=3)
                assert server.copies("/bucket/k") == 3

    run(scenario)


def test_broken_off_during_the_request() -> None:
    """The server stops reading in the middle of a body: the outcome is unknown, or tried again."""

    def break_off(sock: socket.socket, _number: int) -> bool:
        sock.recv(1000)
        return False

    async def scenario() -> None:
        with http_server(on_connect=break_off) as server:
            async with open_worker(all_at(server.port), retries=1, slots=1) as jobs:
                put = {"Bucket": "bucket", "Key": "k", "Body": b"x" * 8_000_000}
                error = await error_of(jobs, ("s3.put_object", put))
                assert error.code == Code.UNREACHABLE
                named(error, "s3", server.port, attempts=2)
                error = await error_of(jobs, ("s3.put_object", put | {"IfNoneMatch": "*"}))
                assert error.code == Code.OUTCOME_UNKNOWN
                named(error, "s3", server.port, attempts=1)

    run(scenario)


def test_a_reused_connection_that_was_closed_before_the_request() -> None:
    """The server had left: nothing was sent on the old connection, and the job just works."""
    closed = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.ok(b"<SendMessageResponse/>")
        if exchange.method == "HEAD":
            exchange.cut()
            closed.set()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_worker(all_at(server.port), slots=1) as jobs:
                await jobs.do("s3.head_bucket", Bucket="bucket")
                assert await asyncio.to_thread(closed.wait, BOUND_S)
                await jobs.do(SEND[0], **SEND[1])
                assert server.copies("/1/q") == 1
        assert server.connections_total == 2

    run(scenario)


@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_a_wrong_certificate(wrong: str, tmp_path: Path) -> None:
    """Nothing is sent to a server that is not who it should be, and it is not tried again."""
    trusted = new_authority(tmp_path)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    context = (
        trusted.server_context("elsewhere.test")
        if wrong == "name"
        else new_authority(stranger).server_context("127.0.0.1")
    )

    async def scenario() -> None:
        with http_server(tls=context) as server:
            endpoints = all_at(server.port, "https")
            async with open_worker(endpoints, slots=1, ca_file=trusted.ca_file) as jobs:
                for job, service in ((SEND, "sqs"), (GET, "s3")):
                    error = await error_of(jobs, job)
                    assert error.code == Code.UNTRUSTED_SERVER
                    assert "certificate" in error.message
                    named(error, service, server.port, attempts=1)
        assert server.requests == []

    run(scenario)


@pytest.mark.parametrize(
    "body",
    [b"", b"<SendMessageResponse>", b"not XML", b"<html>a proxy's page</html>", b"\xff\xfe"],
)
def test_an_answer_that_is_not_the_service_s(body: bytes) -> None:
    """A 200 with something else in it: what came is said not to be an answer."""

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(body)) as server:
            async with open_worker(all_at(server.port), slots=1) as jobs:
                error = await error_of(jobs, SEND)
                assert error.code == Code.BAD_ANSWER
                named(error, "sqs", server.port, attempts=1)

    run(scenario)


def test_others_are_served_while_one_server_is_in_trouble() -> None:
    """503 twice, then 200, delays only its own job: shown by the order of events."""
    events: list[str] = []
    others_done = threading.Event()

    def troubled(exchange: Exchange) -> None:
        events.append("troubled server asked")
        if len(server_of_troubled.requests) <= 2:
            exchange.ok(b"", status="503 Slow Down")
            return
        assert others_done.wait(BOUND_S), "the other jobs waited for the troubled one"
        exchange.ok(b"<SendMessageResponse/>")

    async def scenario(port: int) -> None:
        with http_server(lambda exchange: exchange.ok(b"<ListAllMyBucketsResult/>")) as good:
            endpoints = {
                "sqs": f"http://127.0.0.1:{port}",
                "s3": f"http://127.0.0.1:{good.port}",
            }
            async with open_worker(endpoints, retries=3, slots=1) as jobs:
                slow = asyncio.ensure_future(jobs.do(SEND[0], **SEND[1]))
                for _ in range(50):
                    await jobs.do("s3.list_buckets")
                events.append("fifty others done")
                assert not slow.done()
                others_done.set()
                await slow
                events.append("its own job done")

    with http_server(troubled) as server_of_troubled:
        run(lambda: scenario(server_of_troubled.port))
    assert events.count("troubled server asked") == 3
    assert events.index("fifty others done") < events.index("its own job done")
