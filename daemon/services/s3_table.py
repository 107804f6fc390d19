"""S3's table of operations."""

from botod.daemon.services import s3
from botod.daemon.services.operation import Operation, Service
from botod.daemon.services.resources import BUCKET, OBJECT, OBJECTS, UNTOLD, copied
from botod.daemon.services.shapes import (
    Body,
    BucketName,
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
_CONTENT: dict[str, Shape] = {
    "CacheControl": HeaderText(),
    "ContentDisposition": HeaderText(),
    "ContentEncoding": HeaderText(),
    "ContentLanguage": HeaderText(),
    "ContentType": HeaderText(),
    "Metadata": MapOf(HeaderName(min_length=1), HeaderText(), total_bytes=MAX_METADATA_BYTES),
    "StorageClass": HeaderText(),
}
_CONDITIONS: dict[str, Shape] = {
    "IfMatch": HeaderText(),
    "IfModifiedSince": HeaderText(),
    "IfNoneMatch": HeaderText(),
    "IfUnmodifiedSince": HeaderText(),
    "Range": HeaderText(),
    "VersionId": _VERSION,
}

SERVICE = Service(
    connect=s3.connect,
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
                _CONTENT
                | {
                    "Body": Body(),
                    "ContentLength": Number(),
                    "ContentMD5": HeaderText(),
                    "IfMatch": HeaderText(),
                    "IfNoneMatch": HeaderText(),
                },
            ),
            s3.put_object,
            idempotent=True,
            resources=OBJECT,
            unless=("IfMatch", "IfNoneMatch"),
            sends="Body",
        ),
        "get_object": Operation(
            Struct(_ON_OBJECT, _CONDITIONS | {"Body": Destination()}),
            s3.get_object,
            idempotent=True,
            resources=OBJECT,
            receives="Body",
        ),
        "head_object": Operation(
            Struct(_ON_OBJECT, _CONDITIONS), s3.head_object, idempotent=True, resources=OBJECT
        ),
        "copy_object": Operation(
            Struct(
                _ON_OBJECT | {"CopySource": COPY_SOURCE},
                _CONTENT | {"MetadataDirective": Text(choices=("COPY", "REPLACE"))},
            ),
            s3.copy_object,
            idempotent=True,
            resources=copied(s3.copy_source),
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
