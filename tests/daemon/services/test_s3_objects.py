"""S3's objects: what goes out for each operation, and what is made of S3's answers."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from botod.daemon.services import CATALOG, s3_objects
from botod.daemon.services.errors import AnswerTooLarge, BadAnswer
from botod.daemon.services.operation import Operation
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import InvalidParam, Struct
from botod.daemon.sources import BodyTooShort
from botod.pool import OutcomeUnknown
from support.http_server import Exchange
from support.rigs import ON_KEY
from support.services import META, REQUEST_ID, CannedService, reply, s3_error, xml

from boto.exception import BotoServerError

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

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
    params = ON_KEY | {"Body": body}
    sends = Operation(
        Struct(),
        lambda connection, _: s3_objects.put_object(connection, params),
        False,
        resources=UNTOLD,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CATALOG, "operation", lambda *_names: sends)
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


PUT_CRC32 = "y/Q5Jg=="


def test_a_checksum_is_computed_where_it_is_asked_for() -> None:
    """And S3's answer compared with it."""
    aws = CannedService(reply(b"", f"x-amz-checksum-crc32: {PUT_CRC32}"), reply())
    body = {"Body": b"123456789", "ChecksumAlgorithm": "CRC32"}
    assert aws.call("s3.put_object", ON_KEY | body)["ChecksumCRC32"] == PUT_CRC32
    assert aws.requests[0].headers["x-amz-checksum-crc32"] == PUT_CRC32
    assert aws.requests[0].headers["x-amz-sdk-checksum-algorithm"] == "CRC32"
    aws.call("s3.put_object", ON_KEY | {"Body": b"1", "ChecksumSHA256": "given"})
    assert aws.requests[1].headers["x-amz-checksum-sha256"] == "given"
    wrong = CannedService(reply(b"", "x-amz-checksum-crc32: AAAAAA=="))
    with pytest.raises(BadAnswer, match="CRC32"):
        wrong.call("s3.put_object", ON_KEY | body)


def test_what_is_locked_has_a_checksum() -> None:
    """S3 takes it with none."""
    aws = CannedService(reply())
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2030-01-01T00:00:00Z"}
    aws.calls(
        ("s3.put_object", ON_KEY | lock | {"Body": b"x"}),
        ("s3.put_object", ON_KEY | lock | {"Body": b"x", "ContentMD5": "given"}),
    )
    first, second = (request.headers for request in aws.requests)
    assert "x-amz-checksum-crc64nvme" in first
    assert "x-amz-checksum-crc64nvme" not in second
    assert (first["x-amz-object-lock-mode"], second["content-md5"]) == ("GOVERNANCE", "given")


def test_a_key_of_the_customer_s_goes_with_its_md5() -> None:
    """As it is, not in base64: that is ours to do."""
    aws = CannedService(reply(b"miaow"))
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"\x00" * 32}
    aws.call("s3.get_object", ON_KEY | key)
    headers = aws.requests[0].headers
    name = "x-amz-server-side-encryption-customer-key"
    assert headers[name] == base64.b64encode(b"\x00" * 32).decode()
    digest = hashlib.md5(b"\x00" * 32, usedforsecurity=False).digest()
    assert headers[f"{name}-md5"] == base64.b64encode(digest).decode()
    with pytest.raises(InvalidParam, match="32 have to be"):
        aws.call("s3.get_object", ON_KEY | key | {"SSECustomerKey": "short"})


@pytest.mark.parametrize("is_right", [True, False])
def test_a_whole_object_is_compared_with_its_checksum(is_right: bool) -> None:
    """A part of one is not: the checksum is the whole's."""
    content = b"123456789" if is_right else b"changed"
    aws = CannedService(reply(content, f"x-amz-checksum-crc32: {PUT_CRC32}"))
    aws.call("s3.get_object", ON_KEY | {"Range": "bytes=0-8"})
    if is_right:
        assert aws.call("s3.get_object", ON_KEY)["ChecksumCRC32"] == PUT_CRC32
    else:
        with pytest.raises(BadAnswer, match="CRC32"):
            aws.call("s3.get_object", ON_KEY)


def test_nothing_is_asked_of_a_server_of_one_s_own() -> None:
    """Not all know of checksums."""
    aws = CannedService(reply(b""))
    aws.call("s3.get_object", ON_KEY)
    assert "x-amz-checksum-mode" not in aws.requests[0].headers
