"""What parameters look like: read from JSON, checked before anything is sent.

`shape.read(value, where)` gives the value as the operation uses it, or raises `InvalidParam`, which
names the parameter and says what is allowed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol

from botod.ipc.descriptors import Descriptor
from botod.ipc.streams import IncomingStream

MAX_HEADER_BYTES = 8 * 1024
"""Of a header's text: S3 takes so many for all headers of a request together."""

CUSTOMER_KEY_BYTES = 32
"""Of AES-256, the only one that S3 takes."""

LARGE = (Descriptor, IncomingStream)
"""What stands for bytes that may be of any number."""

_BODIES = (bytes, *LARGE)

SURROGATE = re.compile(r"[\ud800-\udfff]")


class InvalidParam(ValueError):
    """A parameter is missing, unknown or not what it has to be."""


class Shape(Protocol):
    """Something that can read one value."""

    def read(self, value: Any, where: str) -> Any: ...


class Described(NamedTuple):
    """A parameter, and in a word what it is."""

    name: str
    kind: str
    is_required: bool


@dataclass(frozen=True)
class Text:
    """A text; bytes are taken for UTF-8.

    max_bytes: of the text as UTF-8. pattern: what the whole text has to match; allowed: the same in
    words. Lengths are looked at first: what is too long is not worth a look at each character.
    """

    min_length: int = 0
    max_length: int | None = None
    max_bytes: int | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    allowed: str = ""

    def read(self, value: Any, where: str) -> str:
        text: str = value if type(value) is str else _text(value, where)
        size = len(text)
        if size < self.min_length or (self.max_length is not None and size > self.max_length):
            raise InvalidParam(f"{where} {self._wrong_length(size)}")
        if not text.isascii():  # which has a byte a character, and no surrogates
            size = _utf8_bytes(text)
        if self.max_bytes is not None and size > self.max_bytes:
            raise InvalidParam(f"{where} has {size} bytes; {self.max_bytes} may be")
        if size > len(text) and SURROGATE.search(text):
            raise InvalidParam(f"{where} holds half of a surrogate pair, which is no character")
        if self.choices and text not in self.choices:
            raise InvalidParam(f"{where} has to be one of {', '.join(self.choices)}")
        if self.pattern and not _compiled(self.pattern).fullmatch(text):
            raise InvalidParam(f"{where} {self.allowed}")
        return text

    def _wrong_length(self, size: int) -> str:
        if not size:
            return "must not be empty"
        if size < self.min_length:
            return f"has {size} characters; at least {self.min_length} have to be"
        return f"has {size} characters; {self.max_length} may be"


@dataclass(frozen=True)
class HeaderText(Text):
    """A text that travels in an HTTP header: printable ASCII."""

    max_bytes: int | None = MAX_HEADER_BYTES
    pattern: str = r"[ -~]*"
    allowed: str = "travels in a header: only printable ASCII characters"


@dataclass(frozen=True)
class HeaderName(Text):
    """A text that is part of an HTTP header's name."""

    max_bytes: int | None = MAX_HEADER_BYTES

    pattern: str = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]*"
    allowed: str = "travels as a header's name: no spaces, no separators"


@dataclass(frozen=True)
class BucketName(Text):
    """A bucket's name. It becomes part of a host name or a path, so nothing else may be in it."""

    pattern: str = r"[0-9A-Za-z._-]*"
    allowed: str = "may hold letters, digits, '.', '-' and '_' only"


ANY_TEXT = Text()


@dataclass(frozen=True)
class Number:
    """A whole number."""

    minimum: int = 0
    maximum: int | None = None

    def read(self, value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidParam(f"{where} has to be a whole number, not {kind_of(value)}")
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            upto = "or more" if self.maximum is None else f"to {self.maximum}"
            raise InvalidParam(f"{where} is {value}; allowed is {self.minimum} {upto}")
        return value


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: Any, where: str) -> bool:
        if not isinstance(value, bool):
            raise InvalidParam(f"{where} has to be true or false, not {kind_of(value)}")
        return value


@dataclass(frozen=True)
class Blob:
    """Bytes; a text is taken as its UTF-8."""

    max_bytes: int | None = None

    def read(self, value: Any, where: str) -> bytes:
        blob = value if isinstance(value, bytes) else ANY_TEXT.read(value, where).encode()
        if self.max_bytes is not None and len(blob) > self.max_bytes:
            raise InvalidParam(f"{where} has {len(blob)} bytes; {self.max_bytes} may be")
        return blob


@dataclass(frozen=True)
class CustomerKey(Blob):
    """A key of the customer's own for S3's encryption, as it is: 256 bits."""

    def read(self, value: Any, where: str) -> bytes:
        key = super().read(value, where)
        if len(key) != CUSTOMER_KEY_BYTES:
            raise InvalidParam(f"{where} has {len(key)} bytes; {CUSTOMER_KEY_BYTES} have to be")
        return key


@dataclass(frozen=True)
class Body:
    """Bytes, or where they come from: a descriptor or a stream; a text is taken as its UTF-8."""

    def read(self, value: Any, where: str) -> Any:
        if isinstance(value, _BODIES):
            return value
        return ANY_TEXT.read(value, where).encode()


@dataclass(frozen=True)
class Destination:
    """A descriptor that is written to."""

    def read(self, value: Any, where: str) -> Descriptor:
        if not isinstance(value, Descriptor):
            raise InvalidParam(
                f'{where} has to be a descriptor, {{"$fd": 0}}, to write to; not {kind_of(value)}'
            )
        return value


@dataclass(frozen=True)
class ListOf:
    """A list, each item of one shape."""

    item: Shape
    minimum: int = 0
    maximum: int | None = None

    def read(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise InvalidParam(f"{where} has to be a list, not {kind_of(value)}")
        if len(value) < self.minimum or (self.maximum is not None and len(value) > self.maximum):
            upto = "or more" if self.maximum is None else f"to {self.maximum}"
            raise InvalidParam(f"{where} has {len(value)} items; allowed is {self.minimum} {upto}")
        return [self.item.read(item, f"{where}[{index}]") for index, item in enumerate(value)]


@dataclass(frozen=True)
class MapOf:
    """An object whose keys are the user's.

    maximum: how many there may be. total_bytes: of all keys and values, which then are texts.
    """

    key: Shape
    item: Shape
    maximum: int | None = None
    total_bytes: int | None = None

    def read(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InvalidParam(f"{where} has to be an object, not {kind_of(value)}")
        # Each key of a header takes a byte at least: far too many are refused before they are read.
        most = self.total_bytes if self.maximum is None else self.maximum
        if most is not None and len(value) > most:
            raise InvalidParam(f"{where} has {len(value)} keys; {most} may be")
        found = {
            self.key.read(key, f"a key of {where}"): self.item.read(item, f"{where}.{key}")
            for key, item in value.items()
        }
        if self.total_bytes is not None:
            size = sum(_utf8_bytes(key) + _utf8_bytes(item) for key, item in found.items())
            if size > self.total_bytes:
                words = f"{where} has {size} bytes of keys and values"
                raise InvalidParam(f"{words}; {self.total_bytes} may be")
        return found


@dataclass(frozen=True)
class Either:
    """A text of one shape, or else a value of the other."""

    text: Shape
    other: Shape

    def read(self, value: Any, where: str) -> Any:
        shape = self.text if isinstance(value, (str, bytes)) else self.other
        return shape.read(value, where)


@dataclass(frozen=True)
class Struct:
    """An object with known keys. Read at the top, `where` is empty and the keys are parameters."""

    required: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)
    _shapes: Mapping[str, Shape] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shapes", {**self.required, **self.optional})

    def read(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InvalidParam(f"{where} has to be an object, not {kind_of(value)}")
        prefix = f"{where}." if where else ""
        shapes = self._shapes
        if not self.required.keys() <= value.keys() <= shapes.keys():
            raise InvalidParam(prefix + self._wrong_keys(value))
        return {name: shapes[name].read(item, prefix + name) for name, item in value.items()}

    def _wrong_keys(self, value: Mapping[str, Any]) -> str:
        for name in self.required:
            if name not in value:
                return f"{name} is missing"
        unknown = next(name for name in value if name not in self._shapes)
        names = ", ".join(self._shapes)
        return f"{unknown} is unknown; {f'there are: {names}' if names else 'there are none'}"

    def described(self) -> Iterator[Described]:
        for names, is_required in ((self.required, True), (self.optional, False)):
            for name, shape in names.items():
                yield Described(name, type(shape).__name__.lower(), is_required)

    def partial(self) -> "Struct":
        """The same with nothing required."""
        return Struct({}, self._shapes)


_compiled = cache(re.compile)
"""Expressions of shapes: a few dozen."""


def _utf8_bytes(value: str) -> int:
    """Half a surrogate pair counts as 3: it is refused by its own name."""
    return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise InvalidParam(f"{where} has to be a text, not {kind_of(value)}")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidParam(f"{where} has to be a text; these bytes are not UTF-8") from None


def kind_of(value: Any) -> str:
    """What a value is in JSON's words."""
    kinds = {
        bool: "true or false", int: "a number", float: "a number with a fraction", str: "a text",
        bytes: "bytes", list: "a list", dict: "an object", type(None): "null",
        Descriptor: "a descriptor", IncomingStream: "a stream",
    }  # fmt: skip
    return kinds[type(value)]
