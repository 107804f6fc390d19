"""What a select finds, a page at a time. No I/O.

A token names the item that the page before ended with, so that items which come and go between two
pages neither repeat nor hide others.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from botod.daemon.demo.conditions import Attributes, Subject
from botod.daemon.demo.errors import Refused
from botod.daemon.demo.select import Output, Select

DEFAULT_LIMIT = 100

MAX_PAGE_BYTES = 1024 * 1024
"""SimpleDB's bound of an answer; here of the names and values in it."""

Row = tuple[str, str]
"""An item's place in the order: the value that it is sorted by, and its name."""


@dataclass(frozen=True)
class Page:
    """Items with their attributes. next_token: gives the next page; empty after the last."""

    items: tuple[tuple[str, Attributes], ...]
    next_token: str = ""


def page(select: Select, items: Mapping[str, Attributes], token: str = "") -> Page:
    """The items that a select finds after the token, as many as an answer takes."""
    rows = _after(token, select, _rows(select, items)) if token else _rows(select, items)
    if select.output is Output.COUNT:
        limit = select.limit or len(rows)
        counted: Attributes = {"Count": (str(len(rows[:limit])),)}
        return Page((("Domain", counted),), _token(select, rows, limit))
    found = [(name, _shown(select, items[name])) for _key, name in rows]
    fitting = _fitting(found[: select.limit or DEFAULT_LIMIT])
    return Page(tuple(found[:fitting]), _token(select, rows, fitting))


def _rows(select: Select, items: Mapping[str, Attributes]) -> list[Row]:
    """What satisfies the condition, in order; without what the order is by, nothing can be."""
    subject = Subject(select.order.attribute if select.order else None)
    rows = [
        (min(values), name)
        for name, attributes in items.items()
        if (values := subject.values(name, attributes))
        and (select.where is None or select.where.holds(name, attributes))
    ]
    return sorted(rows, reverse=_descending(select))


def _shown(select: Select, attributes: Attributes) -> Attributes:
    if select.output is Output.ATTRIBUTES:
        return {name: attributes[name] for name in select.attributes if name in attributes}
    return attributes if select.output is Output.EVERYTHING else {}


def _fitting(found: Iterable[tuple[str, Attributes]]) -> int:
    """How many of the items fit into one answer: at least the first."""
    total_bytes = 0
    number = 0
    for name, attributes in found:
        total_bytes += len(name.encode()) + sum(
            len(attribute.encode()) + len(value.encode())
            for attribute, values in attributes.items()
            for value in values
        )
        if number and total_bytes > MAX_PAGE_BYTES:
            break
        number += 1
    return number


def _descending(select: Select) -> bool:
    return select.order is not None and select.order.descending


def _token(select: Select, rows: list[Row], taken: int) -> str:
    if taken >= len(rows):
        return ""
    content = json.dumps([_digest(select), *rows[taken - 1]])
    return base64.urlsafe_b64encode(content.encode()).decode()


def _after(token: str, select: Select, rows: list[Row]) -> list[Row]:
    try:
        digest, key, name = json.loads(base64.urlsafe_b64decode(token))
        last = (str(key), str(name))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        digest = last = None
    if last is None or digest != _digest(select):
        raise Refused("InvalidNextToken", "The specified next token is not valid.")
    return [row for row in rows if (row < last if _descending(select) else row > last)]


def _digest(select: Select) -> str:
    """What ties a token to the expression that it came from."""
    return hashlib.sha256(select.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
