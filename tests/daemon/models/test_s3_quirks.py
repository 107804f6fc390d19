"""S3's answers where they are not as its model has them."""

from typing import Any

import pytest

from support.services import CannedService, xml

BUCKET = {"Bucket": "bucket"}


@pytest.mark.parametrize(
    ("operation", "inside", "expected"),
    [
        (
            "list_objects",
            (
                "<Prefix>a%2Fb</Prefix><NextMarker>x%20y</NextMarker><Contents><Key>a+b%01</Key>"
                "</Contents><CommonPrefixes><Prefix>c%2F</Prefix></CommonPrefixes>"
            ),
            {
                "Prefix": "a/b",
                "NextMarker": "x y",
                "Contents": [{"Key": "a b\x01"}],
                "CommonPrefixes": [{"Prefix": "c/"}],
            },
        ),
        (
            "list_object_versions",
            (
                "<KeyMarker>%25</KeyMarker><Version><Key>%C3%BC</Key></Version>"
                "<DeleteMarker><Key>%26</Key></DeleteMarker>"
            ),
            {"KeyMarker": "%", "Versions": [{"Key": "ü"}], "DeleteMarkers": [{"Key": "&"}]},
        ),
        (
            "list_multipart_uploads",
            "<NextKeyMarker>%25</NextKeyMarker><Upload><Key>%23</Key></Upload>",
            {"NextKeyMarker": "%", "Uploads": [{"Key": "#"}]},
        ),
    ],
)
def test_listed_keys_are_unquoted(operation: str, inside: str, expected: Any) -> None:
    """They were asked for quoted; who asks for that gets them as they come."""
    document = f"<Result><EncodingType>url</EncodingType>{inside}</Result>"
    service = CannedService(xml(document))
    answer = service.call(f"s3.{operation}", BUCKET)
    del answer["ResponseMetadata"]
    assert answer == expected
    assert "encoding-type=url" in service.requests[0].target
    quoted = service.call(f"s3.{operation}", BUCKET | {"EncodingType": "url"})
    assert quoted["EncodingType"] == "url"
    assert "%" in str(quoted)


def test_keys_of_a_server_that_does_not_quote_stay() -> None:
    """It does not say that it did."""
    service = CannedService(xml("<Result><Contents><Key>a+b%20c</Key></Contents></Result>"))
    assert service.call("s3.list_objects", BUCKET)["Contents"] == [{"Key": "a+b%20c"}]


@pytest.mark.parametrize(
    ("document", "region"),
    [
        ("<LocationConstraint>eu-west-1</LocationConstraint>", "eu-west-1"),
        ('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>', None),
    ],
)
def test_a_bucket_s_region_is_the_document(document: str, region: str | None) -> None:
    """None is us-east-1, as boto3 gives it."""
    answer = CannedService(xml(document)).call("s3.get_bucket_location", BUCKET)
    assert answer["LocationConstraint"] == region
