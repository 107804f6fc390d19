"""What JSON cannot hold: each is declared beside the message, and a marker stands in its place.

A marker is an object: `{"$bytes": 0}` stands for the first of the declared bytes, `{"$fd": 0}` for
the first descriptor (with `offset` and `length`, a part of it), `{"$stream": 7}` for the declared
stream 7, `{"$base64": "…"}` for the bytes that it holds. One that refers to nothing declared is
plain data. `{"$literal": {…}}` stands for the object in it, which is no marker whatever it looks
like; what is inside that object is read as ever.
"""

from __future__ import annotations

import binascii

from botod.ipc.envelope import MAX_DEPTH, is_number
from botod.ipc.errors import Code, RpcError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from botod.ipc.descriptors import Descriptor

    Meaning = tuple[bool, Any]
    """Whether an object is a marker, and what it stands for."""

FD_KEYS = frozenset({"$fd", "offset", "length"})


class Declared:
    """What markers of one message may refer to: bytes often, a descriptor and a stream once."""

    __slots__ = ("_used", "blobs", "descriptors", "streams")

    def __init__(
        self,
        blobs: Sequence[bytes] = (),
        descriptors: Sequence[Descriptor] = (),
        streams: Mapping[int, Any] = {},
    ) -> None:
        self.blobs = blobs
        self.descriptors = descriptors
        self.streams = streams
        self._used: tuple[tuple[str, int], ...] = ()

    def use_once(self, name: str, number: int) -> None:
        """Take what has one position and one reader. Raises RpcError the second time."""
        if (name, number) in self._used:
            raise RpcError(Code.INVALID_PARAMS, f"{name} {number} stands in two places")
        self._used += ((name, number),)


def pack(value: Any, carry: Callable[[Any], Any]) -> Any:
    """`value` with what JSON does not have replaced by what `carry` gives for it.

    What looks like a marker and is none comes out as a literal.
    """
    if isinstance(value, dict):
        packed = {key: pack(item, carry) for key, item in value.items()}
        return packed if _LOOKS_LIKE_ONE.isdisjoint(value) else {"$literal": packed}
    if isinstance(value, (list, tuple)):
        return [pack(item, carry) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return carry(value)


def unpack(value: Any, declared: Declared, *, depth: int = 0) -> Any:
    """`value` with each marker replaced by what it stands for.

    Raises RpcError for what is nested too deep, and for a marker that is used twice or wrongly.
    """
    if isinstance(value, dict):
        for name in value:
            if name in _MEANINGS:
                is_marker, meant = _MEANINGS[name](value, declared)
                if is_marker:
                    return meant
        if len(value) == 1 and isinstance(value.get("$literal"), dict):
            value = value["$literal"]
    elif not isinstance(value, list):
        return value
    depth += 1
    if depth > MAX_DEPTH:
        raise RpcError(Code.INVALID_REQUEST, f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        return [
            unpack(item, declared, depth=depth) if type(item) in _NESTED else item for item in value
        ]
    return {
        key: unpack(item, declared, depth=depth) if type(item) in _NESTED else item
        for key, item in value.items()
    }


_NESTED = frozenset({dict, list})
"""Of JSON's values, those that may be markers or have some in them; most are none of these."""

_PLAIN: Meaning = (False, None)


def _bytes(value: dict[str, Any], declared: Declared) -> Meaning:
    index = value["$bytes"]
    if len(value) != 1 or not is_number(index) or index >= len(declared.blobs):
        return _PLAIN
    return True, declared.blobs[index]


def _descriptor(value: dict[str, Any], declared: Declared) -> Meaning:
    index = value["$fd"]
    if not value.keys() <= FD_KEYS or not is_number(index) or index >= len(declared.descriptors):
        return _PLAIN
    for key in ("offset", "length"):
        if key in value and not is_number(value[key]):
            raise RpcError(Code.INVALID_PARAMS, f"{key} beside $fd is a number of bytes")
    declared.use_once("$fd", index)
    descriptor = declared.descriptors[index]
    descriptor.part(value.get("offset"), value.get("length"))
    return True, descriptor


def _stream(value: dict[str, Any], declared: Declared) -> Meaning:
    number = value["$stream"]
    if len(value) != 1 or not is_number(number) or number not in declared.streams:
        return _PLAIN
    declared.use_once("$stream", number)
    return True, declared.streams[number]


def _from_base64(value: dict[str, Any], _declared: Declared) -> Meaning:
    text = value["$base64"]
    if len(value) != 1 or not isinstance(text, str):
        return _PLAIN
    try:
        return True, binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise RpcError(Code.INVALID_PARAMS, f"$base64 does not hold base64: {error}") from None


_MEANINGS: Mapping[str, Callable[[dict[str, Any], Declared], Meaning]] = {
    "$base64": _from_base64,
    "$bytes": _bytes,
    "$fd": _descriptor,
    "$stream": _stream,
}

_LOOKS_LIKE_ONE = frozenset({*_MEANINGS, "$literal"})
