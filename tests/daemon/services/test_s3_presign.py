"""Presigned URLs: byte for byte what boto3 makes of the same."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import botocore.config
import pytest

from botod.daemon.services import SERVICES, s3_presign
from botod.daemon.services.operation import Endpoint
from botod.daemon.services.s3_connection import connect
from botod.daemon.services.shapes import InvalidParam
from botod.pool import HeldKeys
from support.pools import KEYS

NOON = datetime(2026, 11, 28, 12, 0, 5, tzinfo=UTC)
ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}
NO_POOL: Any = None


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both clocks stand still."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return NOON

    monkeypatch.setattr(s3_presign, "datetime", Clock)
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: NOON.replace(tzinfo=None)
    )


def ours(token: str | None = None, endpoint: Endpoint | None = None, **params: Any) -> str:
    """Our URL."""
    endpoint = endpoint or Endpoint("s3.eu-west-1.amazonaws.com", 443, True, "eu-west-1", False)
    connection = connect(NO_POOL, HeldKeys(*KEYS, token), endpoint)
    operation = SERVICES["s3"].operations["generate_presigned_url"]
    result = operation.run(connection, operation.params.read(params, ""))
    url: str = result["Url"]
    return url


def theirs(token: str | None = None, endpoint_url: str | None = None, **params: Any) -> str:
    """boto3's."""
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        aws_session_token=token,
        endpoint_url=endpoint_url,
        config=botocore.config.Config(
            signature_version="s3v4",
            # Else its URLs name a host from which S3 redirects to the region's.
            s3={"addressing_style": "auto" if endpoint_url else "virtual"},
        ),
    )
    url: str = client.generate_presigned_url(**params)
    return url


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("get_object", {}),
        ("get_object", {"VersionId": "a b+c/=", "ResponseContentType": "text/plain; a=b"}),
        ("get_object", {"Key": "ü /?#%+&~x//y"}),
        ("get_object", {"Bucket": "my.photos"}),
        ("get_object", {"IfMatch": '"etag"'}),
        ("head_object", {}),
        ("delete_object", {"VersionId": "3"}),
        ("put_object", {"ContentType": "image/jpeg", "Metadata": {"a": "x  y"}}),
        ("put_object", {"ACL": "private", "ServerSideEncryption": "aws:kms"}),
        ("put_object", {"SSECustomerKey": "0" * 32, "SSECustomerAlgorithm": "AES256"}),
    ],
)
@pytest.mark.parametrize("token", [None, "a/token+="])
def test_urls_are_boto3s(
    method: str, more: dict[str, Any], token: str | None, at_noon: None
) -> None:
    """Whatever is asked for, with temporary keys and others."""
    asked = {"ClientMethod": method, "Params": ON_KEY | more, "ExpiresIn": 600}
    mine, his = ours(token, **asked), theirs(token, **asked)
    assert mine == his


def test_urls_of_a_server_of_one_s_own_have_the_bucket_in_the_path(at_noon: None) -> None:
    """And its port."""
    asked = {"ClientMethod": "get_object", "Params": ON_KEY, "ExpiresIn": 600}
    endpoint = Endpoint("127.0.0.1", 9000, False, "eu-west-1", True)
    his = theirs(endpoint_url="http://127.0.0.1:9000", **asked)
    assert ours(endpoint=endpoint, **asked) == his


def test_they_last_an_hour_unless_told(at_noon: None) -> None:
    """As boto3's."""
    query = parse_qs(urlsplit(ours(ClientMethod="get_object", Params=ON_KEY)).query)
    assert query["X-Amz-Expires"] == ["3600"]


@pytest.mark.parametrize(
    "params",
    [
        {"ClientMethod": "list_buckets", "Params": ON_KEY},
        {"ClientMethod": "get_object", "Params": {"Bucket": "photos"}},
        {"ClientMethod": "get_object", "Params": ON_KEY | {"ACL": "private"}},
        {"ClientMethod": "put_object", "Params": ON_KEY | {"Range": "bytes=0-1"}},
        {"ClientMethod": "get_object", "Params": ON_KEY, "ExpiresIn": 0},
        {"ClientMethod": "get_object", "Params": ON_KEY, "ExpiresIn": 604801},
    ],
)
def test_what_cannot_be_presigned_is_refused(params: dict[str, Any]) -> None:
    """Another operation, a param that it does not have, a time that S3 does not take."""
    with pytest.raises(InvalidParam):
        ours(**params)
