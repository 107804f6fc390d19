"""S3's parameters and answers where they are not as its model has them."""

import base64
import hashlib
import re
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from botocore.model import OperationModel

from botod.daemon.models.quirk import Quirk
from botod.daemon.services.answers import document_of
from botod.daemon.services.operation import Params, Result
from botod.daemon.services.s3 import copy_source_text
from botod.daemon.services.s3_table import BUCKET_NAME, COPY_SOURCE, KEY
from botod.daemon.services.shapes import Blob, Shape

OWN: dict[str, Shape] = {
    "Bucket": BUCKET_NAME,
    "CopySource": COPY_SOURCE,
    "CopySourceSSECustomerKey": Blob(),
    "Key": KEY,
    "SSECustomerKey": Blob(),
}
"""By name, in every operation that has it: what is part of a host, of a path, or no text."""

ERROR_DOCUMENT = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<Error[\s>]")
"""An error that comes with a status of 200, because the answer had begun before it happened."""

SECRETS = ("SSECustomerKey", "CopySourceSSECustomerKey")


def _written(_model: OperationModel, params: Params) -> Params:
    """As the headers have it: a copy's source quoted, keys in base64 with their hash beside."""
    if "CopySource" in params:
        params = {**params, "CopySource": copy_source_text(params["CopySource"])}
    for name in SECRETS:
        key = params.get(name)
        if isinstance(key, bytes):
            digest = hashlib.md5(key, usedforsecurity=False).digest()
            params = {f"{name}MD5": _base64(digest)} | params | {name: _base64(key)}
    return params


def _asking_for_quoted(model: OperationModel, params: Params) -> Params:
    """Keys may hold characters that XML cannot, so they are asked for quoted."""
    return {"EncodingType": "url"} | _written(model, params)


def _unquoted(top: tuple[str, ...], nested: dict[str, str]) -> Any:
    """Undo it, where it was not the peer that asked for it."""

    def after(params: Params, result: Result, _body: bytes) -> Result:
        if "EncodingType" in params or result.pop("EncodingType", None) != "url":
            return result
        for name in top:
            if name in result:
                result[name] = unquote_plus(result[name])
        for name, key in nested.items():
            for item in result.get(name, []):
                if key in item:
                    item[key] = unquote_plus(item[key])
        return result

    return after


def _location(_params: Params, result: Result, body: bytes) -> Result:
    """The region is the text of the root itself, which no model can say; none is us-east-1."""
    return result | {"LocationConstraint": document_of(body).text}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_PREFIXES = {"CommonPrefixes": "Prefix"}

_listing = partial(Quirk, OWN, before=_asking_for_quoted)

S3_QUIRKS = {
    "s3": Quirk(OWN, before=_written),
    "s3.get_bucket_location": Quirk(OWN, before=_written, after=_location),
    "s3.list_multipart_uploads": _listing(
        after=_unquoted(
            ("KeyMarker", "NextKeyMarker", "Prefix", "Delimiter"), {"Uploads": "Key"} | _PREFIXES
        )
    ),
    "s3.list_object_versions": _listing(
        after=_unquoted(
            ("KeyMarker", "NextKeyMarker", "Prefix", "Delimiter"),
            {"Versions": "Key", "DeleteMarkers": "Key"} | _PREFIXES,
        )
    ),
    "s3.list_objects": _listing(
        after=_unquoted(
            ("Delimiter", "Marker", "NextMarker", "Prefix"), {"Contents": "Key"} | _PREFIXES
        )
    ),
}
