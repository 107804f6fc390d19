"""S3's table of operations."""

from collections.abc import Iterable

from botod.daemon.services import (
    checksums,
    s3,
    s3_download,
    s3_objects,
    s3_presign,
    s3_upload,
)
from botod.daemon.services.operation import Operation, Service
from botod.daemon.services.resources import BUCKET, OBJECT, OBJECTS, PRESIGNED, UNTOLD, copied
from botod.daemon.services.s3_connection import connect
from botod.daemon.services.s3_headers import COPY, PUT, READ, READ_QUERY
from botod.daemon.services.s3_upload import MAX_PARTS
from botod.daemon.services.shapes import (
    Body,
    BucketName,
    CustomerKey,
    Destination,
    Either,
    Flag,
    HeaderName,
    HeaderText,
    ListOf,
    MapOf,
    Number,
    Shape,
    Struct,
    Text,
)

MAX_METADATA_BYTES = 2048
"""S3's bound on what a user says about an object, keys and values together."""

MAX_TOKEN_BYTES = 4096
"""Of a place in a list, which S3 does not say: a key in hex or quoted, with room to spare."""

MAX_REGION_LENGTH = 64
"""Of a region's name; AWS's have some twenty characters."""

BUCKET_NAME = BucketName(min_length=3, max_length=255)
KEY = Text(min_length=1, max_bytes=s3.MAX_KEY_BYTES)
_PART_OF_KEY = Text(max_bytes=s3.MAX_KEY_BYTES)
_VERSION = HeaderText(min_length=1, max_bytes=s3.MAX_VERSION_BYTES)
COPY_SOURCE = Either(
    Text(1, max_bytes=s3.MAX_COPY_SOURCE_BYTES),
    Struct({"Bucket": BUCKET_NAME, "Key": KEY}, {"VersionId": _VERSION}),
)
_ON_BUCKET: dict[str, Shape] = {"Bucket": BUCKET_NAME}
_ON_OBJECT: dict[str, Shape] = {"Bucket": BUCKET_NAME, "Key": KEY}
_ALGORITHM = Text(choices=tuple(checksums.ALGORITHMS))
_SPECIAL: dict[str, Shape] = {
    "BucketKeyEnabled": Flag(),
    "ChecksumAlgorithm": _ALGORITHM,
    "ChecksumMode": Text(choices=("ENABLED",)),
    "CopySourceSSECustomerKey": CustomerKey(),
    "MetadataDirective": Text(choices=("COPY", "REPLACE")),
    "PartNumber": Number(1, MAX_PARTS),
    "SSECustomerKey": CustomerKey(),
    "TaggingDirective": Text(choices=("COPY", "REPLACE")),
    "VersionId": _VERSION,
}
"""Params whose shape is not just a text that travels in a header."""


def _shaped(*names: Iterable[str]) -> dict[str, Shape]:
    """The shapes of params that become headers, or parts of a query."""
    return {name: _SPECIAL.get(name, HeaderText()) for some in names for name in some}


_METADATA: dict[str, Shape] = {
    "Metadata": MapOf(HeaderName(min_length=1), HeaderText(), total_bytes=MAX_METADATA_BYTES)
}
_BODY: dict[str, Shape] = {"Body": Body(), "ContentLength": Number()}
_PUT = _shaped(PUT, ["ChecksumAlgorithm"]) | _METADATA
_READ = _shaped(READ, READ_QUERY)
_CONDITIONS = ("IfMatch", "IfNoneMatch")
_OF_A_PART = ("PartNumber", "Range")
_IN_PARTS = [name for name in PUT if name not in {"ContentMD5", "ChecksumSHA1", "ChecksumSHA256"}]

SERVICE: Service = Service(
    connect=connect,
    operations={
        "create_bucket": Operation(
            Struct(
                _ON_BUCKET,
                {
                    "CreateBucketConfiguration": Struct({
                        "LocationConstraint": Text(1, MAX_REGION_LENGTH)
                    })
                },
            ),
            s3.create_bucket,
            idempotent=True,
            resources=BUCKET,
        ),
        "delete_bucket": Operation(
            Struct(_ON_BUCKET), s3.delete_bucket, idempotent=True, resources=BUCKET
        ),
        "list_buckets": Operation(Struct(), s3.list_buckets, idempotent=True, resources=UNTOLD),
        "head_bucket": Operation(
            Struct(_ON_BUCKET), s3.head_bucket, idempotent=True, resources=BUCKET
        ),
        "put_object": Operation(
            Struct(
                _ON_OBJECT,
                _PUT | _BODY,
            ),
            s3_objects.put_object,
            idempotent=True,
            resources=OBJECT,
            unless=_CONDITIONS,
            sends="Body",
        ),
        "get_object": Operation(
            Struct(_ON_OBJECT, _READ | {"Body": Destination()}),
            s3_objects.get_object,
            idempotent=True,
            resources=OBJECT,
            receives="Body",
        ),
        "head_object": Operation(
            Struct(_ON_OBJECT, _READ), s3_objects.head_object, idempotent=True, resources=OBJECT
        ),
        "copy_object": Operation(
            Struct(
                _ON_OBJECT | {"CopySource": COPY_SOURCE},
                _shaped(COPY) | _METADATA,
            ),
            s3_objects.copy_object,
            idempotent=True,
            resources=copied(s3.copy_source),
            unless=_CONDITIONS,
        ),
        "upload_file": Operation(
            Struct(_ON_OBJECT, _shaped(_IN_PARTS, ["ChecksumAlgorithm"]) | _METADATA | _BODY),
            s3_upload.upload_file,
            idempotent=True,
            resources=OBJECT,
            unless=_CONDITIONS,
            sends="Body",
            in_parts=True,
            is_composite=True,
            acts_as="put_object",
        ),
        "download_file": Operation(
            Struct(
                _ON_OBJECT,
                {name: shape for name, shape in _READ.items() if name not in _OF_A_PART}
                | {"Body": Destination()},
            ),
            s3_download.download_file,
            idempotent=True,
            resources=OBJECT,
            receives="Body",
            in_parts=True,
            is_composite=True,
            acts_as="get_object",
        ),
        "generate_presigned_url": Operation(
            Struct(
                {
                    "ClientMethod": Text(choices=tuple(s3_presign.METHODS)),
                    "Params": Struct(_ON_OBJECT, _PUT | _READ),
                },
                {"ExpiresIn": Number(1, s3_presign.MAX_EXPIRES_S)},
            ),
            s3_presign.generate_presigned_url,
            idempotent=True,
            resources=PRESIGNED,
            is_explicit=True,
            stands_for="ClientMethod",
        ),
        "delete_object": Operation(
            Struct(_ON_OBJECT, {"VersionId": _VERSION}),
            s3.delete_object,
            idempotent=True,
            resources=OBJECT,
        ),
        "delete_objects": Operation(
            Struct(
                _ON_BUCKET
                | {
                    "Delete": Struct(
                        {"Objects": ListOf(Struct({"Key": KEY}, {"VersionId": _VERSION}), 1, 1000)},
                        {"Quiet": Flag()},
                    )
                },
            ),
            s3.delete_objects,
            idempotent=True,
            resources=OBJECTS,
        ),
        "list_objects_v2": Operation(
            Struct(
                _ON_BUCKET,
                {
                    "ContinuationToken": Text(1, max_bytes=MAX_TOKEN_BYTES),
                    "Delimiter": _PART_OF_KEY,
                    "FetchOwner": Flag(),
                    "MaxKeys": Number(0, 1000),
                    "Prefix": _PART_OF_KEY,
                    "StartAfter": _PART_OF_KEY,
                },
            ),
            s3.list_objects_v2,
            idempotent=True,
            resources=BUCKET,
        ),
    },
)
