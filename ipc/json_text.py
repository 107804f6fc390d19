"""JSON as the wire has it, by the C functions beneath `json`. No I/O; shared by both ends.

To import `json` takes a third as long as all of the client, most of it for `re`, which it needs to
skip white space and for interpreters that have no `_json`. On those it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    _scan: Callable[[str, int], tuple[Any, int]]
    _encoder: Callable[[Callable[[Any], Any]], Callable[..., Any]]

WHITE_SPACE = " \t\n\r"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _not_json(value: Any) -> NoReturn:
    raise TypeError(f"{type(value).__name__} cannot stand in a message")


class _Reading:
    """What the scanner asks of the one who reads: nothing but JSON is taken."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_no_constant)


def _encoder_in_c(default: Callable[[Any], Any]) -> Callable[..., Any]:
    return make_encoder(
        None, default, encode_basestring_ascii, None, ":", ",", False, False, False
    )  # fmt: skip


def _encoder_of_json(default: Callable[[Any], Any]) -> Callable[..., Any]:
    return json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=default).iterencode


try:
    from _json import encode_basestring_ascii, make_encoder, make_scanner
except ImportError:
    import json

    _scan = json.JSONDecoder(parse_constant=_no_constant).raw_decode
    _encoder = _encoder_of_json
else:
    _scan = make_scanner(_Reading())  # type: ignore[arg-type]
    _encoder = _encoder_in_c

_chunks = _encoder(_not_json)


def loads(text: str) -> Any:
    """The value of a text. Raises ValueError, for NaN and Infinity, too, and RecursionError."""
    text = text.strip(WHITE_SPACE)
    try:
        value, end = _scan(text, 0)
    except StopIteration as stopped:
        raise ValueError(f"no value at character {stopped.value}") from None
    if end != len(text):
        raise ValueError(f"more after its value, at character {end}")
    return value


def dumps(value: Any) -> str:
    """A value in one line of ASCII. Raises TypeError, ValueError and RecursionError."""
    return "".join(_chunks(value, 0))


def dumps_with(carry: Callable[[Any], Any], value: Any) -> str:
    """The same, where `carry` gives what is to be written for what JSON does not have."""
    return "".join(_encoder(carry)(value, 0))
