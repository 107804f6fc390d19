"""What the line of a message says, before its params are looked at. No I/O; shared by both ends."""

from __future__ import annotations

from botod.ipc.descriptor_queue import MAX_FDS
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.json_text import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

MAX_BLOBS = 64
"""Pieces that one message may declare: a batch of ten messages with some binary attributes each."""

MAX_STREAMS = 4
"""Streams that one message may declare: no operation takes more than one yet."""

MAX_ID = 256
"""Characters of an id that is a text; each answer has it, and each error."""

MAX_DEPTH = 64
"""Nesting of params: AWS's own nest to about ten."""


def parse_line(line: bytes | bytearray) -> Any:
    """What a line says. Raises ProtocolError for what is no JSON, and for NaN and Infinity."""
    try:
        return loads(line.decode("utf-8"))
    except RecursionError:
        raise ProtocolError(Code.PARSE_ERROR, "not JSON that we read: nested too deep") from None
    except ValueError as error:
        raise ProtocolError(Code.PARSE_ERROR, f"not a line of JSON: {error}") from None


def is_plain(line: bytes | bytearray) -> bool:
    r"""Whether no key begins with $, which JSON can also write as \u0024, and none is too deep."""
    if b'"$' in line or b"\\u0024" in line:
        return False
    return line.count(b"{") + line.count(b"[") <= MAX_DEPTH


def request_id(envelope: dict[str, Any]) -> str | int | None:
    """The id to answer under; None for a notification and for an id that is none."""
    value: Any = envelope.get("id")
    return value if is_id(value) else None


def is_id(value: Any) -> bool:
    """Whether it may be a request's id."""
    if type(value) is int:  # and no bool
        return -(2**63) <= value < 2**63
    if type(value) is str:
        return len(value) <= MAX_ID
    return value is None


def is_number(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, not negative."""
    return type(value) is int and value >= 0


def declared_sizes(envelope: dict[str, Any]) -> list[int]:
    """The sizes in `bytes`. If they cannot be told, nobody knows where the next line begins."""
    sizes: object = envelope.get("bytes", [])
    if not isinstance(sizes, list) or len(sizes) > MAX_BLOBS or not all(map(is_number, sizes)):
        raise ProtocolError(
            Code.INVALID_REQUEST, f"bytes is a list of at most {MAX_BLOBS} whole numbers"
        )
    return sizes


def declared_fds_num(envelope: dict[str, Any]) -> int:
    """The number in `fds`. If it cannot be told, nobody knows whose the next ones are."""
    number: object = envelope.get("fds", 0)
    if not is_number(number) or number > MAX_FDS:
        raise ProtocolError(Code.INVALID_REQUEST, f"fds is a whole number, at most {MAX_FDS}")
    return number


def declared_streams(envelope: dict[str, Any]) -> list[int]:
    """The numbers in `streams`. Raises RpcError."""
    numbers: object = envelope.get("streams", [])
    if (
        not isinstance(numbers, list)
        or len(numbers) > MAX_STREAMS
        or not all(map(is_number, numbers))
        or len(set(numbers)) < len(numbers)
    ):
        raise RpcError(
            Code.INVALID_REQUEST,
            f"streams is a list of at most {MAX_STREAMS} different whole numbers",
        )
    return numbers
