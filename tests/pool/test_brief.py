"""boto's debug lines cost nothing unless somebody reads them."""

import logging

import pytest

from botod.pool import spawn
from botod.pool.brief import UNSAID
from support.http_server import Exchange, http_server
from support.loops import run
from support.pools import KEYS, open_pool, s3_connection, sqs_connection
from support.signatures import is_signed

import boto.connection

DATA = bytes(range(256))


def troubled_at_first(exchange: Exchange) -> None:
    """The first try of each request is one that boto's loop repeats, and writes lines about."""
    exchange.ok(status="503 Slow Down" if exchange.number % 2 else "200 OK")


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_what_is_not_read_is_not_written(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Body, headers and parameters reach the server as given; the lines have them on request."""
    monkeypatch.setattr(boto.connection.random, "random", lambda: 0.001)
    lines: list[str] = []
    monkeypatch.setattr(boto.log, "debug", lambda line, *_args: lines.append(line))
    monkeypatch.setattr(boto.log, "level", level)
    boto.log.manager._clear_cache()

    async def scenario() -> None:
        with http_server(troubled_at_first) as server:
            async with open_pool() as pool:
                s3, sqs = s3_connection(pool, server.port), sqs_connection(pool, server.port)
                headers = {"X-Mine": "hidden"}
                await spawn(s3.make_request, "PUT", "b", "k", headers=headers, data=DATA)
                await spawn(
                    sqs.make_request, "SendMessage", {"MessageBody": "hidden"}, "/q", "POST"
                )
        put, sent = server.requests[1::2]
        assert (put.body, put.headers["x-mine"]) == (DATA, "hidden")
        assert is_signed(put, KEYS[1], scope="us-east-1/s3")
        assert b"MessageBody=hidden" in sent.body

    try:
        run(scenario)
    finally:
        boto.log.manager._clear_cache()
    assert "Data: 256 bytes" in lines
    said = [line for line in lines if "hidden" in line]
    assert bool(said) == (level == logging.DEBUG)
    assert (f"Response headers: {UNSAID}" in lines) == (level == logging.INFO)
