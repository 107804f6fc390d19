"""Parameters as a model has them: read from JSON, checked before anything is sent.

As botocore's validation, it takes what the model names and no more, and leaves to the service what
AWS may extend: choices, patterns and the upper end of ranges.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.model import Shape as ModelShape
from botocore.model import StructureShape
from botocore.utils import is_json_value_header

from botod.daemon.models.amount import check_amount
from botod.daemon.services.shapes import (
    SURROGATE,
    Blob,
    Described,
    Flag,
    HeaderName,
    HeaderText,
    InvalidParam,
    Number,
    Shape,
    Text,
    kind_of,
)

HOST_LABEL = Text(
    pattern=r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?",
    allowed="becomes part of a host's name: letters, digits and '-' only",
)

DOTS = frozenset({".", ".."})
"""Parts of a path that lead elsewhere."""

TIME_MIN, TIME_MAX = dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
"""What is a time in every zone."""

MAX_KEY = 64
"""Characters of an object's key in the words of a refusal, which are made for each value in it."""

LEAST_INTEGER = -(2**63)

TEXT, HEADER_TEXT, HEADER_NAME = Text(), HeaderText(), HeaderName(min_length=1)


@dataclass(frozen=True)
class Moment:
    """A point in time: a text of ISO 8601, or seconds since 1970. It is read as a text."""

    def read(self, value: Any, where: str) -> str:
        allowed = "has to be a time in ISO 8601, or seconds since 1970"
        try:
            return _moment(value).astimezone(dt.UTC).isoformat()
        except (TypeError, ValueError, OverflowError, OSError):
            raise InvalidParam(f"{where} {allowed}") from None


@dataclass(frozen=True)
class Params:
    """What an operation takes.

    shape: the model's; None: it takes nothing. own: parameters that are read otherwise than the
    model says, or that the model does not have. filled: those that are filled in where they are
    missing.
    """

    shape: StructureShape | None
    own: Mapping[str, Shape]
    filled: frozenset[str] = frozenset()
    is_partial: bool = False

    def read(self, value: Any, where: str) -> dict[str, Any]:
        members = self._members
        check_names(value, where, members, self.required)
        check_amount(value)
        return {name: members[name].read(item, name) for name, item in value.items()}

    @property
    def names(self) -> list[str]:
        return list(self._members)

    @cached_property
    def required(self) -> list[str]:
        if self.shape is None or self.is_partial:
            return []
        members = self.shape.members
        placed = [name for name, member in members.items() if must_be_there(member)]
        both = dict.fromkeys([*self.shape.required_members, *placed])
        return [name for name in both if name not in self.filled]

    def partial(self) -> "Params":
        """The same with nothing required."""
        return Params(self.shape, self.own, self.filled, is_partial=True)

    def described(self) -> Iterator[Described]:
        """Each parameter, and in a word what it is."""
        for name, read in self._members.items():
            kind = read.kind if isinstance(read, Modelled) else type(read).__name__.lower()
            yield Described(name, kind, name in self.required)

    @cached_property
    def _members(self) -> dict[str, Shape]:
        members = {} if self.shape is None else self.shape.members
        return {name: Modelled(member) for name, member in members.items()} | dict(self.own)


@dataclass(frozen=True)
class Modelled:
    """A value as a model has it."""

    shape: ModelShape

    @property
    def kind(self) -> str:
        return str(self.shape.type_name)

    def read(self, value: Any, where: str) -> Any:
        serialization = self.shape.serialization
        location = serialization.get("location")
        read = _READERS[self.shape.type_name](self.shape, value, where)
        if location == "uri":
            _check_place(read, where)
        elif location == "header" and isinstance(read, str):
            if not is_json_value_header(self.shape):
                HEADER_TEXT.read(read, where)
        elif location in ("header", "headers"):
            _check_headers(read, where)
        if serialization.get("hostLabel"):
            HOST_LABEL.read(read, where)
        return read


def check_names(value: Any, where: str, known: Iterable[str], required: Iterable[str]) -> None:
    """Whether it is an object that has what is required and nothing that is unknown."""
    if not isinstance(value, dict):
        raise InvalidParam(f"{where} has to be an object, not {kind_of(value)}")
    prefix = f"{where}." if where else ""
    for name in required:
        if name not in value:
            raise InvalidParam(f"{prefix}{name} is missing")
    for name in value:
        if name not in known:
            names = ", ".join(known)
            raise InvalidParam(
                f"{prefix}{name} is unknown; there are{f': {names}' if names else ' none'}"
            )


def must_be_there(member: ModelShape) -> bool:
    """Whether there is no address without it, whatever else the model says."""
    serialization = member.serialization
    return serialization.get("location") == "uri" or bool(serialization.get("hostLabel"))


def _structure(shape: Any, value: Any, where: str) -> Any:
    if shape.is_document_type:
        return _document(shape, value, where)
    members = shape.members
    check_names(value, where, members, shape.required_members)
    prefix = f"{where}." if where else ""
    read = {}
    for name, item in value.items():
        member = members[name]
        read[name] = _READERS[member.type_name](member, item, prefix + name)
    if shape.is_tagged_union and len(read) != 1:
        raise InvalidParam(f"{where} has to hold exactly one of {', '.join(members)}")
    return read


def _list(shape: Any, value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidParam(f"{where} has to be a list, not {kind_of(value)}")
    _check_least(shape, len(value), where, "items")
    item_shape = shape.member
    read = _READERS[item_shape.type_name]
    return [read(item_shape, item, f"{where}[{number}]") for number, item in enumerate(value)]


def _map(shape: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParam(f"{where} has to be an object, not {kind_of(value)}")
    item_shape = shape.value
    read = _READERS[item_shape.type_name]
    return {
        TEXT.read(key, f"a key of {where}"): read(item_shape, item, f"{where}.{key[:MAX_KEY]}")
        for key, item in value.items()
    }


def _string(shape: Any, value: Any, where: str) -> Any:
    if is_json_value_header(shape):
        return _document(shape, value, where)
    text = TEXT.read(value, where)
    _check_least(shape, len(text), where, "characters")
    return text


def _integer(shape: Any, value: Any, where: str) -> int:
    least = shape.metadata.get("min")
    return Number(LEAST_INTEGER if least is None else int(least)).read(value, where)


def _float(_shape: Any, value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidParam(f"{where} has to be a number, not {kind_of(value)}")
    try:
        float(value)
    except OverflowError:
        raise InvalidParam(f"{where} is too large for a number with a fraction") from None
    return value


def _boolean(_shape: Any, value: Any, where: str) -> bool:
    return Flag().read(value, where)


def _blob(_shape: Any, value: Any, where: str) -> bytes:
    return Blob().read(value, where)


def _timestamp(_shape: Any, value: Any, where: str) -> str:
    return Moment().read(value, where)


def _document(_shape: Any, value: Any, where: str) -> Any:
    """Any JSON at all."""
    if isinstance(value, dict):
        return {
            TEXT.read(key, f"a key of {where}"): _document(None, item, f"{where}.{key[:MAX_KEY]}")
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_document(None, item, f"{where}[{number}]") for number, item in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return TEXT.read(value, where)


_READERS: dict[str, Callable[[Any, Any, str], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _timestamp,
}


def _check_least(shape: Any, size: int, where: str, things: str) -> None:
    least = shape.metadata.get("min")
    if least is not None and size < least:
        raise InvalidParam(f"{where} has {size} {things}; at least {least} have to be")


def _check_place(read: Any, where: str) -> None:
    """What becomes part of a path may neither be empty nor lead out of its place."""
    text = str(read)
    if not text:
        raise InvalidParam(f"{where} must not be empty")
    if not DOTS.isdisjoint(text.split("/")):
        raise InvalidParam(f"{where} becomes part of a path: '.' and '..' may not be parts of it")


def _check_headers(read: Any, where: str) -> None:
    if isinstance(read, dict):
        for name, text in read.items():
            HEADER_NAME.read(name, f"a key of {where}")
            HEADER_TEXT.read(text, f"{where}.{name}")
    elif isinstance(read, list):
        for number, text in enumerate(read):
            HEADER_TEXT.read(str(text), f"{where}[{number}]")


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, (int, float)):
        moment = dt.datetime.fromtimestamp(value, dt.UTC)
    else:
        if not isinstance(value, str) or SURROGATE.search(value):
            raise TypeError
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
    if not TIME_MIN <= moment <= TIME_MAX:
        raise ValueError
    return moment
