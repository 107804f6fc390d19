"""S3's headers and AWS's names for them, both ways."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from botod.daemon.services import checksums
from botod.daemon.services.answers import metadata, moment, whole_number
from botod.daemon.services.operation import Params, Result

Reader = Callable[[str, str], Any]
"""Makes a result of a header's value; it is told the result's name, for an error."""

Results = Mapping[str, tuple[str, Reader | None]]
"""By headers in lower case: the result's name, and its reader; None: the value is the result."""


def _flag(text: str, _name: str) -> bool:
    return text == "true"


READERS: Mapping[str, Reader] = {
    "BucketKeyEnabled": _flag,
    "ContentLength": whole_number,
    "DeleteMarker": _flag,
    "LastModified": moment,
    "MissingMeta": whole_number,
    "PartsCount": whole_number,
    "Size": whole_number,
    "TagCount": whole_number,
}
"""Results that are more than their header's text."""


def by_header(names: Mapping[str, str]) -> Results:
    """The results that stand in an answer's head. names: their headers."""
    return {header.lower(): (name, READERS.get(name)) for name, header in names.items()}


CONTENT = {
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
    "Expires": "Expires",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
}
"""What an object has beside its bytes."""

LOCK = {
    "ObjectLockMode": "x-amz-object-lock-mode",
    "ObjectLockRetainUntilDate": "x-amz-object-lock-retain-until-date",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
}

ACCESS = {
    "ACL": "x-amz-acl",
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWriteACP": "x-amz-grant-write-acp",
}

ENCRYPTION = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "SSEKMSEncryptionContext": "x-amz-server-side-encryption-context",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
}

CUSTOMER_KEY = {
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
    "SSECustomerKey": "x-amz-server-side-encryption-customer-key",
}

SOURCE_KEY = {
    f"CopySource{name}": header.replace("x-amz-", "x-amz-copy-source-")
    for name, header in CUSTOMER_KEY.items()
}

WHOSE = {
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "RequestPayer": "x-amz-request-payer",
}
"""What goes with every request about an object."""

WRITE_CONDITIONS = {"IfMatch": "If-Match", "IfNoneMatch": "If-None-Match"}

READ_CONDITIONS = WRITE_CONDITIONS | {
    "IfModifiedSince": "If-Modified-Since",
    "IfUnmodifiedSince": "If-Unmodified-Since",
}

NEW_OBJECT = CONTENT | LOCK | ACCESS | ENCRYPTION | CUSTOMER_KEY | WHOSE
"""What is said when an object is made."""

PUT = (
    NEW_OBJECT
    | WRITE_CONDITIONS
    | {"ContentMD5": "Content-MD5"}
    | {param: checksums.header_of(name) for param, name in checksums.PARAMS.items()}
)

READ = (
    READ_CONDITIONS
    | CUSTOMER_KEY
    | WHOSE
    | {"Range": "Range", "ChecksumMode": "x-amz-checksum-mode"}
)

READ_QUERY = {
    "PartNumber": "partNumber",
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentEncoding": "response-content-encoding",
    "ResponseContentLanguage": "response-content-language",
    "ResponseContentType": "response-content-type",
    "ResponseExpires": "response-expires",
    "VersionId": "versionId",
}

COPY = (
    NEW_OBJECT
    | WRITE_CONDITIONS
    | SOURCE_KEY
    | {
        "ChecksumAlgorithm": "x-amz-checksum-algorithm",
        "CopySourceIfMatch": "x-amz-copy-source-if-match",
        "CopySourceIfModifiedSince": "x-amz-copy-source-if-modified-since",
        "CopySourceIfNoneMatch": "x-amz-copy-source-if-none-match",
        "CopySourceIfUnmodifiedSince": "x-amz-copy-source-if-unmodified-since",
        "ExpectedSourceBucketOwner": "x-amz-source-expected-bucket-owner",
        "MetadataDirective": "x-amz-metadata-directive",
        "TaggingDirective": "x-amz-tagging-directive",
    }
)

_ENCRYPTED = ENCRYPTION | {
    "RequestCharged": "x-amz-request-charged",
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
    "SSECustomerKeyMD5": "x-amz-server-side-encryption-customer-key-md5",
    "VersionId": "x-amz-version-id",
}

PUT_RESULT = by_header(
    _ENCRYPTED
    | checksums.RESULT
    | {"ETag": "etag", "Expiration": "x-amz-expiration", "Size": "x-amz-object-size"}
)

COPY_RESULT = by_header(
    _ENCRYPTED
    | {
        "CopySourceVersionId": "x-amz-copy-source-version-id",
        "Expiration": "x-amz-expiration",
    }
)

OBJECT_RESULT = by_header(
    _ENCRYPTED
    | checksums.RESULT
    | LOCK
    | {name: header for name, header in CONTENT.items() if name != "Tagging"}
    | {
        "AcceptRanges": "accept-ranges",
        "ArchiveStatus": "x-amz-archive-status",
        "ContentLength": "content-length",
        "ContentRange": "content-range",
        "DeleteMarker": "x-amz-delete-marker",
        "ETag": "etag",
        "Expiration": "x-amz-expiration",
        "LastModified": "last-modified",
        "MissingMeta": "x-amz-missing-meta",
        "PartsCount": "x-amz-mp-parts-count",
        "ReplicationStatus": "x-amz-replication-status",
        "Restore": "x-amz-restore",
        "TagCount": "x-amz-tagging-count",
    }
)

METADATA = "x-amz-meta-"
"""How the headers of an object's own metadata begin."""


def headers_of(params: Params, names: Mapping[str, str]) -> dict[str, str]:
    """The headers for those of the params that `names` has."""
    headers = {}
    for name, value in params.items():
        if name not in names:
            continue
        header = names[name]
        if isinstance(value, bytes):  # a key of the customer's
            digest = hashlib.md5(value, usedforsecurity=False).digest()
            headers[header] = base64.b64encode(value).decode()
            headers[f"{header}-MD5"] = base64.b64encode(digest).decode()
        else:
            headers[header] = wire_text(value)
    return headers


def metadata_headers(params: Params) -> dict[str, str]:
    if "Metadata" not in params:
        return {}
    return {METADATA + name: value for name, value in params["Metadata"].items()}


def query_of(params: Params, names: Mapping[str, str]) -> dict[str, str]:
    """The query for those of the params that `names` has, in their order."""
    query = {}
    for name, value in params.items():
        if name in names:
            query[names[name]] = wire_text(value)
    return query


def wire_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def with_headers(response: Any, results: Results) -> Result:
    """What those of the headers say that the response has, under AWS's result names."""
    found: Result = {}
    for header, text in response.fields.items():
        if header in results:
            name, read = results[header]
            found[name] = text if read is None else read(text, name)
    return found | metadata(response)


def object_headers(response: Any) -> Result:
    """What a response says about an object."""
    result = with_headers(response, OBJECT_RESULT)
    result["Metadata"] = own = {}
    for header, text in response.fields.items():
        if header.startswith(METADATA):
            own[header.removeprefix(METADATA)] = text
    return result
