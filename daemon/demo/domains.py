"""SimpleDB's data: domains of items, items of attributes, attributes of values. No I/O.

An item is never changed, only replaced by another: a call that is refused, a batch too, has changed
nothing.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botod.daemon.demo.conditions import Attributes
from botod.daemon.demo.errors import Refused
from botod.daemon.demo.limits import (
    MAX_DOMAINS,
    MAX_ITEM_PAIRS,
    MAX_LISTED_DOMAINS,
    check_batch,
    check_domain_name,
    check_name,
    check_pairs,
    check_value,
    invalid,
)
from botod.daemon.demo.paging import Page, page
from botod.daemon.demo.select import parse


@dataclass(frozen=True)
class Put:
    """A value to add. replace: the values that its attribute had go away."""

    name: str
    value: str
    replace: bool = False


@dataclass(frozen=True)
class Removal:
    """A value to take away; value None: the whole attribute."""

    name: str
    value: str | None = None


@dataclass(frozen=True)
class Expected:
    """What has to be so before an item is changed.

    value: the only value that the attribute has; exists False instead: it has none
    """

    name: str
    value: str | None = None
    exists: bool = True


@dataclass(frozen=True)
class Metadata:
    """How much a domain holds; the name of an attribute counts once, whatever items use it."""

    item_count: int
    item_names_size_bytes: int
    attribute_name_count: int
    attribute_names_size_bytes: int
    attribute_value_count: int
    attribute_values_size_bytes: int


Items = dict[str, Attributes]


class Domains:
    """Everything that one account has. Not safe for threads: the caller takes turns."""

    def __init__(self) -> None:
        self._domains: dict[str, Items] = {}

    def create(self, domain: str) -> None:
        check_domain_name(domain)
        if domain not in self._domains and len(self._domains) >= MAX_DOMAINS:
            raise Refused("NumberDomainsExceeded", "The domain limit was exceeded.")
        self._domains.setdefault(domain, {})

    def delete(self, domain: str) -> None:
        """Drop a domain and what is in it; one that is not there is no error."""
        check_domain_name(domain)
        self._domains.pop(domain, None)

    def list_names(
        self, maximum: int = MAX_LISTED_DOMAINS, token: str = ""
    ) -> tuple[list[str], str]:
        """Names of domains in order, and the token for those that follow, empty if none do."""
        if not 1 <= maximum <= MAX_LISTED_DOMAINS:
            raise invalid(
                "MaxNumberOfDomains",
                str(maximum),
                f"MaxNumberOfDomains must be between 1 and {MAX_LISTED_DOMAINS}.",
            )
        last = _last_domain(token)
        names = sorted(name for name in self._domains if name > last)
        listed = names[:maximum]
        more = len(names) > maximum
        return listed, base64.urlsafe_b64encode(listed[-1].encode()).decode() if more else ""

    def metadata(self, domain: str) -> Metadata:
        items = self._items(domain)
        names = {name for attributes in items.values() for name in attributes}
        values = [value for item in items.values() for values in item.values() for value in values]
        return Metadata(
            item_count=len(items),
            item_names_size_bytes=_size_bytes(items),
            attribute_name_count=len(names),
            attribute_names_size_bytes=_size_bytes(names),
            attribute_value_count=len(values),
            attribute_values_size_bytes=_size_bytes(values),
        )

    def put(
        self, domain: str, item: str, puts: Sequence[Put], expected: Expected | None = None
    ) -> None:
        items = self._items(domain)
        check_name("ItemName", item)
        _check_puts(puts)
        old = items.get(item, {})
        _check_expected(old, expected)
        items[item] = _with(old, puts)

    def batch_put(self, domain: str, batch: Sequence[tuple[str, Sequence[Put]]]) -> None:
        items = self._items(domain)
        check_batch([name for name, _puts in batch])
        for _name, puts in batch:
            _check_puts(puts)
        items.update({name: _with(items.get(name, {}), puts) for name, puts in batch})

    def get(self, domain: str, item: str, names: Sequence[str] = ()) -> Attributes:
        """An item's attributes, those of `names` if there are any; nothing if it is not there."""
        items = self._items(domain)
        check_name("ItemName", item)
        for name in names:
            check_name("AttributeName", name)
        attributes = items.get(item, {})
        return {name: attributes[name] for name in names or attributes if name in attributes}

    def delete_attributes(
        self,
        domain: str,
        item: str,
        removals: Sequence[Removal] = (),
        expected: Expected | None = None,
    ) -> None:
        """Take values away, or the whole item if no removals are given; what is not there, is."""
        items = self._items(domain)
        check_name("ItemName", item)
        _check_removals(removals)
        _check_expected(items.get(item, {}), expected)
        _remove(items, item, removals)

    def batch_delete(self, domain: str, batch: Sequence[tuple[str, Sequence[Removal]]]) -> None:
        items = self._items(domain)
        check_batch([name for name, _removals in batch])
        for _name, removals in batch:
            _check_removals(removals)
        for name, removals in batch:
            _remove(items, name, removals)

    def select(self, expression: str, token: str = "") -> Page:
        select = parse(expression)
        return page(select, self._items(select.domain), token)

    def _items(self, domain: str) -> Items:
        check_domain_name(domain)
        if domain not in self._domains:
            raise Refused("NoSuchDomain", "The specified domain does not exist.")
        return self._domains[domain]


def _size_bytes(texts: "Sequence[str] | set[str] | Mapping[str, object]") -> int:
    return sum(len(text.encode()) for text in texts)


def _last_domain(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError):
        raise Refused("InvalidNextToken", "The specified next token is not valid.") from None


def _check_puts(puts: Sequence[Put]) -> None:
    if not puts:
        raise Refused("MissingParameter", "No attributes specified.")
    check_pairs([put.name for put in puts], [put.value for put in puts])


def _check_removals(removals: Sequence[Removal]) -> None:
    values = [removal.value for removal in removals if removal.value is not None]
    check_pairs([removal.name for removal in removals], values)


def _with(attributes: Attributes, puts: Sequence[Put]) -> Attributes:
    replaced = {put.name for put in puts if put.replace}
    sets = {name: set(values) for name, values in attributes.items() if name not in replaced}
    for put in puts:
        sets.setdefault(put.name, set()).add(put.value)
    if sum(map(len, sets.values())) > MAX_ITEM_PAIRS:
        raise Refused("NumberItemAttributesExceeded", "Too many attributes in this item.")
    return {name: tuple(sorted(values)) for name, values in sorted(sets.items())}


def _remove(items: Items, item: str, removals: Sequence[Removal]) -> None:
    """An item that has nothing left is gone."""
    removed = {(removal.name, removal.value) for removal in removals}
    left = {
        name: tuple(value for value in values if (name, value) not in removed)
        for name, values in items.pop(item, {}).items()
        if removals and (name, None) not in removed
    }
    attributes = {name: values for name, values in left.items() if values}
    if attributes:
        items[item] = attributes


def _check_expected(attributes: Attributes, expected: Expected | None) -> None:
    if expected is None:
        return
    check_name("Expected.Name", expected.name)
    values = attributes.get(expected.name, ())
    if expected.exists:
        _check_expected_value(expected, values)
    elif expected.value is not None:
        raise Refused(
            "ExistsAndExpectedValue",
            "Expected.Exists=false and Expected.Value cannot be specified together.",
        )
    elif values:
        raise _check_failed(f"Attribute ({expected.name}) value exists.")


def _check_expected_value(expected: Expected, values: Sequence[str]) -> None:
    if expected.value is None:
        raise Refused(
            "IncompleteExpectedExpression",
            "If Expected.Exists=true or unspecified, then Expected.Value has to be specified.",
        )
    check_value("Expected.Value", expected.value)
    if not values:
        raise Refused("AttributeDoesNotExist", f"Attribute ({expected.name}) does not exist.")
    if len(values) > 1:
        raise Refused(
            "MultiValuedAttribute",
            f"Attribute ({expected.name}) is multi-valued. "
            "Conditional check can only be performed on a single-valued attribute.",
        )
    if values[0] != expected.value:
        raise _check_failed(
            f"Attribute ({expected.name}) value is ({values[0]}) "
            f"but was expected ({expected.value})."
        )


def _check_failed(why: str) -> Refused:
    return Refused("ConditionalCheckFailed", f"Conditional check failed. {why}")
