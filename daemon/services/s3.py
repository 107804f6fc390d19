"""S3: how a request is made, and what its operations on buckets and lists do."""

import base64
import hashlib
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, unquote_plus
from xml.sax.saxutils import escape

from botod.daemon.services.answers import (
    all_of,
    checked,
    metadata,
    read_document,
    root_of,
    text_of,
    texts_of,
    whole_number,
)
from botod.daemon.services.operation import Params, Result, Source
from botod.daemon.services.s3_headers import by_header, query_of, with_headers
from botod.daemon.services.sending import send_source
from botod.daemon.services.shapes import BucketName, InvalidParam, Text

MAX_KEY_BYTES = 1024
"""S3's bound, of a key as UTF-8."""

MAX_VERSION_BYTES = 1024
"""S3's bound, of a version's name."""

MAX_COPY_SOURCE_BYTES = 5 * 1024
"""Of a CopySource as a text: a key with each of its bytes quoted, bucket and version beside it."""


def create_bucket(connection: Any, params: Params) -> Result:
    location = params.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    data = b""
    if location:
        data = (
            "<CreateBucketConfiguration><LocationConstraint>"
            f"{escape(location)}</LocationConstraint></CreateBucketConfiguration>"
        ).encode()
    response = checked(request(connection, "PUT", params, data=data))
    return with_headers(response, _CREATED)


def delete_bucket(connection: Any, params: Params) -> Result:
    return metadata(checked(request(connection, "DELETE", params)))


def list_buckets(connection: Any, params: Params) -> Result:
    response = request(connection, "GET", params)
    root = root_of(response, "ListAllMyBucketsResult")
    buckets = [
        texts_of(bucket, ("Name", "CreationDate"))
        for holder in all_of(root, "Buckets")
        for bucket in all_of(holder, "Bucket")
    ]
    owners = [texts_of(owner, ("DisplayName", "ID")) for owner in all_of(root, "Owner")]
    return {"Buckets": buckets, "Owner": owners[0] if owners else {}} | metadata(response)


def head_bucket(connection: Any, params: Params) -> Result:
    response = checked(request(connection, "HEAD", params))
    return with_headers(response, _BUCKET)


def delete_object(connection: Any, params: Params) -> Result:
    query = query_of(params, {"VersionId": "versionId"})
    response = checked(request(connection, "DELETE", params, query=query))
    return with_headers(response, _DELETED)


def delete_objects(connection: Any, params: Params) -> Result:
    data = _delete_document(params["Delete"])
    headers = {
        "Content-MD5": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
        "Content-Type": "application/xml",
    }
    response = request(connection, "POST", params, query={"delete": ""}, headers=headers, data=data)
    root = root_of(response, "DeleteResult")
    deleted = [texts_of(item, ("Key", "VersionId")) for item in all_of(root, "Deleted")]
    errors = [
        texts_of(item, ("Key", "VersionId", "Code", "Message")) for item in all_of(root, "Error")
    ]
    return {"Deleted": deleted, "Errors": errors} | metadata(response)


def list_objects_v2(connection: Any, params: Params) -> Result:
    query = {"list-type": "2", "encoding-type": "url"}
    query |= query_of(params, _LIST_QUERY)
    response = request(connection, "GET", params, query=query)
    return read_document(response, "ListBucketResult", _list) | metadata(response)


def _list(root: Any) -> Result:
    # Keys may hold characters that XML cannot, so they are asked for and come quoted.
    is_quoted = text_of(root, "EncodingType") == "url"
    result = texts_of(root, ("Name", "Prefix", "Delimiter", "StartAfter"))
    for name in ("Prefix", "Delimiter", "StartAfter"):
        if name in result:
            result[name] = _unquoted(result[name], is_quoted=is_quoted)
    result |= texts_of(root, ("ContinuationToken", "NextContinuationToken"))
    result["IsTruncated"] = text_of(root, "IsTruncated") == "true"
    result["MaxKeys"] = whole_number(text_of(root, "MaxKeys"), "MaxKeys")
    result["Contents"] = [_listed(item, is_quoted=is_quoted) for item in all_of(root, "Contents")]
    result["CommonPrefixes"] = [
        {"Prefix": _unquoted(text_of(item, "Prefix") or "", is_quoted=is_quoted)}
        for item in all_of(root, "CommonPrefixes")
    ]
    count = len(result["Contents"]) + len(result["CommonPrefixes"])
    result["KeyCount"] = whole_number(text_of(root, "KeyCount") or str(count), "KeyCount")
    return result


def request(
    connection: Any,
    method: str,
    params: Params,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    *,
    data: bytes = b"",
    source: Source | None = None,
) -> Any:
    """One request about the bucket and key that the params name, sent to the bucket's region."""
    bucket, key = params.get("Bucket", ""), params.get("Key", "")
    query_args = _query_args(query) if query else None
    sender = None if source is None else partial(send_source, source)

    def send(to: Any) -> Any:
        return to.make_request(method, bucket, key, headers, data, query_args, sender)

    return connection.asked(bucket, send)


def _query_args(query: dict[str, str]) -> str:
    return "&".join([
        f"{name}={quote(value, safe='-_.~')}" if value else name for name, value in query.items()
    ])


def copy_source(source: str | dict[str, str]) -> tuple[str, str]:
    """Bucket and key that a CopySource names. Raises InvalidParam."""
    if isinstance(source, dict):
        return source["Bucket"], source["Key"]
    bucket, slash, key = source.lstrip("/").partition("/")
    if not slash or not key:
        raise InvalidParam("CopySource has to be bucket/key, or {Bucket, Key, VersionId}")
    bucket = BucketName().read(bucket, "CopySource's bucket")
    key, _mark, version = key.partition("?versionId=")
    Text(max_bytes=MAX_VERSION_BYTES).read(version, "CopySource's version")
    return bucket, Text(1, max_bytes=MAX_KEY_BYTES).read(unquote(key), "CopySource's key")


def copy_source_text(source: str | dict[str, str]) -> str:
    """A CopySource as the header has it. Raises InvalidParam."""
    bucket, key = copy_source(source)
    path = f"{bucket}/{quote(key, safe='/-_.~')}"
    if isinstance(source, dict):
        return f"{path}?versionId={source['VersionId']}" if "VersionId" in source else path
    _path, mark, version = source.partition("?versionId=")
    return f"{path}{mark}{quote(version, safe='-_.~')}"


def _delete_document(delete: Params) -> bytes:
    parts = ["<Delete>"]
    if delete.get("Quiet"):
        parts.append("<Quiet>true</Quiet>")
    for item in delete["Objects"]:
        version = item.get("VersionId")
        parts.append(f"<Object><Key>{escape(item['Key'], _XML_SPACES)}</Key>")
        if version is not None:
            parts.append(f"<VersionId>{escape(version)}</VersionId>")
        parts.append("</Object>")
    parts.append("</Delete>")
    return "".join(parts).encode()


def _listed(item: Any, *, is_quoted: bool) -> Result:
    entry = texts_of(item, ("Key", "LastModified", "ETag", "StorageClass"))
    entry["Key"] = _unquoted(entry.get("Key", ""), is_quoted=is_quoted)
    entry["Size"] = whole_number(text_of(item, "Size"), "Size")
    for owner in all_of(item, "Owner"):
        entry["Owner"] = texts_of(owner, ("DisplayName", "ID"))
    return entry


def _unquoted(text: str, *, is_quoted: bool) -> str:
    return unquote_plus(text) if is_quoted else text


_XML_SPACES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}

_CREATED = by_header({"Location": "location"})
_BUCKET = by_header({"BucketRegion": "x-amz-bucket-region"})
_DELETED = by_header({"VersionId": "x-amz-version-id"})

_LIST_QUERY = {
    "ContinuationToken": "continuation-token",
    "Delimiter": "delimiter",
    "FetchOwner": "fetch-owner",
    "MaxKeys": "max-keys",
    "Prefix": "prefix",
    "StartAfter": "start-after",
}
