"""What a request says of its body, so that the service can tell that it came whole.

Where a model wants that, it is MD5, which all of these operations take, unless the peer names
another algorithm or gives a sum of its own.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from botocore.model import OperationModel

from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import InvalidParam

CONTENT_MD5 = "Content-MD5"


def checksum_headers(
    model: OperationModel, params: Params, headers: Iterable[str], body: bytes | None
) -> dict[str, str]:
    """The headers to add. body: None: it is sent as it is read. Raises InvalidParam."""
    trait: dict[str, Any] = model.http_checksum or {}
    algorithm = params.get(trait.get("requestAlgorithmMember", ""))
    lower = {name.lower() for name in headers}
    if CONTENT_MD5.lower() in lower or any(_is_sum(name) for name in lower):
        return {}
    if algorithm is not None:
        return _of(str(algorithm), body)
    is_required = trait.get("requestChecksumRequired") or model.http_checksum_required
    if is_required and body is not None:
        return {CONTENT_MD5: _base64(_md5(body))}
    return {}


def _of(algorithm: str, body: bytes | None) -> dict[str, str]:
    if body is None:
        raise InvalidParam(
            f"ChecksumAlgorithm: the sum of a body that is read while it is sent is not known "
            f"before: give Checksum{algorithm}"
        )
    if algorithm not in _SUMS:
        known = ", ".join(_SUMS)
        raise InvalidParam(f"ChecksumAlgorithm: {known} are made here; give Checksum{algorithm}")
    return {f"x-amz-checksum-{algorithm.lower()}": _base64(_SUMS[algorithm](body))}


def _is_sum(header: str) -> bool:
    kind = header.removeprefix("x-amz-checksum-")
    return kind not in (header, "algorithm", "type", "mode")


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


_SUMS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
    "SHA512": lambda body: hashlib.sha512(body).digest(),
    "MD5": _md5,
}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
