"""Signatures: byte for byte those of boto, whatever is signed, and never with an old key."""

import asyncio
import contextlib
import copy
import datetime as dt
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botod.pool import HeldKeys, pooled, spawn
from botod.pool.bodies import OFFLOAD_BYTES
from botod.pool.signing import faster
from botod.pool.terms import Terms, on_terms
from support.http_server import http_server
from support.loops import run
from support.pools import KEYS, open_pool, s3_connection, sqs_connection

import boto
import boto.auth
import boto.connection
import boto.utils
from boto.auth_handler import AuthHandler
from boto.connection import HTTPRequest
from boto.s3.connection import OrdinaryCallingFormat, S3Connection, SubdomainCallingFormat

NOW = dt.datetime(2024, 2, 9, 23, 59, 58)  # noqa: DTZ001 - as utcnow() gives it

HANDLERS = [
    boto.auth.HmacAuthV1Handler,
    boto.auth.HmacAuthV2Handler,
    boto.auth.HmacAuthV3Handler,
    boto.auth.HmacAuthV4Handler,
    boto.auth.S3HmacAuthV4Handler,
    boto.auth.QuerySignatureV2AuthHandler,
    boto.auth.POSTPathQSV2AuthHandler,
]
V4 = (boto.auth.HmacAuthV4Handler, boto.auth.S3HmacAuthV4Handler)

PIECES = ["/", "//", "a", "B-1_~", ".", "..", "/../", "/./", "%20", "%", "%2f", "%zz", "ü", " "]
PIECES += [";p=1", "#f", "\\", "+", ":", "[", "]", "\t", "&", "=", "@"]
paths = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: "/" + "".join(pieces))
QUERIES = ["", "?", "?acl", "?x=&x=2&x=3", "?list-type=2&prefix=a%2Fb&u=%C3%BC", "?a=b?c", "?a+b=%"]
QUERIES += ["?uploads&partNumber=7&versionId=%41", "?#x", "?a;b=1"]
values = st.text(max_size=12) | st.sampled_from(["", "a b", ' "a  b" ', "ü €", "~-_.", "+/=&"])
params = st.dictionaries(
    st.text(max_size=6) | st.sampled_from(["Action", "MessageBody", "Ü.1", "a-b", "a"]),
    values | st.integers() | st.booleans() | st.binary(max_size=6) | st.lists(st.text(max_size=3)),
    max_size=5,
)
NAMES = ["x-amz-meta-a", "x-amz-meta-a-b", "X-Amz-Meta-A", "x-amz-date", "Content-Type", "Date"]
NAMES += ["Content-MD5", "Expect", "Host", "host", "Authorization", "X-Amzn-Authorization"]
NAMES += ["Transfer-Encoding", "Content-Length", "x-amz-content-sha256", "_sha256", " x-amz-b "]
headers = st.dictionaries(
    st.sampled_from(NAMES),
    values | st.sampled_from([" in  the\tmiddle ", "chunked", "12"]) | st.binary(max_size=4),
    max_size=6,
)
HOSTS = ["s3.amazonaws.com", "s3-us-west-2.amazonaws.com", "bucket.s3.amazonaws.com", "localhost"]
HOSTS += ["b.s3-eu-west-1.amazonaws.com", "b.s3.cn-north-1.amazonaws.com.cn", "127.0.0.1"]
HOSTS += ["SQS.eu-central-1.amazonaws.com", "iam.us-gov.amazonaws.com", "host.test:8080", "::1"]
bodies = st.text(max_size=20) | st.binary(max_size=20) | st.binary(max_size=20).map(io.BytesIO)

requests = st.fixed_dictionaries({
    "method": st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "get"]),
    "protocol": st.sampled_from(["http", "https"]),
    "host": st.sampled_from(HOSTS),
    "port": st.sampled_from([80, 443, 8080]),
    "path": st.builds(str.__add__, paths, st.sampled_from(QUERIES)),
    "auth_path": st.none() | st.builds(str.__add__, paths, st.sampled_from(QUERIES)),
    "params": params,
    "headers": headers,
    "body": bodies,
})
keys = st.tuples(
    st.text(min_size=1, max_size=8),
    st.text(min_size=1, max_size=70),
    st.none() | st.text(max_size=8) | st.just("a/token+="),
)
datetimes = st.datetimes(min_value=dt.datetime(1970, 1, 1))  # noqa: DTZ001
overrides = st.none() | st.sampled_from(["", "us-east-1", "eu-west-1", "s3-eu-west-1"])


@contextmanager
def stopped_clock(now: dt.datetime = NOW) -> Iterator[None]:
    """Everything that boto.auth reads the time from, standing still."""
    with pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(utcnow=lambda: now)
        patch.setattr(boto.auth, "datetime", SimpleNamespace(datetime=clock))
        date = now.strftime("%a, %d %b %Y %X")
        patch.setattr(boto.auth, "formatdate", lambda *_at, **_options: date)
        patch.setattr(boto.utils, "get_ts", lambda *_at: now.strftime(boto.utils.ISO8601))
        yield


def request_of(fields: dict[str, Any]) -> HTTPRequest:
    """A fresh request; a body that is a file stands in its middle."""
    fields = fields | {"params": dict(fields["params"]), "headers": dict(fields["headers"])}
    if isinstance(fields["body"], io.BytesIO):
        fields["body"] = io.BytesIO(fields["body"].getvalue())
        fields["body"].seek(3)
        fields["headers"].setdefault("Content-Length", "9")
    return HTTPRequest(**fields)


def outcome(handler: Any, fields: dict[str, Any], *, times: int = 2) -> Any:
    """All that a request says after it was signed, and signed again for another try."""
    request = request_of(fields)
    try:
        for _ in range(times):
            request.authorize(SimpleNamespace(_auth_handler=handler))
    except Exception as error:  # noqa: BLE001 - boto's own blunders are part of its behaviour
        return type(error)
    seen = dict(vars(request))
    if isinstance(handler, boto.auth.S3HmacAuthV4Handler):
        for name in ("timestamp", "region_name", "service_name"):  # boto notes them on a copy
            seen.pop(name, None)
    is_file = isinstance(request.body, io.BytesIO)
    seen["body"] = (request.body.getvalue(), request.body.tell()) if is_file else request.body
    return seen | {name: list(seen[name].items()) for name in ("headers", "params")}


def handler_of(
    handler_class: type, held: HeldKeys, *, region: str | None = None, service: str | None = None
) -> Any:
    """A handler of boto's as a connection has it."""
    handler = handler_class("sqs.eu-west-1.amazonaws.com", boto.config, held)
    if handler_class in V4:
        handler.region_name, handler.service_name = region, service
    return handler


@pytest.mark.parametrize("handler_class", HANDLERS)
@given(fields=requests, key=keys, scope=st.tuples(overrides, overrides), now=datetimes)
@settings(max_examples=300, deadline=None)
def test_signs_as_boto_does(
    handler_class: type,
    fields: dict[str, Any],
    key: tuple[str, str, str | None],
    scope: tuple[str | None, str | None],
    now: dt.datetime,
) -> None:
    """The same headers in the same order, request line, params and body; or the same error."""
    stock = handler_of(handler_class, HeldKeys(*key), region=scope[0], service=scope[1])
    ours = faster(stock)
    assert type(ours) is not handler_class
    with stopped_clock(now):
        assert outcome(ours, fields) == outcome(stock, fields)


FIELDS = {
    "method": "POST",
    "protocol": "https",
    "host": "sqs.eu-west-1.amazonaws.com",
    "port": 443,
    "path": "/queue",
    "auth_path": None,
    "params": {"Action": "SendMessage"},
    "headers": {"x-amz-meta-a": "b"},
    "body": "",
}


@pytest.mark.parametrize("handler_class", HANDLERS)
def test_a_key_that_was_replaced_is_not_used(handler_class: type) -> None:
    """Between two requests the secret, the token, the day, region or service may change."""
    held = HeldKeys("access", "secret")
    ours = faster(handler_of(handler_class, held))
    changes: list[dict[str, Any]] = [
        {},
        {"key": ("access", "another", "token")},
        {"key": ("access", "secret", None)},
        {"now": NOW + dt.timedelta(seconds=2)},
        {"region": "eu-central-1"},
        {"service": "sns"},
        {},
    ]
    seen = []
    for change in changes:
        held.hold(*change.get("key", ("access", "secret", None)))
        region, service = change.get("region", "eu-west-1"), change.get("service")
        if handler_class in V4:
            ours.region_name, ours.service_name = region, service
        stock = handler_of(handler_class, held, region=region, service=service)
        with stopped_clock(change.get("now", NOW)):
            seen.append(outcome(ours, FIELDS))
            assert seen[-1] == outcome(stock, FIELDS)
    assert seen[0] == seen[2] == seen[-1] != seen[1]
    assert all(isinstance(each, dict) for each in seen), "boto cannot sign this at all"


@pytest.mark.parametrize("handler_class", [V4[0], V4[1], boto.auth.QuerySignatureV2AuthHandler])
def test_keys_that_change_while_a_body_is_hashed_do_not_mix(handler_class: type) -> None:
    """The loop may hold new keys then: a signature is all of the old or all of the new ones."""
    new = ("new-access", "new-secret", "new-token")
    old = ("old-access", "old-secret", "old-token")
    held = HeldKeys(*old)
    params = {"MessageBody": "x" * OFFLOAD_BYTES}
    is_query = handler_class is boto.auth.QuerySignatureV2AuthHandler
    fields = FIELDS | (
        {"params": params} if is_query else {"params": {}, "body": params.popitem()[1]}
    )
    host = "bucket.s3.amazonaws.com" if handler_class is V4[1] else FIELDS["host"]

    async def scenario() -> None:
        job = spawn(
            outcome, faster(handler_of(handler_class, held)), fields | {"host": host}, times=1
        )
        await asyncio.sleep(0)
        assert not job.done(), "the body was hashed on the loop"
        held.hold(*new)
        ours = await job
        used = HeldKeys(*(old if is_query else new))
        assert ours == outcome(handler_of(handler_class, used), fields | {"host": host}, times=1)

    with stopped_clock():
        run(scenario)


def test_a_given_hash_is_signed_as_it_is() -> None:
    """The body is not even looked at when x-amz-content-sha256 came with the request."""
    handler = faster(handler_of(V4[1], HeldKeys(*KEYS), region="us-east-1"))
    request = request_of(FIELDS | {"headers": {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}})
    request.body = None
    handler.add_auth(request)
    assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "Signature=" in request.headers["Authorization"]


@pytest.mark.parametrize("handler_class", V4)
def test_arguments_of_boto_s_own_classes_go_to_boto(handler_class: type) -> None:
    """boto's S3 class calls its parent with the request before it was mangled; so may others."""
    stock = handler_of(handler_class, HeldKeys(*KEYS), region="us-east-1")
    seen = []
    for handler in (stock, faster(stock)):
        request = request_of(FIELDS)
        other = request_of(FIELDS | {"params": {"a": "b"}})
        arguments = {"unmangled_req": other} if handler_class is V4[0] else {}
        with stopped_clock():
            handler.add_auth(request, **arguments)
        seen.append((request.headers, request.body, request.path))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("calling_format", [OrdinaryCallingFormat(), SubdomainCallingFormat()])
@pytest.mark.parametrize("capability", ["s3", "hmac-v4-s3"])
@pytest.mark.parametrize("token", [None, "a/token"])
@pytest.mark.parametrize("key", ["key", "a//b/../c ü%20?;#", ""])
def test_presigned_urls_are_boto_s(
    calling_format: Any, capability: str, token: str | None, key: str
) -> None:
    """generate_url, by either version of the signature."""

    class Stock(S3Connection):  # type: ignore[misc]
        def _required_auth_capability(self) -> list[str]:
            return [capability]

    options = {"host": "s3.eu-west-1.amazonaws.com", "calling_format": calling_format}
    stock = Stock("access", "secret", security_token=token, **options)
    ours = pooled(Stock)(pool=None, keys=HeldKeys("access", "secret", token), **options)
    # The pooled connection names its host without the port; that is not the signature's doing.
    stock.server_name = lambda port=None: ours.server_name(port)
    urls = []
    for connection in (stock, ours):
        with stopped_clock():
            urls.append(
                connection.generate_url(
                    2_000_000_000 if capability == "s3" else 600,
                    "GET",
                    "bucket",
                    key,
                    response_headers={"response-content-type": "a b/ü"},
                    expires_in_absolute=True,
                    version_id="v=1",
                )
            )
    assert urls[0] == urls[1]
    assert "Signature=" in urls[0]


@pytest.mark.parametrize("handler_class", HANDLERS)
def test_users_own_handlers_are_left_alone(handler_class: type) -> None:
    """A subclass may have changed anything; and boto itself still chooses its own classes."""

    class Own(handler_class):  # type: ignore[misc]
        """Somebody's."""

    own = handler_of(Own, HeldKeys(*KEYS))
    assert faster(own) is own
    assert faster(faster(own)) is own
    assert not [cls for cls in AuthHandler.__subclasses__() if cls.__module__.startswith("botod.")]
    found = boto.auth.get_auth_handler("h", boto.config, HeldKeys(*KEYS), handler_class.capability)
    assert type(found) is handler_class


@pytest.mark.parametrize("handler_class", HANDLERS)
def test_handlers_can_be_copied_as_boto_s_can(handler_class: type) -> None:
    """boto leaves out what it derives from the secret and makes it anew."""
    handler = faster(handler_of(handler_class, HeldKeys(*KEYS), region="r", service="s"))
    again = copy.copy(handler)
    with stopped_clock():
        assert outcome(again, FIELDS) == outcome(handler, FIELDS)


def test_other_handlers_are_given_back() -> None:
    """Anonymous requests, and versions nobody signs with any more."""
    for handler_class in (boto.auth.AnonAuthHandler, boto.auth.QuerySignatureV1AuthHandler):
        handler = handler_of(handler_class, HeldKeys(*KEYS))
        assert faster(handler) is handler


def test_pooled_connections_sign_with_them() -> None:
    """And set the region where boto's own connection would."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                for connection in (
                    s3_connection(pool, server.port),
                    sqs_connection(pool, server.port),
                ):
                    handler = connection._auth_handler
                    assert type(handler).__module__ == "botod.pool.signing"
                    assert handler._provider is connection.provider
                assert s3_connection(pool, server.port)._auth_handler.region_name == "us-east-1"

    run(scenario)


@pytest.mark.parametrize("handler_class", HANDLERS)
def test_a_request_goes_out_under_the_name_of_its_terms(handler_class: type) -> None:
    """Where they have one; signed with the rest, where boto signs it. Else it is boto's name."""
    scope = {"region": "eu-west-1", "service": "sqs"}
    handler = faster(handler_of(handler_class, HeldKeys(*KEYS), **scope))

    def sent() -> tuple[str, str]:
        request = request_of(FIELDS)
        with stopped_clock(dt.datetime(2026, 1, 2, 3, 4, 5)):  # noqa: DTZ001 - as boto has it
            request.authorize(SimpleNamespace(_auth_handler=handler))
        return request.headers["User-Agent"], request.headers.get("Authorization", "")

    usual = sent()
    with on_terms(Terms(user_agent="botod user/shop")):
        named = sent()
    assert usual[0] == boto.connection.UserAgent
    assert named[0] == "botod user/shop"
    assert (named[1] != usual[1]) == (handler_class is boto.auth.S3HmacAuthV4Handler)


@pytest.mark.parametrize(
    ("handler_class", "where"),
    [
        (boto.auth.HmacAuthV1Handler, lambda request: request.headers["Date"]),
        (boto.auth.HmacAuthV4Handler, lambda request: request.headers["X-Amz-Date"]),
        (boto.auth.S3HmacAuthV4Handler, lambda request: request.headers["X-Amz-Date"]),
        (boto.auth.QuerySignatureV2AuthHandler, lambda request: request.params["Timestamp"]),
    ],
)
def test_a_signature_is_dated_by_the_servers_clock(
    handler_class: type, where: Callable[[HTTPRequest], str]
) -> None:
    """An hour later than here, if it is known to be an hour later there."""
    held = HeldKeys(*KEYS)
    handler = faster(handler_of(handler_class, held, region="eu-west-1", service="sqs"))

    def dated(offset_s: float) -> dt.datetime:
        held.clock_offset_s = offset_s
        request = request_of(FIELDS)
        request.authorize(SimpleNamespace(_auth_handler=handler))
        for form in ("%a, %d %b %Y %H:%M:%S GMT", "%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"):
            with contextlib.suppress(ValueError):
                return dt.datetime.strptime(where(request), form)  # noqa: DTZ007
        raise AssertionError(where(request))

    now, later = dated(0.0), dated(3600.0)
    assert dt.timedelta(minutes=59) < later - now < dt.timedelta(minutes=61)
