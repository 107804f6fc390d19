"""S3's objects: put, get, head, copy."""

from typing import Any

from botod.daemon.services import checksums
from botod.daemon.services.answers import Download, checked, root_of, texts_of
from botod.daemon.services.operation import Params, Result
from botod.daemon.services.s3 import copy_source_text, request
from botod.daemon.services.s3_headers import (
    COPY,
    COPY_RESULT,
    LOCK,
    PUT,
    PUT_RESULT,
    READ,
    READ_QUERY,
    headers_of,
    metadata_headers,
    object_headers,
    query_of,
    with_headers,
)

_CHECKED = frozenset({"ContentMD5", *checksums.PARAMS})
_LOCKED = frozenset(LOCK)

UNSIGNED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
"""For a body whose hash would have to be known before its first byte is sent."""


def put_object(connection: Any, params: Params) -> Result:
    body = params.get("Body", b"")
    headers = headers_of(params, PUT) | metadata_headers(params) | _checksum(params, body)
    if isinstance(body, bytes):
        response = request(connection, "PUT", params, headers=headers, data=body)
    else:
        headers |= UNSIGNED | {"Content-Length": str(body.length_bytes)}
        response = request(connection, "PUT", params, headers=headers, source=body)
    result = with_headers(checked(response), PUT_RESULT)
    checksums.compare(headers, result)
    return result


def get_object(connection: Any, params: Params) -> Result:
    headers = headers_of(params, READ)
    is_whole = "Range" not in params and "PartNumber" not in params
    if is_whole and connection.is_aws:
        headers.setdefault("x-amz-checksum-mode", "ENABLED")
    query = query_of(params, READ_QUERY)
    response = request(connection, "GET", params, headers=headers, query=query)
    expected = checksums.expected_of(response) if is_whole else None
    return {"Body": Download(response, expected)} | object_headers(response)


def head_object(connection: Any, params: Params) -> Result:
    headers, query = headers_of(params, READ), query_of(params, READ_QUERY)
    response = request(connection, "HEAD", params, headers=headers, query=query)
    return object_headers(checked(response))


def copy_object(connection: Any, params: Params) -> Result:
    headers = headers_of(params, COPY) | metadata_headers(params)
    headers["x-amz-copy-source"] = copy_source_text(params["CopySource"])
    response = request(connection, "PUT", params, headers=headers)
    names = ("ETag", "LastModified", *checksums.RESULT)
    copied = texts_of(root_of(response, "CopyObjectResult"), names)
    return {"CopyObjectResult": copied} | with_headers(response, COPY_RESULT)


def _checksum(params: Params, body: Any) -> dict[str, str]:
    """The header for a checksum that is asked for, or that S3 wants. Parks."""
    if not _CHECKED.isdisjoint(params):
        return {}
    algorithm = params.get("ChecksumAlgorithm")
    if algorithm is None and not _LOCKED.isdisjoint(params):
        algorithm = checksums.DEFAULT  # S3 takes no object to be locked without one
    if algorithm is None:
        return {}
    return checksums.headers(algorithm, checksums.checksum_of(algorithm, body).text())
