"""botocore's parsers, made to hold up nobody and to believe nothing.

Theirs take a whole document at a stretch, in C, while no other thread may run; give times, and
numbers that JSON has not; and take what cannot be read for an answer without anything in it.
"""

import datetime as dt
import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from botocore.parsers import PROTOCOL_PARSERS, ResponseParserError
from botocore.utils import parse_timestamp

from botod.daemon.services.answers import document_of

MISREAD = (
    ResponseParserError,
    ArithmeticError,  # numbers too large
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,  # of JSON, base64, UTF-8 and numbers, too
)
"""What botocore's parsers raise for documents that are not as the model says."""

Decoders = Mapping[str, Callable[[str], Any]]


class _Peekable(io.BytesIO):
    """A document of CBOR. What botocore takes makes room for any length that a document names."""

    def peek(self, size: int) -> bytes:
        at = self.tell()
        return self.getvalue()[at : at + size]


class _Careful:
    """What is different about all of botocore's parsers here.

    decoders: of texts that stand for something else, by the names of their shapes.
    """

    decoders: Decoders

    def _parse_xml_string_to_dom(self, document: bytes) -> ET.Element:
        try:
            return document_of(document)
        except ET.ParseError as error:
            raise ResponseParserError(f"not XML: {error}") from None

    def _parse_body_as_json(self, document: bytes) -> Any:
        if not document:
            return {}
        # A function for each object lets other threads run, a text for each NaN fits the wire.
        return json.loads(document.decode(), object_hook=_itself, parse_constant=str)

    def _handle_float(self, _shape: Any, node: Any) -> Any:
        said: Any = node.text if isinstance(node, ET.Element) else node
        number = float(said)
        if math.isfinite(number):
            return number
        return "NaN" if math.isnan(number) else f"{'-' if number < 0 else ''}Infinity"

    _handle_double = _handle_float

    def get_peekable_stream_from_bytes(self, document: bytes) -> _Peekable:
        return _Peekable(document)

    def _handle_string(self, shape: Any, node: Any) -> Any:
        handle: Any = getattr(super(), "_handle_string", None)
        text = node if handle is None else handle(shape, node)
        decode = self.decoders.get(shape.name)
        return text if decode is None else decode(text)


def make_parser(protocol: str, decoders: Decoders) -> Any:
    """The parser of a protocol."""
    kind = type("Careful", (_Careful, PROTOCOL_PARSERS[protocol]), {"decoders": decoders})
    return kind(timestamp_parser=moment_text)


def moment_text(value: Any) -> str:
    """A time as one of the protocols writes it, in ISO 8601."""
    moment = _moment(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).isoformat()


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value)  # a tenth of the time of what reads all forms
        except ValueError:
            pass
    moment: dt.datetime = parse_timestamp(value)
    return moment


def _itself(table: dict[str, Any]) -> dict[str, Any]:
    return table
