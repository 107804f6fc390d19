"""S3: what goes out for each operation, and what is made of S3's answers."""

import base64
import hashlib
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from botod.daemon.services.errors import BadAnswer
from botod.pool import HeldKeys
from support.pools import KEYS
from support.rigs import ON_KEY
from support.services import META, REQUEST_ID, CannedService, query_of, reply, s3_error, xml

from boto.exception import BotoServerError

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


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
    "upload_file": ON_KEY | {"Body": b"x"},
    "download_file": ON_KEY,
}


def test_all_operations_have_a_test_of_their_errors() -> None:
    """The lists of this file are complete."""
    names = ALL.keys() | {"head_bucket", "head_object", "generate_presigned_url"}
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
