"""S3's table: which parameters are refused, and which operations may be repeated."""

from typing import Any

import pytest

from botod.daemon.services.s3_table import SERVICE
from botod.daemon.services.shapes import InvalidParam

ON_KEY = {"Bucket": "photos", "Key": "cat.jpg"}


@pytest.mark.parametrize(
    ("operation", "params", "named"),
    [
        ("get_object", {"Bucket": "photos"}, "Key is missing"),
        ("get_object", ON_KEY | {"Key": ""}, "Key must not be empty"),
        ("get_object", ON_KEY | {"Key": "k" * 1025}, "Key has 1025 bytes; 1024 may be"),
        ("get_object", ON_KEY | {"Key": "ü" * 513}, "Key has 1026 bytes; 1024 may be"),
        ("get_object", ON_KEY | {"Bucket": "ab"}, "Bucket"),
        # From a host name up to the first slash is where curl would connect to.
        ("get_object", ON_KEY | {"Bucket": "localhost:80/x"}, "Bucket may hold"),
        ("get_object", ON_KEY | {"Bucket": "[::1]:80/x"}, "Bucket may hold"),
        ("get_object", ON_KEY | {"Bucket": "user@localhost/x"}, "Bucket may hold"),
        ("get_object", ON_KEY | {"Bucket": "photos?acl&x="}, "Bucket may hold"),
        ("delete_bucket", {"Bucket": "photos/../music"}, "Bucket may hold"),
        ("get_object", ON_KEY | {"Range": "bytes=0-\r\nx: y"}, "Range travels in a header"),
        ("put_object", ON_KEY | {"Metadata": {"a b": "1"}}, "a key of Metadata travels"),
        ("put_object", ON_KEY | {"Metadata": {"a": "ü"}}, "Metadata.a travels in a header"),
        (
            "copy_object",
            ON_KEY | {"CopySource": {"Bucket": "a/b", "Key": "k"}},
            "CopySource.Bucket",
        ),
        (
            "put_object",
            ON_KEY | {"Metadata": {"a": "x" * 1000, "b": "y" * 1047}},
            "Metadata has 2049 bytes of keys and values; 2048 may be",
        ),
        ("copy_object", ON_KEY | {"CopySource": "a/" + "b" * 5119}, "CopySource has 5121 bytes"),
        ("list_objects_v2", {"Bucket": "photos", "Prefix": "x" * 1025}, "Prefix has 1025 bytes"),
        ("copy_object", ON_KEY | {"CopySource": "a/b", "MetadataDirective": "x"}, "COPY, REPLACE"),
        ("delete_objects", {"Bucket": "photos", "Delete": {"Objects": []}}, "Delete.Objects has 0"),
        (
            "delete_objects",
            {"Bucket": "photos", "Delete": {"Objects": [{"Key": "k"}] * 1001}},
            "Delete.Objects has 1001",
        ),
        ("list_objects_v2", {"Bucket": "photos", "MaxKeys": 1001}, "MaxKeys is 1001"),
        ("list_buckets", {"Bucket": "photos"}, "Bucket is unknown"),
    ],
)
def test_refused_before_anything_is_sent(
    operation: str, params: dict[str, Any], named: str
) -> None:
    """The refusal names the parameter."""
    with pytest.raises(InvalidParam) as caught:
        SERVICE.operations[operation].params.read(params, "")
    assert named in str(caught.value)


@pytest.mark.parametrize("condition", ["IfMatch", "IfNoneMatch"])
def test_a_conditional_put_may_not_be_repeated(condition: str) -> None:
    """Its condition may hold only the first time."""
    put = SERVICE.operations["put_object"]
    assert put.is_idempotent(ON_KEY)
    assert not put.is_idempotent(ON_KEY | {condition: "*"})


def test_all_else_may_be_repeated() -> None:
    """A conditional read changes nothing."""
    assert all(row.idempotent for row in SERVICE.operations.values())
    conditional = {name for name, row in SERVICE.operations.items() if row.unless}
    assert conditional == {"put_object", "copy_object", "upload_file"}
