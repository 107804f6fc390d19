"""S3: what goes out for each operation, and what is made of S3's answers."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from botod.daemon.services import SERVICES, s3
from botod.daemon.services.answers import AnswerTooLarge, BadAnswer
from botod.daemon.services.operation import Endpoint, Operation
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import InvalidParam, Struct
from botod.daemon.sources import BodyTooShort
from botod.pool import HeldKeys, OutcomeUnknown
from support.http_server import Exchange
from support.pools import KEYS
from support.services import REQUEST_ID, CannedService, reply, s3_error, xml

from boto.exception import BotoServerError

META = {"HTTPStatusCode": 200, "RequestId": REQUEST_ID}
NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}

ODD_KEYS = {
    "a//b": "/photos/a//b",
    "a/../b": "/photos/a/../b",
    "./a": "/photos/./a",
    "/a": "/photos//a",
    "ü ?#%+&": "/photos/%C3%BC%20%3F%23%25%2B%26",
    " leading space": "/photos/%20leading%20space",
    "line\nend": "/photos/line%0Aend",
    "%2F": "/photos/%252F",
}


def query_of(exchange: Exchange) -> dict[str, str]:
    """The query of a request's target, decoded."""
    pairs = parse_qs(urlsplit(exchange.target).query, keep_blank_values=True)
    return {name: values[0] for name, values in pairs.items()}


def test_every_request_is_signed_for_the_region_and_hashes_its_body() -> None:
    """Signature Version 4, of the endpoint's region, over the body's own hash."""
    aws = CannedService(reply())
    aws.call("s3.put_object", ON_KEY | {"Body": b"miaow"})
    headers = aws.requests[0].headers
    assert headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={KEYS[0]}/")
    assert "/eu-central-1/s3/aws4_request" in headers["authorization"]
    assert headers["x-amz-content-sha256"] == hashlib.sha256(b"miaow").hexdigest()


def test_a_session_token_goes_along() -> None:
    """Temporary keys are of use only with their token."""
    aws = CannedService(reply())
    aws.call("s3.delete_object", ON_KEY, keys=HeldKeys(*KEYS, "a-token"))
    assert aws.requests[0].headers["x-amz-security-token"] == "a-token"


def test_create_bucket() -> None:
    """A PUT on the bucket; where it was made comes back."""
    aws = CannedService(reply(b"", "Location: /photos"))
    result = aws.call("s3.create_bucket", {"Bucket": "photos"})
    assert result == {"Location": "/photos", "ResponseMetadata": META}
    request = aws.requests[0]
    assert (request.method, request.target, request.body) == ("PUT", "/photos/", b"")


def test_create_bucket_escapes_its_location() -> None:
    """A location constraint goes as XML, and cannot become more of it."""
    aws = CannedService(reply())
    location = "<EU>&"
    aws.call(
        "s3.create_bucket",
        {"Bucket": "photos", "CreateBucketConfiguration": {"LocationConstraint": location}},
    )
    root = ET.fromstring(aws.requests[0].body)
    assert root.tag == "CreateBucketConfiguration"
    assert root.findtext("LocationConstraint") == location


def test_delete_bucket() -> None:
    """A DELETE, answered by 204."""
    aws = CannedService(reply(status="204 No Content"))
    result = aws.call("s3.delete_bucket", {"Bucket": "photos"})
    assert result["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert (aws.requests[0].method, aws.requests[0].target) == ("DELETE", "/photos/")


def test_list_buckets() -> None:
    """All buckets with their owner, from the service's root."""
    aws = CannedService(
        xml(
            f"<ListAllMyBucketsResult {NS}><Owner><ID>75aa57</ID><DisplayName>minou</DisplayName>"
            "</Owner><Buckets><Bucket><Name>photos</Name>"
            "<CreationDate>2019-12-11T23:32:47+00:00</CreationDate></Bucket>"
            "<Bucket><Name>music</Name></Bucket></Buckets></ListAllMyBucketsResult>"
        )
    )
    assert aws.call("s3.list_buckets") == {
        "Buckets": [
            {"Name": "photos", "CreationDate": "2019-12-11T23:32:47+00:00"},
            {"Name": "music"},
        ],
        "Owner": {"DisplayName": "minou", "ID": "75aa57"},
        "ResponseMetadata": META,
    }
    assert (aws.requests[0].method, aws.requests[0].target) == ("GET", "/")


def test_list_buckets_of_an_empty_account() -> None:
    """No bucket and no owner are an empty list and nothing."""
    aws = CannedService(xml(f"<ListAllMyBucketsResult {NS}><Buckets/></ListAllMyBucketsResult>"))
    result = aws.call("s3.list_buckets")
    assert (result["Buckets"], result["Owner"]) == ([], {})


def test_head_bucket() -> None:
    """The region stands in a header."""
    aws = CannedService(reply(b"", "x-amz-bucket-region: eu-central-1"))
    result = aws.call("s3.head_bucket", {"Bucket": "photos"})
    assert result == {"BucketRegion": "eu-central-1", "ResponseMetadata": META}
    assert (aws.requests[0].method, aws.requests[0].target) == ("HEAD", "/photos/")


def test_put_object_sends_body_headers_and_metadata() -> None:
    """Every parameter that is a header goes as that header; the body goes as it is."""
    aws = CannedService(reply(b"", 'ETag: "1b2cf5"', "x-amz-version-id: 3HL4"))
    body = bytes(range(256))
    result = aws.call(
        "s3.put_object",
        ON_KEY
        | {
            "Body": body,
            "CacheControl": "no-cache",
            "ContentDisposition": "attachment",
            "ContentEncoding": "gzip",
            "ContentLanguage": "de",
            "ContentMD5": "4vxxTEcn7pOV8yTNLn8zHw==",
            "ContentType": "image/jpeg",
            "IfMatch": '"x"',
            "IfNoneMatch": "*",
            "StorageClass": "STANDARD_IA",
            "Metadata": {"camera": "a7", "place": "the ~ sea"},
        },
    )
    assert result == {"ETag": '"1b2cf5"', "VersionId": "3HL4", "ResponseMetadata": META}
    request = aws.requests[0]
    assert (request.method, request.target, request.body) == ("PUT", "/photos/cat.jpg", body)
    expected = {
        "cache-control": "no-cache",
        "content-disposition": "attachment",
        "content-encoding": "gzip",
        "content-language": "de",
        "content-md5": "4vxxTEcn7pOV8yTNLn8zHw==",
        "content-type": "image/jpeg",
        "if-match": '"x"',
        "if-none-match": "*",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-meta-camera": "a7",
        "x-amz-meta-place": "the ~ sea",
        "content-length": "256",
    }
    assert {name: request.headers.get(name) for name in expected} == expected


def test_put_object_without_a_body_is_empty() -> None:
    """An object may have no bytes at all; the request says so."""
    aws = CannedService(reply())
    aws.call("s3.put_object", ON_KEY)
    assert aws.requests[0].headers["content-length"] == "0"
    assert aws.requests[0].headers["x-amz-content-sha256"] == hashlib.sha256().hexdigest()


def test_a_text_as_body_is_its_utf8() -> None:
    """What a shell script gives as a text arrives as UTF-8."""
    aws = CannedService(reply())
    aws.call("s3.put_object", ON_KEY | {"Body": "Käse"})
    assert aws.requests[0].body == "Käse".encode()


def test_a_large_body_is_signed_with_its_hash() -> None:
    """Where it is hashed is the pool's business; it is the hash of what arrives."""
    aws = CannedService(reply())
    body = b"x" * 1_000_000
    aws.call("s3.put_object", ON_KEY | {"Body": body})
    request = aws.requests[0]
    assert request.body == body
    assert request.headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()


class Blocks:
    """A body in blocks."""

    can_repeat = True

    def __init__(self, *blocks: bytes) -> None:
        self.length_bytes = sum(map(len, blocks))
        self.tries = 0
        self._blocks = blocks

    def blocks(self) -> Iterator[bytes]:
        self.tries += 1
        yield from self._blocks


def send(aws: CannedService, body: Any, retries: int = 0) -> Any:
    """Put an object whose body is read while it is sent."""
    table: Any = SERVICES["s3"].operations
    params = ON_KEY | {"Body": body}
    sends = Operation(
        Struct(), lambda connection, _: s3.put_object(connection, params), False, resources=UNTOLD
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(table, "send", sends)
        return aws.call(
            "s3.send", retries=retries, idempotent=True, can_repeat=lambda: body.can_repeat
        )


@pytest.mark.parametrize("blocks", [(), (b"miaow",), (b"x" * 100_000,) * 5])
def test_a_body_in_blocks(blocks: tuple[bytes, ...]) -> None:
    """Its length is said, its hash is not: it is read once."""
    aws = CannedService(reply(b"", 'ETag: "1b2cf5"'))
    assert send(aws, Blocks(*blocks))["ETag"] == '"1b2cf5"'
    request = aws.requests[0]
    assert request.body == b"".join(blocks)
    assert request.headers["content-length"] == str(len(request.body))
    assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "transfer-encoding" not in request.headers


def test_a_body_in_blocks_is_read_anew_for_each_try(quick_retries: None) -> None:
    """As often as the profile says."""
    busy = s3_error("SlowDown", "Slow down", "503 Slow Down")
    aws, body = CannedService(busy, reply()), Blocks(b"x" * 50_000, b"y")
    send(aws, body, retries=1)
    assert [request.body for request in aws.requests] == [b"x" * 50_000 + b"y"] * 2
    assert body.tries == 2


def test_a_body_that_comes_once_is_sent_once(quick_retries: None) -> None:
    """Whatever the profile says; the answer is the service's."""
    aws = CannedService(s3_error("SlowDown", "Slow down", "503 Slow Down"))
    body = Blocks(b"x" * 50_000)
    body.can_repeat = False
    with pytest.raises(BotoServerError) as caught:
        send(aws, body, retries=3)
    assert caught.value.status == 503
    assert (body.tries, len(aws.requests)) == (1, 1)


def test_a_body_that_fails_leaves_no_request() -> None:
    """The transfer is broken off; what failed is the error, and is not tried again."""

    class Failing(Blocks):
        def blocks(self) -> Iterator[bytes]:
            yield from super().blocks()
            raise BodyTooShort("cut")

    aws, body = CannedService(reply()), Failing(b"x" * 50_000)
    body.length_bytes += 1
    with pytest.raises(BodyTooShort, match="cut"):
        send(aws, body, retries=3)
    assert (body.tries, aws.requests) == (1, [])


@pytest.mark.parametrize(("key", "target"), ODD_KEYS.items())
def test_odd_keys_go_as_they_are(key: str, target: str) -> None:
    """A key is no path: nothing in it is folded, resolved or taken for a query."""
    aws = CannedService(reply())
    aws.call("s3.put_object", {"Bucket": "photos", "Key": key, "Body": b"x"})
    assert aws.requests[0].target == target
    assert unquote(target).removeprefix("/photos/") == key


def test_get_object() -> None:
    """The body as bytes, and everything that stands in the headers under AWS's names."""
    aws = CannedService(
        reply(
            b"\x00\xff",
            "Accept-Ranges: bytes",
            "Cache-Control: no-cache",
            "Content-Disposition: inline",
            "Content-Encoding: identity",
            "Content-Language: de",
            "Content-Type: image/jpeg",
            'ETag: "1b2cf5"',
            "Last-Modified: Wed, 12 Oct 2022 17:50:00 GMT",
            "x-amz-meta-Camera: a7",
            "x-amz-missing-meta: 2",
            "x-amz-storage-class: GLACIER",
            "x-amz-version-id: 3HL4",
        )
    )
    assert aws.call("s3.get_object", ON_KEY) == {
        "AcceptRanges": "bytes",
        "Body": b"\x00\xff",
        "CacheControl": "no-cache",
        "ContentDisposition": "inline",
        "ContentEncoding": "identity",
        "ContentLanguage": "de",
        "ContentLength": 2,
        "ContentType": "image/jpeg",
        "ETag": '"1b2cf5"',
        "LastModified": "2022-10-12T17:50:00+00:00",
        "Metadata": {"camera": "a7"},
        "MissingMeta": 2,
        "StorageClass": "GLACIER",
        "VersionId": "3HL4",
        "ResponseMetadata": META,
    }
    assert (aws.requests[0].method, aws.requests[0].target) == ("GET", "/photos/cat.jpg")


def test_get_object_with_conditions_range_and_version() -> None:
    """Conditions and range are headers; the version is a query parameter, quoted."""
    aws = CannedService(
        reply(b"bc", "Content-Range: bytes 1-2/4", status="206 Partial Content"),
    )
    result = aws.call(
        "s3.get_object",
        ON_KEY
        | {
            "IfMatch": '"x"',
            "IfModifiedSince": "Wed, 12 Oct 2022 17:50:00 GMT",
            "IfNoneMatch": '"y"',
            "IfUnmodifiedSince": "Thu, 13 Oct 2022 17:50:00 GMT",
            "Range": "bytes=1-2",
            "VersionId": "3/L4 +&x",
        },
    )
    assert (result["Body"], result["ContentRange"]) == (b"bc", "bytes 1-2/4")
    assert result["ResponseMetadata"]["HTTPStatusCode"] == 206
    request = aws.requests[0]
    assert request.target == "/photos/cat.jpg?versionId=3%2FL4%20%2B%26x"
    wanted = ("if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range")
    assert [request.headers[name] for name in wanted] == [
        '"x"',
        "Wed, 12 Oct 2022 17:50:00 GMT",
        '"y"',
        "Thu, 13 Oct 2022 17:50:00 GMT",
        "bytes=1-2",
    ]


def test_an_object_without_bytes_has_an_empty_body() -> None:
    """Nothing is not an error."""
    assert CannedService(reply()).call("s3.get_object", ON_KEY)["Body"] == b""


def test_get_object_of_unknown_length() -> None:
    """A body that comes in chunks is put together."""

    def chunks(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.send(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert CannedService(chunks).call("s3.get_object", ON_KEY)["Body"] == b"abcde"


def test_an_object_that_says_it_is_too_large_is_not_read() -> None:
    """What does not fit into memory is refused by its Content-Length; no slot is kept."""

    def huge(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\nx")

    with pytest.raises(AnswerTooLarge, match="16777217 bytes, at most 16777216"):
        CannedService(huge).call("s3.get_object", ON_KEY)


def test_an_object_that_breaks_off_is_an_error() -> None:
    """Half a body is never given as a whole one."""

    def half(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        exchange.cut()

    with pytest.raises(OutcomeUnknown):
        CannedService(half).call("s3.get_object", ON_KEY)


def test_head_object() -> None:
    """The headers of get_object, and a length without a body."""

    def head(exchange: Exchange) -> None:
        exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nETag: "1"\r\n\r\n')

    aws = CannedService(head)
    result = aws.call("s3.head_object", ON_KEY | {"Range": "bytes=0-1", "VersionId": "3HL4"})
    assert result == {
        "ContentLength": 99999999999,
        "ETag": '"1"',
        "Metadata": {},
        "ResponseMetadata": {"HTTPStatusCode": 200},
    }
    assert (aws.requests[0].method, aws.requests[0].headers["range"]) == ("HEAD", "bytes=0-1")
    assert aws.requests[0].target == "/photos/cat.jpg?versionId=3HL4"


COPIED = f"<CopyObjectResult {NS}><LastModified>2022-10-12T17:50:00.000Z</LastModified>\
<ETag>&quot;9b2c&quot;</ETag></CopyObjectResult>"


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("music/a b", "music/a%20b"),
        ("/music/a%20b", "music/a%20b"),
        ("music/a%2Bb//c", "music/a%2Bb//c"),
        ("music/a b?versionId=3HL4", "music/a%20b?versionId=3HL4"),
        ({"Bucket": "music", "Key": "ü?%"}, "music/%C3%BC%3F%25"),
        ({"Bucket": "music", "Key": "k", "VersionId": "3HL4"}, "music/k?versionId=3HL4"),
    ],
)
def test_copy_object(source: Any, header: str) -> None:
    """The source goes as a quoted header, whichever of boto3's two forms it is given in."""
    aws = CannedService(xml(COPIED, "x-amz-version-id: 3HL4"))
    result = aws.call(
        "s3.copy_object",
        ON_KEY
        | {"CopySource": source, "MetadataDirective": "REPLACE", "Metadata": {"camera": "a7"}},
    )
    assert result == {
        "CopyObjectResult": {"ETag": '"9b2c"', "LastModified": "2022-10-12T17:50:00.000Z"},
        "VersionId": "3HL4",
        "ResponseMetadata": META,
    }
    request = aws.requests[0]
    assert (request.method, request.target) == ("PUT", "/photos/cat.jpg")
    assert request.headers["x-amz-copy-source"] == header
    assert request.headers["x-amz-metadata-directive"] == "REPLACE"
    assert request.headers["x-amz-meta-camera"] == "a7"


@pytest.mark.parametrize(
    "source",
    [
        "no-slash", "bucket/", "/", "bü/key", "a\nb/key", "a?b/key",
        "bucket/" + "k" * 1025, "bucket/k?versionId=" + "v" * 1025,
    ],
)  # fmt: skip
def test_copy_object_from_nowhere_is_refused(source: str) -> None:
    """A source without key, or whose bucket cannot be one, is refused before anything is sent."""
    aws = CannedService(xml(COPIED))
    with pytest.raises(InvalidParam, match="CopySource"):
        aws.call("s3.copy_object", ON_KEY | {"CopySource": source})
    assert aws.requests == []


def test_copy_object_may_fail_inside_a_200() -> None:
    """S3 answers 200 before it copies, and may then say that it could not."""
    aws = CannedService(s3_error("SlowDown", "Reduce your request rate.", "200 OK"))
    with pytest.raises(BotoServerError) as caught:
        aws.call("s3.copy_object", ON_KEY | {"CopySource": "music/k"})
    assert (caught.value.status, caught.value.error_code) == (200, "SlowDown")
    assert caught.value.request_id == REQUEST_ID


def test_copy_object_may_keep_the_line_with_spaces() -> None:
    """While it copies, S3 sends white space; the document comes behind it."""
    result = CannedService(reply("  \n \n" + COPIED)).call(
        "s3.copy_object", ON_KEY | {"CopySource": "music/k"}
    )
    assert result["CopyObjectResult"]["ETag"] == '"9b2c"'


def test_delete_object() -> None:
    """A DELETE; the version that is now marked comes back."""
    aws = CannedService(reply(b"", "x-amz-version-id: 3HL4", status="204 No Content"))
    result = aws.call("s3.delete_object", ON_KEY | {"VersionId": "2"})
    assert result["VersionId"] == "3HL4"
    assert aws.requests[0].method == "DELETE"
    assert aws.requests[0].target == "/photos/cat.jpg?versionId=2"


def test_delete_objects() -> None:
    """One document with all keys, whatever characters they have; each has its own fate."""
    aws = CannedService(
        xml(
            f"<DeleteResult {NS}><Deleted><Key>a</Key><VersionId>1</VersionId></Deleted>"
            "<Error><Key>b &lt;</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
            "</DeleteResult>"
        )
    )
    keys = ["a", "b <&>\"'", " c\r\n\td ", "a//../b", "ü]]>"]
    objects: list[dict[str, str]] = [{"Key": key} for key in keys]
    objects[0]["VersionId"] = "<1>"
    result = aws.call(
        "s3.delete_objects", {"Bucket": "photos", "Delete": {"Objects": objects, "Quiet": True}}
    )
    assert result == {
        "Deleted": [{"Key": "a", "VersionId": "1"}],
        "Errors": [{"Key": "b <", "Code": "AccessDenied", "Message": "no"}],
        "ResponseMetadata": META,
    }
    request = aws.requests[0]
    assert (request.method, request.target) == ("POST", "/photos/?delete")
    digest = hashlib.md5(request.body).digest()
    assert request.headers["content-md5"] == base64.b64encode(digest).decode()
    assert request.headers["content-type"] == "application/xml"
    root = ET.fromstring(request.body)
    assert [item.findtext("Key") for item in root.findall("Object")] == keys
    assert [item.findtext("VersionId") for item in root.findall("Object")][:2] == ["<1>", None]
    assert root.findtext("Quiet") == "true"


def test_delete_objects_is_not_quiet_unless_asked() -> None:
    """Quiet is left out where it is false."""
    aws = CannedService(xml(f"<DeleteResult {NS}/>"))
    params = {"Bucket": "photos", "Delete": {"Objects": [{"Key": "a"}], "Quiet": False}}
    result = aws.call("s3.delete_objects", params)
    assert (result["Deleted"], result["Errors"]) == ([], [])
    assert b"Quiet" not in aws.requests[0].body


def test_delete_objects_may_fail_as_a_whole_inside_a_200() -> None:
    """A root called Error is an error, though entries called Error are not."""
    aws = CannedService(s3_error("InternalError", "We encountered an error.", "200 OK"))
    with pytest.raises(BotoServerError) as caught:
        aws.call("s3.delete_objects", {"Bucket": "photos", "Delete": {"Objects": [{"Key": "a"}]}})
    assert caught.value.error_code == "InternalError"


LISTED = f"""<ListBucketResult {NS}><Name>photos</Name><Prefix>a%2Bb+c</Prefix>
<Delimiter>%2F</Delimiter><StartAfter>%C3%BC</StartAfter><KeyCount>2</KeyCount>
<MaxKeys>2</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<ContinuationToken>1ue+G</ContinuationToken><NextContinuationToken>1w4+1</NextContinuationToken>
<Contents><Key>a%2Bb+c%0A</Key><LastModified>2022-10-12T17:50:00.000Z</LastModified>
<ETag>&quot;fb&quot;</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass>
<Owner><ID>75aa57</ID><DisplayName>minou</DisplayName></Owner></Contents>
<CommonPrefixes><Prefix>a%2Bb+c%2F</Prefix></CommonPrefixes></ListBucketResult>"""


def test_list_objects_v2() -> None:
    """One page, its keys unquoted, its tokens left alone."""
    aws = CannedService(xml(LISTED))
    result = aws.call(
        "s3.list_objects_v2",
        {
            "Bucket": "photos",
            "ContinuationToken": "1ue+G==",
            "Delimiter": "/",
            "FetchOwner": True,
            "MaxKeys": 2,
            "Prefix": "a+b c&",
            "StartAfter": "ü",
        },
    )
    assert result == {
        "CommonPrefixes": [{"Prefix": "a+b c/"}],
        "Contents": [
            {
                "ETag": '"fb"',
                "Key": "a+b c\n",
                "LastModified": "2022-10-12T17:50:00.000Z",
                "Owner": {"DisplayName": "minou", "ID": "75aa57"},
                "Size": 434234,
                "StorageClass": "STANDARD",
            }
        ],
        "ContinuationToken": "1ue+G",
        "Delimiter": "/",
        "IsTruncated": True,
        "KeyCount": 2,
        "MaxKeys": 2,
        "Name": "photos",
        "NextContinuationToken": "1w4+1",
        "Prefix": "a+b c",
        "StartAfter": "ü",
        "ResponseMetadata": META,
    }
    request = aws.requests[0]
    assert request.method == "GET"
    assert urlsplit(request.target).path == "/photos/"
    assert query_of(request) == {
        "list-type": "2",
        "encoding-type": "url",
        "continuation-token": "1ue+G==",
        "delimiter": "/",
        "fetch-owner": "true",
        "max-keys": "2",
        "prefix": "a+b c&",
        "start-after": "ü",
    }


def test_list_objects_v2_of_a_server_that_does_not_quote() -> None:
    """Keys are unquoted only if the answer says that they are quoted; counts are made good."""
    aws = CannedService(
        xml(
            "<ListBucketResult><Name>photos</Name><Prefix>%41</Prefix>"
            "<IsTruncated>false</IsTruncated><Contents><Key>a+b%20</Key></Contents>"
            "<CommonPrefixes><Prefix>c+</Prefix></CommonPrefixes></ListBucketResult>"
        )
    )
    result = aws.call("s3.list_objects_v2", {"Bucket": "photos"})
    assert (result["Prefix"], result["IsTruncated"], result["KeyCount"]) == ("%41", False, 2)
    assert result["Contents"] == [{"Key": "a+b%20", "Size": 0}]
    assert result["CommonPrefixes"] == [{"Prefix": "c+"}]


READS_XML: dict[str, dict[str, Any]] = {
    "list_buckets": {},
    "list_objects_v2": {"Bucket": "photos"},
    "copy_object": ON_KEY | {"CopySource": "music/k"},
    "delete_objects": {"Bucket": "photos", "Delete": {"Objects": [{"Key": "a"}]}},
}


@pytest.mark.parametrize(("operation", "params"), READS_XML.items())
@pytest.mark.parametrize(
    "body", ["", "<ListBucketResult><Name>x</Na", "plain text", "<html><body>Log in</body></html>"]
)
def test_what_is_not_s3s_answer_is_an_error(
    operation: str, params: dict[str, Any], body: str
) -> None:
    """Nothing, half a document and somebody else's page are not taken for an empty result."""
    with pytest.raises(BadAnswer):
        CannedService(reply(body)).call(f"s3.{operation}", params)


ALL = READS_XML | {
    "create_bucket": {"Bucket": "photos"},
    "delete_bucket": {"Bucket": "photos"},
    "put_object": ON_KEY | {"Body": b"x" * 100_000},
    "get_object": ON_KEY,
    "delete_object": ON_KEY,
}


def test_all_operations_have_a_test_of_their_errors() -> None:
    """The lists of this file are complete."""
    names = ALL.keys() | {"head_bucket", "head_object"}
    assert names == s3_operations()


def s3_operations() -> set[str]:
    """The names in S3's table."""
    from botod.daemon.services.s3_table import SERVICE  # noqa: PLC0415 - the table, here only

    return set(SERVICE.operations)


@pytest.mark.parametrize(("operation", "params"), ALL.items())
def test_errors_of_the_service(operation: str, params: dict[str, Any]) -> None:
    """A 4xx is raised with the service's own code, words and request id; its slot is given back."""
    aws = CannedService(s3_error("NoSuchBucket", "The bucket does not exist", "404 Not Found"))
    with pytest.raises(BotoServerError) as caught:
        aws.call(f"s3.{operation}", params)
    error = caught.value
    assert (error.status, error.error_code) == (404, "NoSuchBucket")
    assert (error.message, error.request_id) == ("The bucket does not exist", REQUEST_ID)
    assert len(aws.requests) == 1


@pytest.mark.parametrize("operation", ["head_bucket", "head_object"])
@pytest.mark.parametrize("status", ["404 Not Found", "304 Not Modified", "412 Precondition Failed"])
def test_errors_without_a_body(operation: str, status: str) -> None:
    """The answer to a HEAD has no body: the status is all there is."""
    aws = CannedService(reply(status=status))
    params = {"Bucket": "photos"} if operation == "head_bucket" else ON_KEY
    with pytest.raises(BotoServerError) as caught:
        aws.call(f"s3.{operation}", params)
    assert caught.value.status == int(status[:3])
    assert caught.value.error_code is None


def test_a_redirect_without_an_address_is_an_error() -> None:
    """S3 says 301 for a bucket of another region, and no Location."""
    error = s3_error("PermanentRedirect", "Use the endpoint", "301 Moved Permanently")
    with pytest.raises(BotoServerError) as caught:
        CannedService(error).call("s3.get_object", ON_KEY)
    assert (caught.value.status, caught.value.error_code) == (301, "PermanentRedirect")


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down"])
def test_a_5xx_is_tried_again(status: str, quick_retries: None) -> None:
    """As often as it is told; the last answer is the error."""
    aws = CannedService(s3_error("SlowDown", "Reduce your rate", status))
    with pytest.raises(BotoServerError) as caught:
        aws.call("s3.put_object", ON_KEY | {"Body": b"x"}, retries=2)
    assert caught.value.status == int(status[:3])
    assert [request.body for request in aws.requests] == [b"x"] * 3


def test_a_later_try_may_work(quick_retries: None) -> None:
    """A later answer that is good is the answer."""
    aws = CannedService(s3_error("SlowDown", "Slow", "503 Slow Down"), reply(b"miaow"))
    assert aws.call("s3.get_object", ON_KEY, retries=3)["Body"] == b"miaow"
    assert len(aws.requests) == 2


def test_a_connection_is_used_again() -> None:
    """Whatever an answer holds, its connection is good for the next request."""
    aws = CannedService(reply(b"", 'ETag: "1"'))
    aws.calls(*[("s3.put_object", ON_KEY | {"Body": b"x"})] * 3, ("s3.head_object", ON_KEY))
    assert (len(aws.requests), aws.connections_total) == (4, 1)


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
    calling = s3._CallingFormat()
    assert calling.build_host("s3.eu-central-1.amazonaws.com", bucket) == host
    assert calling.build_path_base(bucket, "k") == path


def test_own_endpoints_have_one_host_for_all_buckets() -> None:
    """A server that is not AWS's need not know names for each bucket."""
    keys = HeldKeys(*KEYS)
    own = s3.connect(None, keys, Endpoint("minio.internal", 9000, False, "us-east-1", True))  # type: ignore[arg-type]
    aws = s3.connect(None, keys, Endpoint("s3.amazonaws.com", 443, True, "us-east-1", False))  # type: ignore[arg-type]
    assert own.calling_format.build_host("minio.internal", "photos") == "minio.internal"
    assert aws.calling_format.build_host("s3.amazonaws.com", "photos") == "photos.s3.amazonaws.com"
    assert (own.is_secure, own.port, aws.is_secure, aws.port) == (False, 9000, True, 443)
