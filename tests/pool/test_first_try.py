"""A request that boto's loop would not repeat does not go through it; nobody can tell but by time.

Each script is played twice, to a connection that carries its first try itself and to one that has
boto's own loop, and everything that shows outside is compared.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botod.pool import HeldKeys, Pool, Terms, on_terms, pooled, spawn
from botod.pool.errors import PoolError
from support.http_server import Exchange, http_server
from support.loops import run
from support.pools import KEYS, open_pool

import boto.connection
from boto.connection import AWSAuthConnection
from boto.exception import BotoServerError
from boto.regioninfo import RegionInfo
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from boto.sqs.connection import SQSConnection

STATUSES = ("200 OK", "204 No Content", "301 Moved", "400 Bad Request", "403 Forbidden",
            "404 Not Found", "500 Error", "502 Bad", "503 Slow Down", "504 Late",
            "505 Too New")  # fmt: skip

ANSWERS = (*STATUSES, "307 Elsewhere", "cut", "reset", "no HTTP")


class Seen(NamedTuple):
    """What can be seen of one job from outside."""

    outcome: tuple[object, ...]
    copies: list[tuple[str, str, bytes, list[str]]]
    hooked: list[tuple[object, ...]]
    slept_s: list[float]
    attempts_num: int


class Server:
    """Gives the answers of a script, then always the same."""

    def __init__(self, script: Iterable[str]) -> None:
        self._script = iter(script)

    def __call__(self, exchange: Exchange) -> None:
        answer = next(self._script, "200 OK")
        if answer in {"cut", "reset"}:
            getattr(exchange, answer)()
        elif answer == "no HTTP":
            exchange.send(b"this is no answer\r\n\r\n")
            exchange.cut()
        elif answer == "307 Elsewhere":
            exchange.ok(b"", "Location: " + f"http://{exchange.headers['host']}/moved",
                        status=answer)  # fmt: skip
        elif answer == "204 No Content":
            exchange.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            exchange.cut()
        else:
            exchange.ok(answer.encode(), status=answer)


class Hook:
    """boto's hook for requests."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def handle_request_data(self, request: Any, response: Any, error: bool = False) -> None:
        status = None if response is None else response.status
        self.told.append((request.method, sorted(request.headers), status, error))
        assert request.start_time is not None, "boto's hooks tell how long it took"


class Time:
    """boto's clock, whose sleeps are only noted."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


def connected(kind: str, pool: Pool, port: int, *, loops: bool) -> Any:
    """A connection of boto's over the pool; loops: with boto's own loop for every request."""
    base = pooled(SQSConnection if kind == "POST" else S3Connection)
    whom: dict[str, Any] = {
        "pool": pool, "keys": HeldKeys(*KEYS), "port": port, "is_secure": False,
    }  # fmt: skip
    if kind == "POST":
        whom["region"] = RegionInfo(name="us-east-1", endpoint="127.0.0.1")
    else:
        whom |= {"host": "127.0.0.1", "calling_format": OrdinaryCallingFormat()}
    if loops:
        base = type("Loops", (base,), {"_mexe": AWSAuthConnection._mexe})
    return base(**whom)


def ask(connection: Any, method: str) -> tuple[object, ...]:
    """One job, and how it ended."""
    try:
        if method == "POST":
            answer = connection.make_request("SendMessage", {"MessageBody": "m"}, "/q", method)
        else:
            data = b"data" if method == "PUT" else ""
            answer = connection.make_request(method, "bucket", "k", data=data)
        return answer.status, answer.reason, answer.read(), answer.chunked
    except (BotoServerError, OSError, PoolError) as error:
        return type(error), str(error), getattr(error, "body", None)


def played(method: str, script: list[str], *, retries: int, idempotent: bool, loops: bool) -> Seen:
    """What is seen when `script` is what the server answers."""
    seen: list[Seen] = []

    async def scenario() -> None:
        with http_server(Server(script)) as server:
            async with open_pool() as pool:
                connection = connected(method, pool, server.port, loops=loops)
                connection.num_retries = retries
                hook, clock = Hook(), Time()
                connection.set_request_hook(hook)
                with (
                    pytest.MonkeyPatch.context() as patch,
                    on_terms(Terms(idempotent=idempotent)) as terms,
                ):
                    patch.setattr(boto.connection, "time", clock)
                    patch.setattr(boto.connection.random, "random", lambda: 0.5)
                    outcome = await spawn(ask, connection, method)
        at = str(server.port)
        seen.append(
            Seen(
                tuple(
                    part.replace(at, "PORT") if isinstance(part, str) else part for part in outcome
                ),
                [
                    (
                        one.method,
                        one.target,
                        one.body.partition(b"&Timestamp")[0],
                        sorted(one.headers),
                    )
                    for one in server.requests
                ],
                hook.told,
                clock.slept_s,
                terms.attempts_num,
            )
        )

    run(scenario)
    return seen[0]


@settings(max_examples=100, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]),
    script=st.lists(st.sampled_from(ANSWERS), max_size=4),
    retries=st.integers(0, 3),
    idempotent=st.booleans(),
)
def test_it_is_as_with_boto_s_own_loop(
    method: str, script: list[str], retries: int, idempotent: bool
) -> None:
    """Whatever comes of the tries: result or error, copies, sleeps and what boto's hook is told."""
    ways = [
        played(method, script, retries=retries, idempotent=idempotent, loops=loops)
        for loops in (False, True)
    ]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_first_answer(answer: str) -> None:
    """One by one, as a chance selection may leave one out; here with one try more."""
    ways = [
        played("GET", [answer], retries=1, idempotent=True, loops=loops) for loops in (False, True)
    ]
    assert ways[0] == ways[1]
