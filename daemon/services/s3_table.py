"""S3's table of operations."""

from botod.daemon.services import s3
from botod.daemon.services.operation import Operation, Service
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

_BUCKET = BucketName(min_length=3, max_length=255)
_KEY = Text(min_length=1, max_length=1024)
_VERSION = HeaderText(min_length=1)
_ON_BUCKET: dict[str, Shape] = {"Bucket": _BUCKET}
_ON_OBJECT: dict[str, Shape] = {"Bucket": _BUCKET, "Key": _KEY}
_CONTENT: dict[str, Shape] = {
    "CacheControl": HeaderText(),
    "ContentDisposition": HeaderText(),
    "ContentEncoding": HeaderText(),
    "ContentLanguage": HeaderText(),
    "ContentType": HeaderText(),
    "Metadata": MapOf(HeaderName(min_length=1), HeaderText()),
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
    default_host="s3.{region}.amazonaws.com",
    operations={
        "create_bucket": Operation(
            Struct(
                _ON_BUCKET,
                {"CreateBucketConfiguration": Struct({"LocationConstraint": Text(1)})},
            ),
            s3.create_bucket,
            idempotent=True,
        ),
        "delete_bucket": Operation(Struct(_ON_BUCKET), s3.delete_bucket, idempotent=True),
        "list_buckets": Operation(Struct(), s3.list_buckets, idempotent=True),
        "head_bucket": Operation(Struct(_ON_BUCKET), s3.head_bucket, idempotent=True),
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
            unless=("IfMatch", "IfNoneMatch"),
            sends="Body",
        ),
        "get_object": Operation(
            Struct(_ON_OBJECT, _CONDITIONS | {"Body": Destination()}),
            s3.get_object,
            idempotent=True,
            receives="Body",
        ),
        "head_object": Operation(Struct(_ON_OBJECT, _CONDITIONS), s3.head_object, idempotent=True),
        "copy_object": Operation(
            Struct(
                _ON_OBJECT
                | {
                    "CopySource": Either(
                        Text(1), Struct({"Bucket": _BUCKET, "Key": _KEY}, {"VersionId": _VERSION})
                    )
                },
                _CONTENT | {"MetadataDirective": Text(choices=("COPY", "REPLACE"))},
            ),
            s3.copy_object,
            idempotent=True,
        ),
        "delete_object": Operation(
            Struct(_ON_OBJECT, {"VersionId": _VERSION}), s3.delete_object, idempotent=True
        ),
        "delete_objects": Operation(
            Struct(
                _ON_BUCKET
                | {
                    "Delete": Struct(
                        {
                            "Objects": ListOf(
                                Struct({"Key": _KEY}, {"VersionId": _VERSION}), 1, 1000
                            )
                        },
                        {"Quiet": Flag()},
                    )
                },
            ),
            s3.delete_objects,
            idempotent=True,
        ),
        "list_objects_v2": Operation(
            Struct(
                _ON_BUCKET,
                {
                    "ContinuationToken": Text(1),
                    "Delimiter": Text(),
                    "FetchOwner": Flag(),
                    "MaxKeys": Number(0, 1000),
                    "Prefix": Text(),
                    "StartAfter": Text(),
                },
            ),
            s3.list_objects_v2,
            idempotent=True,
        ),
    },
)
