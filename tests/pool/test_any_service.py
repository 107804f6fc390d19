"""Requests to any service: sent to the byte as they were made, and signed as botocore does."""

import datetime as dt
import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from botod.pool import HeldKeys, Pool, spawn
from botod.pool.any_service import AnyServiceConnection, ExactV4, canonical_query, normal_path
from botod.pool.signing import CONTENT_SHA256
from support.http_server import HttpServer, always_ok, http_server
from support.loops import run
from support.pools import KEYS, open_pool

from boto.connection import HTTPRequest

SCOPE = ("eu-central-1", "a-name.none-has")

PARTS = ["a", "B-1_~", "%20", "%2F", "%C3%BC", "x:y", "a.b"]
paths = st.lists(st.sampled_from([*PARTS, ""]), max_size=5).map(lambda parts: "/" + "/".join(parts))
pairs = st.tuples(st.sampled_from(["a", "b", "A", "x-y"]), st.sampled_from(["", "1", "%20", "z"]))
queries = st.lists(pairs, max_size=4).map(lambda two: "&".join("=".join(one) for one in two))
headers = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "Content-Type", "accept", "User-Agent", "x-b", "Expect"]),
    st.sampled_from(["a", "text/x; charset=y", "a,b"]),
)


def handler(*, is_single: bool) -> ExactV4:
    """boto's auth handler in its exact form, for a server on loopback."""
    made: Any = object.__new__(ExactV4)
    made.__dict__.update(
        _provider=SimpleNamespace(
            access_key=KEYS[0], secret_key=KEYS[1], security_token="a-token"
        ),
        host="h.test", region_name=SCOPE[0], service_name=SCOPE[1], is_single=is_single,
    )  # fmt: skip
    signer: ExactV4 = made
    return signer


@pytest.mark.parametrize("is_single", [False, True])
@given(path=paths, query=queries, extra=headers, body=st.binary(max_size=20))
@settings(deadline=None)
def test_signatures_are_botocore_s(
    is_single: bool, path: str, query: str, extra: dict[str, str], body: bytes
) -> None:
    """Whatever is in path, query and headers; twice the same, as a retry signs again."""
    target = f"{path}?{query}" if query else path
    request = HTTPRequest(
        "POST", "http", "h.test", 80, target, target, {}, {**extra, "Host": "h.test"}, body
    )
    for _ in range(2):
        handler(is_single=is_single).add_auth(request)
    theirs = AWSRequest("POST", f"http://h.test{target}", dict(extra), body)
    if is_single:
        theirs.headers[CONTENT_SHA256] = hashlib.sha256(body).hexdigest()
    at = dt.datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    theirs.context["timestamp"] = request.headers["X-Amz-Date"]
    theirs.headers["X-Amz-Date"] = request.headers["X-Amz-Date"]
    theirs.headers["X-Amz-Security-Token"] = "a-token"
    kind = S3SigV4Auth if is_single else SigV4Auth
    signer = kind(Credentials(KEYS[0], KEYS[1], "a-token"), SCOPE[1], SCOPE[0])
    canonical = signer.canonical_request(theirs)
    expected = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    assert request.headers["Authorization"].endswith(expected), (at, canonical)


def connection(pool: Pool, server: HttpServer, **options: Any) -> AnyServiceConnection:
    """To a server on loopback."""
    return AnyServiceConnection(
        pool=pool, keys=HeldKeys(*KEYS), host="127.0.0.1", port=server.port, is_secure=False,
        region=SCOPE[0], signing_name=SCOPE[1], **options,
    )  # fmt: skip


def test_a_request_arrives_as_it_was_put_together() -> None:
    """Path and query to the byte, each header, the body; the scope of its signature is ours."""
    target = "/a//b/%2F../c;x?b=2&a&a=1&b=%20"

    async def scenario() -> None:
        with http_server(always_ok) as server:
            async with open_pool() as pool:
                one = connection(pool, server)
                given = {"X-Amz-Target": "T.Op", "Content-Type": "x/y; z"}
                response = await spawn(one.carry, "PATCH", target, given, b"body")
                assert response.status == 200
                await spawn(response.read)
                assert given == {"X-Amz-Target": "T.Op", "Content-Type": "x/y; z"}
            (request,) = server.requests
        assert (request.method, request.target, request.body) == ("PATCH", target, b"body")
        assert request.headers["x-amz-target"] == "T.Op"
        assert request.headers["content-type"] == "x/y; z"
        assert request.headers["host"] == f"127.0.0.1:{server.port}"
        assert "/eu-central-1/a-name.none-has/aws4_request" in request.headers["authorization"]

    run(scenario)


def test_retries_are_signed_anew() -> None:
    """boto's loop makes them; each has one signature, not one within the other."""

    def answer(exchange: Any) -> None:
        exchange.ok(status="503 Slow Down" if exchange.number == 1 else "200 OK")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                one = connection(pool, server)
                one.num_retries = 1
                response = await spawn(one.carry, "GET", "/x", {}, b"")
                assert response.status == 200
                await spawn(response.read)
            first, second = server.requests
        for request in (first, second):
            assert request.head.count(b"Authorization:") == 1

    run(scenario)


@pytest.mark.parametrize(
    ("query", "canonical"),
    [("", ""), ("b&a=2&a=1&A", "A=&a=1&a=2&b="), ("a=b=c", "a=b=c"), ("uploads", "uploads=")],
)
def test_queries_are_signed_in_order(query: str, canonical: str) -> None:
    """By name, then by value; a name alone is signed with an empty one."""
    assert canonical_query(query) == canonical


@pytest.mark.parametrize(
    ("path", "normal"), [("/", "/"), ("//a///b/", "/a/b/"), ("", "/"), ("/a", "/a"), ("//", "/")]
)
def test_paths_are_signed_without_empty_parts(path: str, normal: str) -> None:
    """As the services read them."""
    assert normal_path(path) == normal
