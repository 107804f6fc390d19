"""Bytes inside JSON: each is declared beside the message, and a marker stands in its place.

A marker is an object with one key, `{"$bytes": 0}`. One that refers to nothing declared is plain
data, so that user data which looks like a marker comes through unchanged.
"""

import base64
import binascii
from typing import Any

from botod.ipc.errors import Code, RpcError

MAX_DEPTH = 64
"""Nesting of params: AWS's own nest to about ten."""


def pack(value: Any, blobs: list[bytes]) -> Any:
    """`value` with each bytes object moved to `blobs` and a marker in its place."""
    if isinstance(value, dict):
        return {key: pack(item, blobs) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(item, blobs) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        blobs.append(bytes(value))
        return {"$bytes": len(blobs) - 1}
    return value


def unpack(
    value: Any, blobs: tuple[bytes, ...], *, base64_too: bool = False, depth: int = 0
) -> Any:
    """`value` with each marker replaced by the bytes it stands for.

    A marker is an object with one key. One that refers to nothing declared is plain data.
    """
    if depth > MAX_DEPTH:
        raise RpcError(Code.INVALID_REQUEST, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        return [unpack(item, blobs, base64_too=base64_too, depth=depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        index = value.get("$bytes")
        if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(blobs):
            return blobs[index]
        if base64_too and isinstance(value.get("$base64"), str):
            return _from_base64(value["$base64"])
    return {
        key: unpack(item, blobs, base64_too=base64_too, depth=depth + 1)
        for key, item in value.items()
    }


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RpcError(Code.INVALID_PARAMS, f"$base64 does not hold base64: {error}") from None
