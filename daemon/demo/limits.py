"""SimpleDB's limits of what a call may say, and the checks that hold them. No I/O."""

import re
from collections.abc import Sequence

from botod.daemon.demo.errors import Refused

MAX_TEXT_BYTES = 1024
"""Of the name of an item, and of the name and the value of an attribute."""

MAX_DOMAINS = 250
MAX_LISTED_DOMAINS = 100
MAX_ITEM_PAIRS = 256
MAX_SUBMITTED_PAIRS = 256
MAX_SUBMITTED_ITEMS = 25

SHOWN_CHARACTERS = 64
"""What an error shows of a value that it refuses."""

_DOMAIN_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


def invalid(parameter: str, value: str, why: str) -> Refused:
    """The error for a parameter's value."""
    shown = value[:SHOWN_CHARACTERS]
    return Refused(
        "InvalidParameterValue", f"Value ({shown}) for parameter {parameter} is invalid. {why}"
    )


def check_domain_name(name: str) -> None:
    """The name of a domain."""
    if not _DOMAIN_NAME.fullmatch(name):
        raise invalid("DomainName", name, "It must be 3 to 255 characters of a-z A-Z 0-9 _ . -")


def check_name(parameter: str, name: str) -> None:
    """A name of an item or an attribute."""
    if not name:
        raise invalid(parameter, name, "The empty string is an illegal name.")
    check_value(parameter, name)


def check_value(parameter: str, value: str) -> None:
    """A value of an attribute, which may be empty."""
    if len(value.encode()) > MAX_TEXT_BYTES:
        raise invalid(parameter, value, f"Value exceeds maximum length of {MAX_TEXT_BYTES}.")


def check_pairs(names: Sequence[str], values: Sequence[str]) -> None:
    """The attributes that one call submits for one item."""
    if len(names) > MAX_SUBMITTED_PAIRS:
        raise Refused(
            "NumberSubmittedAttributesExceeded",
            "Too many attributes in a single call. "
            f"Up to {MAX_SUBMITTED_PAIRS} attributes per call allowed.",
        )
    for name in names:
        check_name("Name", name)
    for value in values:
        check_value("Value", value)


def check_batch(item_names: Sequence[str]) -> None:
    """The items that one call submits."""
    if not item_names:
        raise Refused("MissingParameter", "No items specified.")
    if len(item_names) > MAX_SUBMITTED_ITEMS:
        raise Refused(
            "NumberSubmittedItemsExceeded",
            f"Too many items in a single call. Up to {MAX_SUBMITTED_ITEMS} items per call allowed.",
        )
    for name in item_names:
        check_name("ItemName", name)
        if item_names.count(name) > 1:
            raise Refused("DuplicateItemName", f"Item {name} was specified more than once.")
