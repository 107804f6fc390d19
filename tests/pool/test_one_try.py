"""A connection whose owner has a retry loop of his own: boto's does nothing."""

from typing import Any

import pytest

from botod.pool import NotSent, OutcomeUnknown, Terms, on_terms, spawn
from botod.pool.terms import Hints
from support.http_server import Exchange, http_server
from support.loops import run
from support.pools import open_pool, s3_connection

import boto.connection


def get(connection: Any, **options: Any) -> tuple[int, bytes]:
    """One request, as S3 operations make it."""
    response = connection.make_request("GET", "bucket", "key", **options)
    return response.status, response.read()


def never(_seconds: float) -> None:
    """Instead of a sleep."""
    raise AssertionError("boto's loop slept")


@pytest.fixture(autouse=True)
def _nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto.connection.time, "sleep", never, raising=False)


def test_an_error_is_handed_on_after_one_try() -> None:
    """Status, body and hints, whoever sends it; nothing sleeps and nothing is sent again."""

    def answer(exchange: Exchange) -> None:
        exchange.ok(b"busy", "Retry-After: 7", "Date: soon", status="503 Slow Down")

    def send(connection: Any, method: str, path: str, body: Any, headers: Any) -> Any:
        connection.request(method, path, body, headers)
        return connection.getresponse()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                connection = s3_connection(pool, server.port)
                connection.retries_itself = False
                with on_terms(Terms()) as terms:
                    assert await spawn(get, connection) == (503, b"busy")
                    assert await spawn(get, connection, sender=send) == (503, b"busy")
                assert terms.hints == Hints(date="soon", retry_after="7")
                assert terms.attempts_num == len(server.requests) == 2

    run(scenario)


def test_a_failure_is_raised_after_one_try() -> None:
    """As what it is: nothing sent, or nobody knows."""

    async def scenario() -> None:
        with http_server(Exchange.reset) as server:
            async with open_pool() as pool:
                connection = s3_connection(pool, server.port)
                connection.retries_itself = False
                with pytest.raises(OutcomeUnknown):
                    await spawn(get, connection)
                assert len(server.requests) == 1
        async with open_pool() as pool:
            connection = s3_connection(pool, server.port)
            connection.retries_itself = False
            with pytest.raises(NotSent):
                await spawn(get, connection)

    run(scenario)


@pytest.mark.parametrize("follows", [False, True])
def test_a_redirect_is_followed_if_its_owner_looks_where_it_leads(follows: bool) -> None:
    """boto signs anew for wherever that is, and sends the body there; else it is an answer."""

    def answer(exchange: Exchange) -> None:
        if exchange.target == "/bucket/key":
            there = f"Location: http://127.0.0.1:{server.port}/bucket/there"
            exchange.ok(b"", there, status="307 Temporary Redirect")
        else:
            exchange.ok(b"fine")

    async def scenario() -> None:
        async with open_pool() as pool:
            connection = s3_connection(pool, server.port)
            connection.retries_itself = False
            connection.follows_redirects = follows
            status, _body = await spawn(get, connection)
            assert (status, len(server.requests)) == ((200, 2) if follows else (307, 1))

    with http_server(answer) as server:
        run(scenario)
