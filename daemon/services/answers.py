"""Reading what a service answered: bounded, checked, in AWS's shapes."""

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

from botod.daemon.held import current_held
from botod.daemon.services.errors import AnswerTooLarge, BadAnswer
from botod.daemon.services.operation import Result
from botod.pool import current_terms
from botod.pool.bridge import in_thread
from botod.pool.pieces import Piece, size_of

from boto.exception import BotoServerError

T = TypeVar("T")

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""An answer that is held in memory; as much as one message of the wire may carry inline."""

ANSWER_BLOCK_BYTES = 256 * 1024
"""Read at a time where the length is not known: what one stream has on its way to a peer."""

MAX_ERROR_BYTES = 64 * 1024
"""AWS's errors have a few hundred bytes; what a proxy says instead is cut here."""

PARSED_HERE_BYTES = 64 * 1024
"""A longer document is read in a thread. So many take some 5 ms, a full list of S3's 20 ms."""

PIECE_BYTES = 64 * 1024
"""Of a document, parsed at once: some 1 ms, in which no other thread may run."""

USUAL_DATE = re.compile(
    r"[A-Z][a-z]{2}, (0[1-9]|[12]\d|3[01]) ([A-Z][a-z]{2}) ([12]\d{3}) "
    r"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d) GMT"
)
"""As all of AWS writes it; read by itself it takes a fifth of what the standard library does."""

MONTHS = {
    "Jan": ("01", "31"), "Feb": ("02", "28"), "Mar": ("03", "31"), "Apr": ("04", "30"),
    "May": ("05", "31"), "Jun": ("06", "30"), "Jul": ("07", "31"), "Aug": ("08", "31"),
    "Sep": ("09", "30"), "Oct": ("10", "31"), "Nov": ("11", "30"), "Dec": ("12", "31"),
}  # fmt: skip
"""Number and last day of each. Whether there is a 29th of February, the standard library knows."""

MAX_DIGITS = 20
"""Of a number in an answer: 2**64 has 20."""

OK = range(200, 300)


def checked(response: Any) -> Any:
    """The response, if it is not an error; else raises it as BotoServerError."""
    if response.status not in OK:
        body = response.read(MAX_ERROR_BYTES)
        response.close()
        raise BotoServerError(response.status, response.reason, body)
    return response


class Check(Protocol):
    """A checksum that a body is said to have. algorithm: its name; text: its value."""

    algorithm: str
    text: str

    def update(self, pieces: Sequence[Piece]) -> None:
        """Take in what came. Parks."""

    def check(self) -> None:
        """Once all has come. Raises BadAnswer."""


class Streamed:
    """A body that is read piece by piece, and closed by who reads it no further.

    length_bytes: None: not known. wants_room: whether what comes next has yet to be asked for, so
    that its reader had better have room first.
    """

    length_bytes: int | None = None
    wants_room = False

    def read_pieces(self, size: int) -> list[Piece]:
        """At most `size` bytes as they come, nothing at the end only. Parks."""
        raise NotImplementedError

    def read(self, size: int) -> bytes:
        """The same, put together."""
        return b"".join(self.read_pieces(size))

    def close(self) -> None:
        """Stop what is still under way."""
        raise NotImplementedError

    def whole(self, reserve: Callable[[int], None] = lambda _size: None) -> bytes:
        """All of it. Raises AnswerTooLarge.

        reserve: called with the number of bytes before they are held; it raises if they may not.
        """
        length = self.length_bytes
        if length is not None and length > MAX_ANSWER_BYTES:
            self.close()
            raise AnswerTooLarge(
                f"the answer has {length} bytes, at most {MAX_ANSWER_BYTES} can be held"
            )
        try:
            if length is None:
                return self._gathered(reserve)
            reserve(length)
            return b"".join(self.read_pieces(length + 1))
        except BaseException:
            self.close()
            raise

    def _gathered(self, reserve: Callable[[int], None]) -> bytes:
        """All of a body whose length is not known."""
        body = bytearray()
        while block := self._read_reserved(reserve):
            body += block
            if len(body) > MAX_ANSWER_BYTES:
                raise AnswerTooLarge(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)

    def _read_reserved(self, reserve: Callable[[int], None]) -> bytes:
        reserve(ANSWER_BLOCK_BYTES)
        return self.read(ANSWER_BLOCK_BYTES)


class Download(Streamed):
    """The body of a good response, not read yet; until it is read or closed it holds a slot.

    length_bytes: None: the service does not say. check: what has to hold at its end.
    """

    def __init__(self, response: Any, check: Check | None = None) -> None:
        self._response = checked(response)
        self.check = check
        length = response.fields.get("content-length")
        self.length_bytes = whole_number(length, "Content-Length") if length else None

    def read_pieces(self, size: int) -> list[Piece]:
        """`size` bytes, fewer at the end. Parks. Raises BadAnswer at an end that cannot be."""
        pieces: list[Piece] = self._response.read_pieces(size)
        check = self.check
        if check is not None:
            check.update(pieces)
            if size_of(pieces) < size:
                self.check = None
                check.check()
        return pieces

    def close(self) -> None:
        """Stop a transfer that is still under way."""
        self._response.close()


def body_of(response: Any) -> bytes:
    """The whole body of a good response, which the job holds until it ends."""
    return Download(response).whole(_hold)


def _hold(size: int) -> None:
    held = current_held()
    if held is None:
        return
    if current_terms().idempotent:
        held.take(size)
    else:
        held.force(size)  # refused, it would look as if nothing had been done


def root_of(response: Any, name: str) -> ET.Element:
    """The XML document of a good response, an element called `name`.

    An error inside a 200 is raised as any other.
    """
    return read_document(response, name, lambda root: root)


def read_document(response: Any, name: str, read: Callable[[ET.Element], T]) -> T:
    """What `read` makes of `root_of`; of a long document in a thread, while the job parks."""
    body = body_of(response)
    if len(body) <= PARSED_HERE_BYTES:
        return read(_parsed(response, name, body))
    return in_thread(lambda: read(_parsed(response, name, body)))


def document_of(body: bytes) -> ET.Element:
    """The root of an XML document. Raises ParseError."""
    parser = ET.XMLParser()  # noqa: S314 - expat refuses entity bombs since 2.4.1
    for start in range(0, len(body), PIECE_BYTES):
        parser.feed(body[start : start + PIECE_BYTES])
    root: ET.Element = parser.close()
    return root


def _parsed(response: Any, name: str, body: bytes) -> ET.Element:
    try:
        # S3 sends blanks while it copies or completes, and then the document.
        root = document_of(body.lstrip())
    except ET.ParseError as error:
        raise BadAnswer(f"the answer is not XML: {error}") from None
    found = name_of(root)
    if found == "Error":
        raise BotoServerError(response.status, response.reason, body)
    if found != name:
        raise BadAnswer(f"the answer is a document {found!r}, not {name!r}")
    return root


def text_in(body: bytes, name: str) -> str | None:
    """What stands in an error's first element called `name`; it may be cut, or no XML at all."""
    found = re.search(rb"<%b>([^<]{1,1024})</%b>" % (name.encode(), name.encode()), body)
    return found and found[1].decode("utf-8", "replace")


def metadata(response: Any) -> Result:
    """`ResponseMetadata` as boto3 gives it."""
    fields = response.fields
    request_id = fields.get("x-amz-request-id") or fields.get("x-amzn-requestid")
    meta: Result = {"HTTPStatusCode": response.status}
    if request_id:
        meta["RequestId"] = request_id
    return {"ResponseMetadata": meta}


def whole_number(text: str | None, name: str) -> int:
    """The number that a text says; 0 where there is none."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise BadAnswer(f"{name} is {text[:MAX_DIGITS]!r}, which is not a whole number")
    return int(text)


def moment(text: str, name: str) -> str:
    """A date of HTTP in ISO 8601."""
    usual = USUAL_DATE.fullmatch(text)
    if usual is not None:
        day, name_of_month, year, time = usual.groups()
        month, last_day = MONTHS.get(name_of_month, ("", ""))
        if day <= last_day:
            return f"{year}-{month}-{day}T{time}+00:00"
    try:
        return parsedate_to_datetime(text).isoformat()
    except (ValueError, OverflowError):
        raise BadAnswer(f"{name} is {text!r}, which is not a date") from None


def name_of(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def all_of(element: ET.Element, name: str) -> list[ET.Element]:
    """The children called `name`, whatever their namespace."""
    return [child for child in element if child.tag.rpartition("}")[2] == name]


def first_of(element: ET.Element, name: str) -> ET.Element | None:
    """The first of them; None if there is none."""
    for child in element:  # `find` takes five times as long, of any namespace
        if child.tag.rpartition("}")[2] == name:
            return child
    return None


def text_of(element: ET.Element, name: str) -> str | None:
    """What stands in the first child called `name`; None if there is none."""
    child = first_of(element, name)
    return None if child is None else plain(child)


def plain(element: ET.Element) -> str:
    """An element's text; SimpleDB sends what XML cannot hold as base64."""
    text = element.text or ""
    if element.get("encoding") == "base64":
        return base64.b64decode(text).decode("utf-8", "replace")
    return text


def texts_of(element: ET.Element, names: Iterable[str]) -> Result:
    """Those of the children called `names` that are there."""
    children: dict[str, ET.Element] = {}
    for child in element:
        children.setdefault(child.tag.rpartition("}")[2], child)
    return {name: plain(children[name]) for name in names if name in children}
