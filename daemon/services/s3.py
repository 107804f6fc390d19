"""S3: its connection, and what each operation does with it."""

import base64
import hashlib
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, unquote_plus
from xml.sax.saxutils import escape

from botod.daemon.services.answers import (
    Download,
    all_of,
    checked,
    metadata,
    moment,
    read_document,
    root_of,
    text_of,
    texts_of,
    whole_number,
)
from botod.daemon.services.operation import Endpoint, Params, Result, Source
from botod.daemon.services.sending import send_source
from botod.daemon.services.shapes import BucketName, InvalidParam, Text
from botod.pool import HeldKeys, Pool, pooled

from boto.s3.connection import OrdinaryCallingFormat, S3Connection, SubdomainCallingFormat

MAX_KEY_BYTES = 1024
"""S3's bound, of a key as UTF-8."""

MAX_VERSION_BYTES = 1024
"""S3's bound, of a version's name."""

MAX_COPY_SOURCE_BYTES = 5 * 1024
"""Of a CopySource as a text: a key with each of its bytes quoted, bucket and version beside it."""


class _CallingFormat(SubdomainCallingFormat):  # type: ignore[misc]
    """A bucket's own host name, except where the certificate could not match it."""

    def build_host(self, server: str, bucket: str) -> str:
        return str(_format_for(bucket).build_host(server, bucket))

    def build_path_base(self, bucket: str, key: str = "") -> str:
        return str(_format_for(bucket).build_path_base(bucket, key))


class _Connection(pooled(S3Connection)):  # type: ignore[misc]
    """boto's, always with Signature Version 4; boto would decide by the host's name."""

    def _required_auth_capability(self) -> list[str]:
        return ["hmac-v4-s3"]


class _OldConnection(pooled(S3Connection)):  # type: ignore[misc]
    """boto's with Signature Version 2, for servers that know no other."""

    def _required_auth_capability(self) -> list[str]:
        return ["s3"]


def connect(pool: Pool, keys: HeldKeys, endpoint: Endpoint) -> Any:
    connection = (_OldConnection if endpoint.signature == "v2" else _Connection)(
        pool=pool,
        keys=keys,
        host=endpoint.host,
        calling_format=_calling_format(endpoint),
        suppress_consec_slashes=False,  # "a//b" and "a/b" are two keys
        **endpoint.boto_arguments(),
    )
    connection.auth_region_name = endpoint.region
    return connection


def _calling_format(endpoint: Endpoint) -> Any:
    """A bucket in the host's name or in the path: a server of one's own often has one name."""
    if endpoint.addressing == "auto":
        return _BY_PATH if endpoint.own else _CallingFormat()
    return _BY_PATH if endpoint.addressing == "path" else _BY_HOST


def create_bucket(connection: Any, params: Params) -> Result:
    location = params.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    data = b""
    if location:
        data = (
            "<CreateBucketConfiguration><LocationConstraint>"
            f"{escape(location)}</LocationConstraint></CreateBucketConfiguration>"
        ).encode()
    response = checked(_request(connection, "PUT", params, data=data))
    return _with_headers(response, {"Location": "location"})


def delete_bucket(connection: Any, params: Params) -> Result:
    return metadata(checked(_request(connection, "DELETE", params)))


def list_buckets(connection: Any, params: Params) -> Result:
    response = _request(connection, "GET", params)
    root = root_of(response, "ListAllMyBucketsResult")
    buckets = [
        texts_of(bucket, ("Name", "CreationDate"))
        for holder in all_of(root, "Buckets")
        for bucket in all_of(holder, "Bucket")
    ]
    owners = [texts_of(owner, ("DisplayName", "ID")) for owner in all_of(root, "Owner")]
    return {"Buckets": buckets, "Owner": owners[0] if owners else {}} | metadata(response)


def head_bucket(connection: Any, params: Params) -> Result:
    response = checked(_request(connection, "HEAD", params))
    return _with_headers(response, {"BucketRegion": "x-amz-bucket-region"})


def put_object(connection: Any, params: Params) -> Result:
    headers = _headers(params) | _metadata_headers(params)
    body = params.get("Body", b"")
    if isinstance(body, bytes):
        response = _request(connection, "PUT", params, headers=headers, data=body)
    else:
        # Unsigned: its hash would have to be known before its first byte is sent.
        headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
        headers["Content-Length"] = str(body.length_bytes)
        response = _request(connection, "PUT", params, headers=headers, source=body)
    return _with_headers(checked(response), _PUT_RESULT)


def get_object(connection: Any, params: Params) -> Result:
    response = _request(connection, "GET", params, headers=_headers(params))
    return {"Body": Download(response)} | _object_headers(response)


def head_object(connection: Any, params: Params) -> Result:
    return _object_headers(checked(_request(connection, "HEAD", params, headers=_headers(params))))


def copy_object(connection: Any, params: Params) -> Result:
    headers = _headers(params) | _metadata_headers(params)
    headers["x-amz-copy-source"] = copy_source_text(params["CopySource"])
    response = _request(connection, "PUT", params, headers=headers)
    copied = texts_of(root_of(response, "CopyObjectResult"), ("ETag", "LastModified"))
    return {"CopyObjectResult": copied} | _with_headers(response, _COPY_RESULT)


def delete_object(connection: Any, params: Params) -> Result:
    response = checked(_request(connection, "DELETE", params))
    return _with_headers(response, {"VersionId": "x-amz-version-id"})


def delete_objects(connection: Any, params: Params) -> Result:
    data = _delete_document(params["Delete"])
    headers = {
        "Content-MD5": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
        "Content-Type": "application/xml",
    }
    response = _request(
        connection, "POST", params, query={"delete": ""}, headers=headers, data=data
    )
    root = root_of(response, "DeleteResult")
    deleted = [texts_of(item, ("Key", "VersionId")) for item in all_of(root, "Deleted")]
    errors = [
        texts_of(item, ("Key", "VersionId", "Code", "Message")) for item in all_of(root, "Error")
    ]
    return {"Deleted": deleted, "Errors": errors} | metadata(response)


def list_objects_v2(connection: Any, params: Params) -> Result:
    query = {"list-type": "2", "encoding-type": "url"}
    query |= {
        wire: _wire_text(params[name]) for name, wire in _LIST_QUERY.items() if name in params
    }
    response = _request(connection, "GET", params, query=query)
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


def _request(
    connection: Any,
    method: str,
    params: Params,
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    data: bytes = b"",
    source: Source | None = None,
) -> Any:
    """One request about the bucket and key that the params name."""
    if "VersionId" in params:
        query = (query or {}) | {"versionId": params["VersionId"]}
    query_args = "&".join(
        f"{name}={quote(value, safe='-_.~')}" if value else name
        for name, value in (query or {}).items()
    )
    return connection.make_request(
        method,
        params.get("Bucket", ""),
        params.get("Key", ""),
        headers=headers,
        data=data,
        query_args=query_args or None,
        sender=None if source is None else partial(send_source, source),
    )


def _headers(params: Params) -> dict[str, str]:
    return {header: params[name] for name, header in _REQUEST_HEADERS.items() if name in params}


def _metadata_headers(params: Params) -> dict[str, str]:
    return {f"x-amz-meta-{name}": value for name, value in params.get("Metadata", {}).items()}


def _with_headers(response: Any, names: dict[str, str]) -> Result:
    """The values of those headers that the response has, under AWS's result names."""
    found = ((name, response.getheader(header)) for name, header in names.items())
    return {name: value for name, value in found if value is not None} | metadata(response)


def _object_headers(response: Any) -> Result:
    result = _with_headers(response, _OBJECT_RESULT)
    for name in ("ContentLength", "MissingMeta"):
        if name in result:
            result[name] = whole_number(result[name], name)
    if "LastModified" in result:
        result["LastModified"] = moment(result["LastModified"], "LastModified")
    prefix = "x-amz-meta-"
    result["Metadata"] = {
        name.lower().removeprefix(prefix): value
        for name, value in response.getheaders()
        if name.lower().startswith(prefix)
    }
    return result


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


def _wire_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _format_for(bucket: str) -> Any:
    """By path where a wildcard certificate, which matches one label of a name, would not do."""
    return _BY_PATH if "." in bucket or bucket != bucket.lower() else _BY_HOST


_BY_HOST = SubdomainCallingFormat()
_BY_PATH = OrdinaryCallingFormat()


_XML_SPACES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}

_LIST_QUERY = {
    "ContinuationToken": "continuation-token",
    "Delimiter": "delimiter",
    "FetchOwner": "fetch-owner",
    "MaxKeys": "max-keys",
    "Prefix": "prefix",
    "StartAfter": "start-after",
}

_REQUEST_HEADERS = {
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentMD5": "Content-MD5",
    "ContentType": "Content-Type",
    "IfMatch": "If-Match",
    "IfModifiedSince": "If-Modified-Since",
    "IfNoneMatch": "If-None-Match",
    "IfUnmodifiedSince": "If-Unmodified-Since",
    "MetadataDirective": "x-amz-metadata-directive",
    "Range": "Range",
    "StorageClass": "x-amz-storage-class",
}

_PUT_RESULT = {"ETag": "etag", "VersionId": "x-amz-version-id"}

_COPY_RESULT = {
    "CopySourceVersionId": "x-amz-copy-source-version-id",
    "VersionId": "x-amz-version-id",
}

_OBJECT_RESULT = {
    "AcceptRanges": "accept-ranges",
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentLength": "content-length",
    "ContentRange": "content-range",
    "ContentType": "content-type",
    "ETag": "etag",
    "LastModified": "last-modified",
    "MissingMeta": "x-amz-missing-meta",
    "StorageClass": "x-amz-storage-class",
    "VersionId": "x-amz-version-id",
}
