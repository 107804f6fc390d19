"""The requests of one multipart upload: each asks once and reads its answer."""

from typing import Any
from xml.sax.saxutils import escape

from botod.daemon.services import checksums
from botod.daemon.services.answers import checked, root_of, text_of, texts_of
from botod.daemon.services.errors import BadAnswer
from botod.daemon.services.operation import Params, Result, Source
from botod.daemon.services.s3 import request
from botod.daemon.services.s3_headers import (
    CUSTOMER_KEY,
    NEW_OBJECT,
    PUT_RESULT,
    WHOSE,
    WRITE_CONDITIONS,
    headers_of,
    metadata_headers,
    with_headers,
)
from botod.daemon.services.s3_objects import UNSIGNED
from botod.daemon.services.shapes import InvalidParam
from botod.daemon.upload_files import OpenUpload

from boto.exception import BotoServerError

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"

GONE = "NoSuchUpload"
"""S3's word for an upload that was completed or aborted, or never was."""

FORBIDDEN = 403


class Part:
    """A part that S3 has. checksum: None: none was sent with it."""

    __slots__ = ("checksum", "etag", "size_bytes")

    def __init__(self, etag: str, size_bytes: int, checksum: checksums.Checksum | None) -> None:
        self.etag = etag
        self.size_bytes = size_bytes
        self.checksum = checksum


def create(connection: Any, params: Params, algorithm: str | None) -> str:
    """Begin; the upload's id. algorithm: of the parts' checksums; None: they have none."""
    headers = headers_of(params, NEW_OBJECT) | metadata_headers(params)
    if algorithm is not None:
        headers["x-amz-checksum-algorithm"] = algorithm
        headers["x-amz-checksum-type"] = checksum_type(algorithm)
    response = request(connection, "POST", params, query={"uploads": ""}, headers=headers)
    upload_id = text_of(root_of(response, "InitiateMultipartUploadResult"), "UploadId")
    if not upload_id:
        raise BadAnswer("S3 began an upload and does not say its id")
    return upload_id


def upload_part(
    connection: Any,
    params: Params,
    upload_id: str,
    number: int,
    source: Source,
    *,
    algorithm: str | None,
) -> Part:
    """Send a part. Parks."""
    headers = headers_of(params, CUSTOMER_KEY | WHOSE) | UNSIGNED
    headers["Content-Length"] = str(source.length_bytes)
    checksum = None
    if algorithm is not None:
        checksum = checksums.checksum_of(algorithm, source)
        headers |= checksums.headers(algorithm, checksum.text())
    query = {"partNumber": str(number), "uploadId": upload_id}
    response = request(connection, "PUT", params, query=query, headers=headers, source=source)
    result = with_headers(checked(response), PUT_RESULT)
    checksums.compare(headers, result)
    if not result.get("ETag"):
        raise BadAnswer(f"S3 took part {number} and does not say its ETag")
    return Part(result["ETag"], source.length_bytes, checksum)


def complete(
    connection: Any, params: Params, upload_id: str, parts: list[Part], algorithm: str | None
) -> Result:
    """Make an object of all parts, which are in their order.

    Raises InvalidParam if its checksum is not the one that the params say.
    """
    headers = headers_of(params, WRITE_CONDITIONS | CUSTOMER_KEY | WHOSE)
    headers["Content-Type"] = "application/xml"
    headers["x-amz-mp-object-size"] = str(sum(part.size_bytes for part in parts))
    if algorithm is not None and algorithm in checksums.COMBINABLE:
        known = (part.checksum for part in parts if part.checksum is not None)
        text = headers[checksums.header_of(algorithm)] = checksums.joined(algorithm, known)
        given = params.get(f"Checksum{algorithm}", text)
        if given != text:
            words = f"Checksum{algorithm} is {given}, that of Body {text}; nothing was stored"
            raise InvalidParam(words)
        headers["x-amz-checksum-type"] = checksum_type(algorithm)
    response = request(
        connection,
        "POST",
        params,
        query={"uploadId": upload_id},
        headers=headers,
        data=_document(parts, algorithm),
    )
    root = root_of(response, "CompleteMultipartUploadResult")
    told = texts_of(root, ("ETag", *checksums.RESULT))
    result = with_headers(response, PUT_RESULT) | told
    if not result.get("ETag"):
        raise BadAnswer("S3 completed an upload and does not say the object's ETag")
    checksums.compare(headers, result)
    return result


def abort(connection: Any, upload: OpenUpload) -> None:
    """Have S3 forget an upload and its parts; one that is gone is good."""
    try:
        checked(request(connection, "DELETE", *_about(upload)))
    except BotoServerError as error:
        if error.error_code != GONE:
            raise


def is_known(connection: Any, upload: OpenUpload) -> bool | None:
    """Whether S3 still has an upload; None: who may write need not be allowed to list."""
    params, query, headers = _about(upload)
    try:
        root_of(request(connection, "GET", params, query, headers), "ListPartsResult")
    except BotoServerError as error:
        if error.error_code == GONE:
            return False
        if error.status == FORBIDDEN:
            return None
        raise
    return True


def checksum_type(algorithm: str) -> str:
    return "FULL_OBJECT" if algorithm in checksums.COMBINABLE else "COMPOSITE"


def _about(upload: OpenUpload) -> tuple[Params, dict[str, str], dict[str, str]]:
    """Params, query and headers of a request about an upload that was begun."""
    params: Params = {"Bucket": upload.bucket, "Key": upload.key}
    return params, {"uploadId": upload.upload_id}, headers_of(upload.whose, WHOSE)


def _document(parts: list[Part], algorithm: str | None) -> bytes:
    lines = [f'<CompleteMultipartUpload xmlns="{XMLNS}">']
    for number, part in enumerate(parts, 1):
        lines.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.etag)}</ETag>")
        if part.checksum is not None:
            text = part.checksum.text()
            lines.append(f"<Checksum{algorithm}>{text}</Checksum{algorithm}>")
        lines.append("</Part>")
    lines.append("</CompleteMultipartUpload>")
    return "".join(lines).encode()
