"""MD5 as SQS makes it: of a message's body, and of its attributes. Computed here, and compared.

SQS says with each message it takes, and with each it gives, what it has. What differs was changed
on the way, by whoever is in between or by a server that is not SQS: nobody else would notice.
"""

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

from botod.daemon.services.errors import BadAnswer

STRING, BINARY = b"\x01", b"\x02"
"""How a value travels, as it goes into the digest; a number is a text."""


class ChangedOnTheWay(BadAnswer):
    """SQS has, or gave, another message than the one that this side has."""


def md5_of_body(body: str) -> str:
    """Of the text as UTF-8, in hex."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """By name: name, type, how the value travels, value; the length before each in four bytes."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        digest.update(_sized(name.encode()))
        digest.update(_sized(value["DataType"].encode()))
        if value["DataType"].partition(".")[0] == "Binary":
            digest.update(BINARY + _sized(value.get("BinaryValue", b"")))
        else:
            digest.update(STRING + _sized(value.get("StringValue", "").encode()))
    return digest.hexdigest()


def differing(message: Mapping[str, Any], told: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Which part of a message is another one by what SQS told of it; empty: none.

    names: of the told digests, by the part of the message that they are of. A digest that was not
    told, as by servers that are not SQS, is not compared.
    """
    for part, name in names.items():
        if part not in message or name not in told:
            continue
        value = message[part]
        own = md5_of_body(value) if isinstance(value, str) else md5_of_attributes(value)
        if own != told[name]:
            return part
    return ""


def _sized(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data
