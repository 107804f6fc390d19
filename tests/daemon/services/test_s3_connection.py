"""S3's connection: hosts, regions, and whom a signed request may go to."""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from botod.daemon.services import CATALOG, s3_connection
from botod.daemon.services.errors import BadAnswer
from botod.daemon.services.operation import CannotBeCarried, Endpoint
from botod.daemon.services.s3_connection import _BY_HOST, _BY_PATH, _ByBucket, _is_ours, connect
from botod.pool import HeldKeys, spawn
from support.http_server import Exchange, http_server
from support.loops import BOUND_S
from support.pools import KEYS, open_pool
from support.services import CannedService, reply

from boto.exception import BotoServerError
from boto.s3.connection import OrdinaryCallingFormat, SubdomainCallingFormat

NO_POOL: Any = None

AWS = ("s3.us-east-1.amazonaws.com", 443, True)


@pytest.mark.parametrize(
    ("bucket", "host", "path"),
    [
        ("photos", "photos.s3.eu-central-1.amazonaws.com", "/k"),
        ("my.photos", "s3.eu-central-1.amazonaws.com", "/my.photos/k"),
        ("Photos", "s3.eu-central-1.amazonaws.com", "/Photos/k"),
    ],
)
def test_a_bucket_s_host(bucket: str, host: str, path: str) -> None:
    """AWS's buckets have a host name each, unless AWS's certificate could not match it."""
    calling = _ByBucket()
    assert calling.build_host("s3.eu-central-1.amazonaws.com", bucket) == host
    assert calling.build_path_base(bucket, "k") == path


@pytest.mark.parametrize(
    ("ours", "boto_s"),
    [
        (_BY_PATH, OrdinaryCallingFormat()),
        (_BY_HOST, SubdomainCallingFormat()),
        (_ByBucket(), SubdomainCallingFormat()),
    ],
)
@pytest.mark.parametrize("bucket", ["", "photos"])
@given(
    key=some.text(max_size=12, alphabet=some.characters(exclude_categories=["Cs"]))
    | some.text("aZ09-_.~/% +", max_size=12)
)
def test_paths_are_boto_s(ours: Any, boto_s: Any, bucket: str, key: str) -> None:
    """Whatever the key: what goes out, and what is signed of it."""
    assert ours.build_path_base(bucket, key) == boto_s.build_path_base(bucket, key)
    assert ours.build_auth_path(bucket, key) == boto_s.build_auth_path(bucket, key)


def test_own_endpoints_have_one_host_for_all_buckets() -> None:
    """A server that is not AWS's need not know names for each bucket."""
    keys = HeldKeys(*KEYS)
    own = connect(None, keys, Endpoint("minio.internal", 9000, False, "us-east-1", True))  # type: ignore[arg-type]
    aws = connect(None, keys, Endpoint("s3.amazonaws.com", 443, True, "us-east-1", False))  # type: ignore[arg-type]
    assert own.calling_format.build_host("minio.internal", "photos") == "minio.internal"
    assert aws.calling_format.build_host("s3.amazonaws.com", "photos") == "photos.s3.amazonaws.com"
    assert (own.is_secure, own.port, aws.is_secure, aws.port) == (False, 9000, True, 443)


def aws_connection(region: str = "us-east-1") -> Any:
    """A connection to S3 itself."""
    endpoint = Endpoint(f"s3.{region}.amazonaws.com", 443, True, region, False)
    return connect(NO_POOL, HeldKeys(*KEYS), endpoint)


@pytest.mark.parametrize(
    ("host", "port", "is_secure"),
    [
        ("s3.us-east-1.amazonaws.com", 443, True),
        ("photos.s3.eu-central-1.amazonaws.com", 443, True),
        ("my.photos.s3-us-west-2.amazonaws.com", 443, True),
        ("photos.s3.dualstack.eu-west-1.amazonaws.com", 443, True),
        ("photos.s3.amazonaws.com", 443, True),
        ("PHOTOS.s3.amazonaws.com:443", 443, True),
        ("s3.cn-north-1.amazonaws.com.cn", 443, True),
        ("photos.s3-fips.us-gov-west-1.amazonaws.com", 443, True),
        ("photos.s3-fips.dualstack.us-east-1.amazonaws.com", 443, True),
        ("s3.eusc-de-east-1.amazonaws.eu", 443, True),
    ],
)
def test_redirects_within_s3_are_followed(host: str, port: int, is_secure: bool) -> None:
    """Its hosts of all regions, by all their names."""
    assert _is_ours((host, port, is_secure), AWS, is_aws=True)


@pytest.mark.parametrize(
    ("host", "is_secure"),
    [
        ("photos.s3.amazonaws.com", False),
        ("example.com", True),
        ("s3.amazonaws.com.example.com", True),
        ("evil-s3.amazonaws.com", True),
        ("s3-x-1234.us-east-1.elb.amazonaws.com", True),
        ("s3.x.execute-api.us-east-1.amazonaws.com", True),
        ("s3.us-east-1.amazonaws.com@example.com", True),
        ("169.254.169.254", False),
        ("", True),
    ],
)
def test_a_signed_request_goes_to_nobody_else(host: str, is_secure: bool) -> None:
    """In AWS's domain, too, hosts are anybody's."""
    with pytest.raises(BadAnswer, match="none of its hosts"):
        aws_connection().new_http_connection(host, 443, is_secure)


def test_a_redirect_to_another_server_is_an_error() -> None:
    """The other one is not asked; the slot is given back."""

    def redirect(exchange: Exchange) -> None:
        exchange.ok(
            b"", f"Location: http://localhost:{port}/stolen", status="307 Temporary Redirect"
        )

    with http_server() as other:
        port = other.port
        aws = CannedService(redirect)
        with pytest.raises(BadAnswer, match="none of its hosts"):
            aws.call("s3.put_object", {"Bucket": "photos", "Key": "k", "Body": b"secret"})
        assert not other.requests
    assert len(aws.requests) == 1


def test_a_redirect_to_the_same_server_is_followed() -> None:
    """As boto does it."""

    def redirect(exchange: Exchange) -> None:
        location = f"http://{exchange.headers['host']}/photos/k?again"
        exchange.ok(b"", f"Location: {location}", status="307 Temporary Redirect")

    aws = CannedService(redirect, reply(b"", 'ETag: "e"'))
    aws.call("s3.put_object", {"Bucket": "photos", "Key": "k", "Body": b"x"})
    assert [request.target for request in aws.requests] == ["/photos/k", "/photos/k?again"]


REGION_ERROR = (
    b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message>"
    b"<Region>eu-west-3</Region></Error>"
)


class Elsewhere:
    """S3 in two regions: one does not have the bucket, and says so."""

    def __init__(
        self, status: str, *headers: str, body: bytes = b"", found: bytes = b"miaow"
    ) -> None:
        self.hosts: list[str] = []
        self._found = found
        self._status, self._headers, self._body = status, headers, body

    def __call__(self, exchange: Exchange) -> None:
        self.hosts.append(exchange.headers["host"].partition(":")[0])
        if "eu-west-3" in exchange.headers["host"]:
            assert "/eu-west-3/s3/aws4_request" in exchange.headers["authorization"]
            exchange.ok(self._found)
        else:
            exchange.ok(self._body, *self._headers, status=self._status)


def ask_aws(
    answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    *calls: str,
    at_once: bool = False,
    **params: Any,
) -> Any:
    """Results of operations, where S3's names are those of this host."""
    pattern = re.compile(r"(?:photos\.)?s3-[a-z0-9-]+\.localhost")
    monkeypatch.setattr(s3_connection, "S3_HOST", pattern)

    async def scenario() -> list[Any]:
        with http_server(answer) as server:
            async with open_pool() as pool:
                endpoint = Endpoint(
                    "s3-us-east-1.localhost", server.port, False, "us-east-1", False
                )
                connection = connect(pool, HeldKeys(*KEYS), endpoint)
                if at_once:
                    jobs = [spawn(_one, connection, call, params) for call in calls]
                    return await asyncio.gather(*jobs)
                return [await spawn(_one, connection, call, params) for call in calls]

    return asyncio.run(scenario())


def _one(connection: Any, name: str, params: dict[str, Any]) -> Any:
    asked = {"Bucket": "photos", "Key": "k"} | params
    result = CATALOG.operation("s3", name).run(connection, asked)
    return result["Body"].whole() if "Body" in result else result


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Elsewhere("301 Moved Permanently", "x-amz-bucket-region: eu-west-3"),
        lambda: Elsewhere("307 Temporary Redirect", "x-amz-bucket-region: eu-west-3"),
        lambda: Elsewhere("400 Bad Request", body=REGION_ERROR),
    ],
)
def test_a_bucket_s_region_is_learned_once(
    answer: Callable[[], Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next requests go straight there."""
    aws = answer()
    assert ask_aws(aws, monkeypatch, "get_object", "get_object") == [b"miaow"] * 2
    here, there = "photos.s3-us-east-1.localhost", "photos.s3-eu-west-3.localhost"
    assert aws.hosts == [here, there, there]


def test_many_at_once_learn_it_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is first; the others' answers come when it is known already."""
    together = threading.Barrier(3)

    class Slow(Elsewhere):
        def __call__(self, exchange: Exchange) -> None:
            if "eu-west-3" not in exchange.headers["host"]:
                together.wait(BOUND_S)
            super().__call__(exchange)

    aws = Slow("301 Moved Permanently", "x-amz-bucket-region: eu-west-3")
    results = ask_aws(aws, monkeypatch, *["get_object"] * 3, at_once=True)
    assert results == [b"miaow"] * 3


def test_operations_without_rows_go_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They learn it likewise."""
    aws = Elsewhere("301 Moved Permanently", "x-amz-bucket-region: eu-west-3", found=b"")
    tags = {"Tagging": {"TagSet": []}}
    ask_aws(aws, monkeypatch, "put_object_tagging", "put_object_tagging", **tags)
    here, there = "photos.s3-us-east-1.localhost", "photos.s3-eu-west-3.localhost"
    assert aws.hosts == [here, there, there]


def test_a_head_learns_it_from_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer has no body."""
    aws = Elsewhere("301 Moved Permanently", "x-amz-bucket-region: eu-west-3")
    (result,) = ask_aws(aws, monkeypatch, "head_object")
    assert result["ContentLength"] == 5


@pytest.mark.parametrize("region", ["", "us-east-1", "evil.example.com/", "a"])
def test_what_is_no_other_region_is_the_error_that_it_is(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name of a host is made of it, and nothing is asked twice."""
    body = b"<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>"
    headers = [f"x-amz-bucket-region: {region}"] if region else []
    aws = Elsewhere("301 Moved Permanently", *headers, body=body)
    with pytest.raises(BotoServerError) as caught:
        ask_aws(aws, monkeypatch, "get_object")
    assert caught.value.error_code == "PermanentRedirect"
    assert len(aws.hosts) == 1


def test_at_s3_checksums_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for with what is got, sent with what is put from a file."""
    seen: list[dict[str, str]] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers)
        exchange.ok(b"miaow", 'ETag: "e"')

    ask_aws(answer, monkeypatch, "get_object", "download_file")
    assert [headers["x-amz-checksum-mode"] for headers in seen] == ["ENABLED"] * 2

    class WholeBody:
        length_bytes = 5

        def whole(self, _most: int) -> bytes:
            return b"miaow"

    ask_aws(answer, monkeypatch, "upload_file", Body=WholeBody())
    assert seen[2]["x-amz-sdk-checksum-algorithm"] == "CRC64NVME"


def test_only_so_many_regions_are_known() -> None:
    """The oldest is asked for again."""
    connection = aws_connection()

    class Moved:
        status = 301

        def read(self, _size: int) -> bytes:
            return b""

        def close(self) -> None: ...

        def getheader(self, _name: str) -> str:
            return "eu-west-3"

    for number in range(s3_connection.BUCKETS_MAX + 1):
        assert connection.learn(f"bucket-{number}", Moved())
    assert connection.for_bucket("bucket-0") is connection
    assert connection.for_bucket("bucket-1").host == "s3.eu-west-3.amazonaws.com"
    assert connection.for_bucket("bucket-1").auth_region_name == "eu-west-3"
    assert connection.auth_region_name == "us-east-1"


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("s3.us-east-1.amazonaws.com", "s3.eu-west-3.amazonaws.com"),
        ("s3.amazonaws.com", "s3.eu-west-3.amazonaws.com"),
        ("s3-fips.dualstack.us-east-1.amazonaws.com", "s3-fips.dualstack.eu-west-3.amazonaws.com"),
    ],
)
def test_the_host_of_another_region(here: str, there: str) -> None:
    """What else the name says stays."""
    endpoint = Endpoint(here, 443, True, "us-east-1", False)
    connection = connect(NO_POOL, HeldKeys(*KEYS), endpoint)
    assert connection._in_region("eu-west-3").host == there


@pytest.mark.parametrize("bucket", ["b--usw2-az1--x-s3", "p--use1-az4--xa-s3", "a-0123--op-s3"])
def test_buckets_of_another_kind(bucket: str) -> None:
    """Are refused at AWS, where they have hosts of their own; elsewhere they are names."""
    keys = HeldKeys("a", "b")
    aws = connect(None, keys, Endpoint("s3.amazonaws.com", 443, True, "us-east-1", False))  # type: ignore[arg-type]
    with pytest.raises(CannotBeCarried, match=f"like '{bucket}', .* hosts of another kind"):
        aws.for_bucket(bucket)
    own = connect(None, keys, Endpoint("minio.test", 9000, False, "us-east-1", True))  # type: ignore[arg-type]
    assert own.for_bucket(bucket) is own
