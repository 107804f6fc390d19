"""boto 2 itself, over the pool, against servers on loopback."""

import asyncio
import hashlib
import io
import pickle
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool import (
    CertificateError,
    HeldKeys,
    NotSent,
    OutcomeUnknown,
    Terms,
    on_terms,
    pooled,
    sleep,
    spawn,
)
from support.certificates import new_authority
from support.http_server import Exchange, http_server
from support.loops import BOUND_S, run, until
from support.pools import (
    KEYS,
    assert_idle,
    open_pool,
    s3_connection,
    sdb_connection,
    sqs_connection,
)
from support.proxies import proxy_server
from support.signatures import is_signed

import boto.connection
import boto.provider
import boto.utils
from boto.exception import BotoServerError, S3ResponseError
from boto.s3.connection import S3Connection
from boto.s3.key import Key

SENT = (
    b"<SendMessageResponse><SendMessageResult><MD5OfMessageBody>x</MD5OfMessageBody>"
    b"<MessageId>m</MessageId></SendMessageResult></SendMessageResponse>"
)


@pytest.fixture
def short_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto sleeps for random()*2**i seconds between tries; here for a hundredth of it."""
    monkeypatch.setattr(boto.connection.random, "random", lambda: 0.01)


class Store:
    """A server with one object."""

    def __init__(self) -> None:
        self.body = b""

    def __call__(self, exchange: Exchange) -> None:
        if exchange.method == "PUT":
            self.body = exchange.body
        etag = hashlib.md5(self.body, usedforsecurity=False).hexdigest()
        exchange.ok(self.body if exchange.method == "GET" else b"", f'ETag: "{etag}"')


def key_of(connection: Any, name: str = "a//b/../c ü") -> Key:
    """A key of boto's, without asking whether its bucket exists."""
    return Key(connection.get_bucket("bucket", validate=False), name)


def test_boto_s_own_objects_work_in_greenlets() -> None:
    """Key's upload by putrequest and send, its download whole, in pieces and to a file."""
    store = Store()
    body = bytes(range(256)) * 40_000

    async def scenario() -> None:
        with http_server(store) as server:
            async with open_pool() as pool:

                def work() -> None:
                    connection = s3_connection(pool, server.port)
                    key_of(connection).set_contents_from_file(io.BytesIO(body))
                    assert key_of(connection).get_contents_as_string() == body
                    key = key_of(connection)
                    key.open_read()
                    assert key.read(1000) == body[:1000]
                    key.close()
                    file = io.BytesIO()
                    key_of(connection).get_contents_to_file(file)
                    assert file.getvalue() == body

                await spawn(work)
        put = server.requests[0]
        assert put.headers["expect"] == "100-Continue"
        for request in server.requests:
            assert request.target == "/bucket/a//b/../c%20%C3%BC"
            assert is_signed(request, KEYS[1], scope="us-east-1/s3")
        assert server.connections_total == 1

    run(scenario)


def test_a_stream_of_unknown_length_is_framed_once() -> None:
    """boto's chunked upload, whose framing it writes itself."""
    store = Store()
    body = bytes(range(256)) * 10_000

    async def scenario() -> None:
        with http_server(store) as server:
            async with open_pool() as pool:
                key = key_of(s3_connection(pool, server.port))
                await spawn(key.send_file, io.BytesIO(body), chunked_transfer=True)
        assert server.requests[0].headers["transfer-encoding"] == "chunked"
        assert store.body == body

    run(scenario)


def test_a_multipart_upload_in_parts() -> None:
    """boto's own: begun, parts uploaded at once, completed."""
    parts: dict[str, bytes] = {}
    completed: list[bytes] = []

    def answer(exchange: Exchange) -> None:
        if exchange.target.endswith("?uploads"):
            exchange.ok(
                b"<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key>"
                b"<UploadId>u1</UploadId></InitiateMultipartUploadResult>"
            )
        elif exchange.method == "PUT":
            parts[exchange.target] = exchange.body
            etag = hashlib.md5(exchange.body, usedforsecurity=False).hexdigest()
            exchange.ok(b"", f'ETag: "{etag}"')
        elif exchange.method == "GET":
            exchange.ok(b"<ListPartsResult/>")
        else:
            completed.append(exchange.body)
            exchange.ok(
                b"<CompleteMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key>"
                b'<ETag>"e"</ETag></CompleteMultipartUploadResult>'
            )

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                bucket = s3_connection(pool, server.port).get_bucket("bucket", validate=False)
                upload = await spawn(bucket.initiate_multipart_upload, "k")
                bodies = {number: bytes([number]) * 5_000_000 for number in (1, 2, 3)}
                await asyncio.gather(
                    *(
                        spawn(upload.upload_part_from_file, io.BytesIO(body), number)
                        for number, body in bodies.items()
                    )
                )
                await spawn(upload.complete_upload)
        assert sorted(parts.values()) == [bodies[number] for number in (1, 2, 3)]
        assert len(completed) == 1

    run(scenario)


def test_a_fast_close_stops_the_download() -> None:
    """Key.close(fast=True) leaves the rest of a large object on the server."""
    stopped = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
        try:
            for _ in range(500):
                exchange.send(b"x" * 1_000_000)
        except OSError:
            stopped.set()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1) as pool:

                def work() -> None:
                    key = key_of(s3_connection(pool, server.port))
                    key.open_read()
                    key.read(10)
                    key.close(fast=True)

                await spawn(work)
                await assert_idle(pool)
                assert await asyncio.to_thread(stopped.wait, BOUND_S)

    run(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_is_signed_once(host: str) -> None:
    """boto would sign host:port:port; a server that checks would refuse it."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                connection = s3_connection(pool, server.port, host=host)
                await spawn(connection.make_request, "GET", "bucket", "key")
        (seen,) = server.requests
        assert seen.headers["host"] == f"{host}:{server.port}"
        assert is_signed(seen, KEYS[1], scope="us-east-1/s3")

    run(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_a_host_whose_name_tells_no_region(host: str) -> None:
    """boto takes a part of the name for the region, or fails with UnboundLocalError."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                connection = s3_connection(pool, server.port, host=host)
                await spawn(connection.make_request, "GET", "bucket", "key")
        (seen,) = server.requests
        assert is_signed(seen, KEYS[1], scope="us-east-1/s3")

    run(scenario)


def test_tries_again_without_delaying_anybody_else(short_sleeps: None) -> None:
    """503, 503, 200 for one job; another one is served meanwhile. Shown by the order of events."""
    events: list[str] = []
    slept = threading.Event()

    def answer(exchange: Exchange) -> None:
        if exchange.target.endswith("/troubled"):
            events.append("troubled")
            if len([event for event in events if event == "troubled"]) <= 2:
                exchange.ok(b"", status="503 Slow Down")
                return
            assert slept.wait(BOUND_S), "the other job waited for the troubled one"
        exchange.ok(b"fine")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=2) as pool:
                connection = s3_connection(pool, server.port)

                def ask(key: str) -> bytes:
                    return bytes(connection.make_request("GET", "bucket", key).read())

                with on_terms(Terms(idempotent=True)) as terms:
                    troubled = spawn(ask, "troubled")
                await until(lambda: events)
                for _ in range(20):
                    assert await spawn(ask, "other") == b"fine"
                assert not troubled.done()
                slept.set()
                assert await troubled == b"fine"
                assert terms.attempts_num == 3
        assert events == ["troubled"] * 3

    run(scenario)


def test_cancel_between_two_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that sleeps in boto's loop is ended there and holds nothing."""
    monkeypatch.setattr(boto.connection.random, "random", lambda: 1000.0)

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(b"", status="500 No")) as server:
            async with open_pool(slots=1) as pool:
                connection = s3_connection(pool, server.port)
                job = spawn(connection.make_request, "GET", "bucket", "key")
                await until(lambda: server.requests and not pool.stats()[0].slots.leased_num)
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job

    run(scenario)


def test_failed_tries_hold_no_slot(short_sleeps: None) -> None:
    """Every way of failing, over and over on one slot: boto never gives a connection back."""
    ways: list[Callable[[Exchange], None]] = [
        Exchange.cut,
        Exchange.reset,
        lambda exchange: exchange.ok(b"", status="500 No"),
        lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    ]

    def answer(exchange: Exchange) -> None:
        ways[exchange.number % len(ways)](exchange)
        exchange.cut()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=1) as pool:
                connection = s3_connection(pool, server.port)
                connection.num_retries = 2
                for _ in range(8):
                    with on_terms(Terms(idempotent=True)):
                        job = spawn(lambda: connection.make_request("GET", "b", "k").read())
                    await asyncio.wait([job])
                    job.exception()
                await assert_idle(pool)
                assert connection._pool.size() == 0

    run(scenario)


def test_a_message_whose_answer_was_cut_is_sent_once() -> None:
    """boto's loop tries again after any OSError, POST or not; this is none."""

    def answer(exchange: Exchange) -> None:
        exchange.cut()

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                connection = sqs_connection(pool, server.port)
                with pytest.raises(OutcomeUnknown, match="sent, no full answer"):
                    await spawn(
                        connection.get_status, "SendMessage", {"MessageBody": "m"}, "/q", "POST"
                    )
        assert len(server.requests) == 1

    run(scenario)


def test_what_was_not_sent_is_tried_again(short_sleeps: None) -> None:
    """Nobody listens at first: boto tries again, and nothing is sent twice."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        async with open_pool() as pool:
            connection = sqs_connection(pool, port)
            connection.num_retries = 2
            with on_terms(Terms()) as terms:
                job = spawn(connection.get_status, "SendMessage", {}, "/q", "POST")
            with pytest.raises(ConnectionError, match=f"http://127.0.0.1:{port}"):
                await job
            assert terms.attempts_num == 3

    run(scenario)


def test_errors_are_boto_s_own(short_sleeps: None) -> None:
    """A 4xx and a 5xx come as boto's exceptions, with AWS's code."""
    body = b"<Error><Code>NoSuchKey</Code><Message>gone</Message><RequestId>r</RequestId></Error>"
    sqs = b"<ErrorResponse><Error><Code>Busy</Code><Message>m</Message></Error></ErrorResponse>"

    def answer(exchange: Exchange) -> None:
        if exchange.target.startswith("/q"):
            exchange.ok(sqs, status="500 Internal")
        else:
            exchange.ok(body, status="404 Not Found")

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                s3, sqs = s3_connection(pool, server.port), sqs_connection(pool, server.port)
                sqs.num_retries = 1
                with pytest.raises(S3ResponseError) as caught:
                    await spawn(key_of(s3).get_contents_as_string)
                assert (caught.value.status, caught.value.error_code) == (404, "NoSuchKey")
                with pytest.raises(BotoServerError) as busy:
                    await spawn(sqs.get_status, "SendMessage", {}, "/q", "POST")
                assert (busy.value.status, busy.value.error_code) == (500, "Busy")
        assert len(server.requests) == 3

    run(scenario)


def test_a_redirect_is_followed_and_signed_anew() -> None:
    """boto follows it, not curl: the second request is signed for the second server."""

    async def scenario() -> None:
        with http_server() as second:

            def away(exchange: Exchange) -> None:
                target = f"Location: http://127.0.0.1:{second.port}/elsewhere"
                exchange.ok(b"", target, status="307 Temporary Redirect")

            with http_server(away) as first:
                async with open_pool() as pool:
                    connection = s3_connection(pool, first.port)
                    response = await spawn(connection.make_request, "GET", "bucket", "key")
                    assert await spawn(response.read) == b"fine"
        (seen,) = second.requests
        assert seen.target == "/elsewhere"
        assert "authorization" in seen.headers

    run(scenario)


@pytest.mark.parametrize("status", ["200 OK", "503 Slow Down"])
def test_headers_of_the_terms_are_sent_and_signed(status: str, short_sleeps: None) -> None:
    """They reach the server with each try, also where boto's own loop carries on."""

    async def scenario() -> None:
        statuses = [status, "200 OK"]
        with http_server(lambda exchange: exchange.ok(b"", status=statuses.pop(0))) as server:
            async with open_pool() as pool:
                connection = sqs_connection(pool, server.port)
                with on_terms(Terms(headers={"X-Amzn-Trace-Id": "Root=1-2-3"})):
                    await spawn(connection.make_request, "ListQueues", {}, "/", "POST")
        assert server.requests
        for seen in server.requests:
            assert seen.headers["x-amzn-trace-id"] == "Root=1-2-3"
            assert "x-amzn-trace-id" in seen.headers["authorization"]

    run(scenario)


@pytest.mark.parametrize(
    ("connect", "request_of"),
    [
        (s3_connection, lambda connection: connection.make_request("GET", "bucket")),
        (sqs_connection, lambda connection: connection.make_request("ListQueues", {}, "/", "POST")),
    ],
)
def test_every_service_verifies_in_one_way(connect: Any, request_of: Any, tmp_path: Path) -> None:
    """S3's own switch is ignored: what our roots do not vouch for is refused, tried only once."""
    authority = new_authority(tmp_path)

    async def scenario() -> None:
        context = authority.server_context("127.0.0.1")
        with http_server(lambda exchange: exchange.ok(b"<r/>"), tls=context) as server:
            async with open_pool(ca_file=authority.ca_file) as pool:
                for validate in (True, False):
                    connection = connect(pool, server.port, is_secure=True, validate_certs=validate)
                    await spawn(request_of, connection)
            async with open_pool() as pool:
                for validate in (True, False):
                    connection = connect(pool, server.port, is_secure=True, validate_certs=validate)
                    with (
                        on_terms(Terms()) as terms,
                        pytest.raises(CertificateError, match="not trusted"),
                    ):
                        await spawn(request_of, connection)
                    assert terms.attempts_num == 1

    run(scenario)


def test_keys_come_from_outside_and_nobody_is_asked_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No metadata service, environment or file; new keys sign the next request."""

    def asked(*_args: Any, **_kwargs: Any) -> None:
        pytest.fail("boto asked the metadata service")

    monkeypatch.setattr(boto.utils, "get_instance_metadata", asked)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the environment")

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                connection = s3_connection(pool, server.port)
                keys = connection.provider
                keys._credential_expiry_time = "long ago"
                await spawn(connection.make_request, "GET", "bucket")
                keys.hold("new-access", "new-secret", "new-token")
                await spawn(connection.make_request, "GET", "bucket")
        first, second = server.requests
        assert is_signed(first, KEYS[1], scope="us-east-1/s3")
        assert "x-amz-security-token" not in first.headers
        assert is_signed(second, "new-secret", scope="us-east-1/s3")
        assert second.headers["x-amz-security-token"] == "new-token"

    run(scenario)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # boto's own leak
def test_the_shared_credentials_file_is_read_only_for_keys_that_were_not_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """boto reads it for every connection it makes; here a broken one is no matter."""
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text("secret-without-section")

    async def scenario() -> None:
        async with open_pool() as pool:
            s3_connection(pool, 1)
            sqs_connection(pool, 1)

    run(scenario)
    file.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    found = pickle.loads(pickle.dumps(boto.provider.Provider("aws")))
    assert (found.access_key, found.secret_key) == ("a", "b")


def test_keys_have_to_be_given() -> None:
    """Without keys boto would go and look for some."""
    with pytest.raises(ValueError, match="needs an access key and a secret key"):
        HeldKeys("access", None)  # type: ignore[arg-type]


def test_a_factory_of_connections_is_still_honoured() -> None:
    """https_connection_factory is how boto's users, and its own tests, put in theirs."""
    made: list[tuple[Any, ...]] = []

    class Fake:
        """A connection that knows one answer."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            made.append(args)

    async def scenario() -> None:
        async with open_pool() as pool:
            connection = pooled(S3Connection)(
                pool=pool, keys=HeldKeys(*KEYS), https_connection_factory=(Fake, ())
            )
            assert isinstance(connection.new_http_connection("h", 443, True), Fake)
            assert made

    run(scenario)


@pytest.mark.parametrize("is_secure", [False, True])
@pytest.mark.parametrize("user", [None, "us er"])
def test_requests_go_through_the_proxy_that_was_given(
    is_secure: bool, user: str | None, tmp_path: Path
) -> None:
    """Over http it gets a whole URL, over https it opens a tunnel; the signature stays good."""
    authority = new_authority(tmp_path)
    context = authority.server_context("127.0.0.1") if is_secure else None
    password = "p:w/d@"

    async def scenario() -> None:
        with http_server(tls=context) as server, proxy_server(user, password) as proxy:
            async with open_pool(ca_file=authority.ca_file) as pool:
                connection = s3_connection(
                    pool, server.port, is_secure=is_secure, proxy="127.0.0.1",
                    proxy_port=str(proxy.port), proxy_user=user, proxy_pass=password,
                )  # fmt: skip
                for _ in range(2):
                    response = await spawn(connection.make_request, "GET", "bucket", "a//../k?")
                    assert await spawn(response.read) == b"fine"
                    assert response.getheader("X-Proxy") is None
        authority_of = f"127.0.0.1:{server.port}"
        first = f"CONNECT {authority_of}" if is_secure else f"GET http://{authority_of}/bucket"
        assert proxy.lines[0].startswith(first)
        assert proxy.refused_num == 0
        # This proxy makes a path of the URL in a connection's first request only.
        for seen in server.requests if is_secure else server.requests[:1]:
            assert seen.target == "/bucket/a//../k%3F"
            assert is_signed(seen, KEYS[1], scope="us-east-1/s3")
            assert "proxy-authorization" not in seen.headers or not is_secure
        assert len(server.requests) == 2

    run(scenario)


def test_a_proxy_that_refuses_is_told() -> None:
    """A wrong password: through a tunnel nothing was sent, else it is the proxy's own answer."""

    async def scenario() -> None:
        with http_server() as server, proxy_server("user", "right") as proxy:
            async with open_pool() as pool:
                via = {"proxy": "127.0.0.1", "proxy_port": proxy.port, "proxy_user": "user",
                       "proxy_pass": "wrong"}  # fmt: skip
                plain = s3_connection(pool, server.port, **via)
                response = await spawn(plain.make_request, "GET", "bucket")
                assert response.status == 407
                secure = s3_connection(pool, server.port, is_secure=True, **via)
                secure.num_retries = 0
                with pytest.raises(NotSent, match="407") as caught:
                    await spawn(secure.make_request, "GET", "bucket")
                assert "wrong" not in str(caught.value)
        assert server.requests == []

    run(scenario)


def test_a_proxy_without_a_port_is_refused() -> None:
    """boto would take the server's own port, with a line on standard output."""

    async def scenario() -> None:
        async with open_pool() as pool:
            with pytest.raises(ValueError, match="needs a port"):
                s3_connection(pool, 80, proxy="proxy.test")

    run(scenario)


def test_the_environment_s_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where requests go is not for the environment to say."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                connection = s3_connection(pool, server.port)
                await spawn(connection.make_request, "GET", "bucket")
        assert len(server.requests) == 1

    run(scenario)


def test_one_connection_of_boto_s_serves_many_greenlets_at_once() -> None:
    """Thirty uploads and downloads at once on eight slots: each gets its own bytes."""
    bodies: dict[str, bytes] = {}

    def answer(exchange: Exchange) -> None:
        if exchange.method == "PUT":
            bodies[exchange.target] = exchange.body
            etag = hashlib.md5(exchange.body, usedforsecurity=False).hexdigest()
            exchange.ok(b"", f'ETag: "{etag}"')
        else:
            exchange.ok(bodies[exchange.target])

    async def scenario() -> None:
        with http_server(answer) as server:
            async with open_pool(slots=8) as pool:
                connection = s3_connection(pool, server.port)

                def work(number: int) -> None:
                    body = str(number).encode() * 50_000
                    key_of(connection, f"k{number}").set_contents_from_string(body)
                    sleep(0)
                    assert key_of(connection, f"k{number}").get_contents_as_string() == body

                await asyncio.gather(*(spawn(work, number) for number in range(30)))
                assert connection._pool.size() == 0, "boto's own pool holds a connection"
                (host,) = pool.stats()
                assert host.slots.leases_total == 60
                assert host.sockets.opened_total + host.sockets.reused_total == 60
        assert server.connections_total <= 8

    run(scenario)


def test_simpledb_s_connection_works_as_well() -> None:
    """A third service, in boto's own words."""
    answer = (
        b"<ListDomainsResponse><ListDomainsResult><DomainName>d</DomainName></ListDomainsResult>"
        b"</ListDomainsResponse>"
    )

    async def scenario() -> None:
        with http_server(lambda exchange: exchange.ok(answer)) as server:
            async with open_pool() as pool:
                connection = sdb_connection(pool, server.port)
                domains = await spawn(connection.get_all_domains)
                assert [domain.name for domain in domains] == ["d"]

    run(scenario)


@given(
    path=st.text("/a%.?é", min_size=1, max_size=8),
    base=st.sampled_from(["/", "/base", "/base/"]),
    suppresses=st.booleans(),
)
def test_paths_are_boto_s(path: str, base: str, suppresses: bool) -> None:
    """Whether boto is asked about a path or not, it comes out as from boto."""
    connection = object.__new__(pooled(S3Connection))
    connection.path, connection.suppress_consec_slashes = base, suppresses
    try:
        expected = boto.connection.AWSAuthConnection.get_path(connection, path)
    except IndexError:  # of a query without a path
        with pytest.raises(IndexError):
            connection.get_path(path)
    else:
        assert connection.get_path(path) == expected
