"""What the parameters of SQS's operations look like, and SQS's bounds on them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botod.daemon.services.shapes import (
    Blob,
    InvalidParam,
    ListOf,
    MapOf,
    Number,
    Shape,
    Struct,
    Text,
)

MAX_URL_BYTES = 2048
"""Of a queue's URL: host, account and a name of 80 characters take some 150."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""SQS's bound on a message, its attributes among it; and on all messages of a batch together."""

MAX_ENTRIES = 10
"""SQS's bound on a batch."""

MAX_HANDLE_LENGTH = 1024
"""SQS's bound on a receipt handle."""

MAX_NAME_LENGTH = 256
"""SQS's bound on the name of a message's attribute, and on its type's."""

MAX_TOKEN_LENGTH = 4096
"""Of a place in a list of queues, which SQS does not say; it gives some hundred characters."""

MAX_MESSAGE_ATTRIBUTES = 10
"""SQS's bound."""

MAX_NAMES = 100
"""Of attributes asked for: a queue has some 25, a receive ten messages with ten each."""

MAX_ATTRIBUTE_BYTES = 20 * 1024
"""Of a queue's attribute: the longest is a policy, for which AWS allows 8 KiB, or less."""

MAX_TAGS = 50
"""SQS's bound. A tag's name has up to 128 characters, its value up to 256."""

MAX_TRACE_LENGTH = 256
"""Of a message's trace header, some 100 characters."""

NOT_ALLOWED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold; SQS puts U+FFFD in its place without a word."""


_URL = Text(min_length=1, max_bytes=MAX_URL_BYTES)

_IN_REQUEST_LINE = re.compile(r"[!-~]+")


class QueuePath:
    """A QueueUrl, of which only the path is used: the host is the profile's, never the peer's."""

    def read(self, value: Any, where: str) -> str:
        text = _URL.read(value, where)
        try:
            path = urlsplit(text).path.lstrip("/")
        except ValueError:  # half an IPv6 address
            path = ""
        if not _IN_REQUEST_LINE.fullmatch(path):
            raise InvalidParam(f"{where} has to be a queue's URL, with a path")
        return f"/{path}"


@dataclass(frozen=True)
class MessageText(Text):
    """A text that comes out of a queue as it went in."""

    max_bytes: int | None = MAX_MESSAGE_BYTES

    def read(self, value: Any, where: str) -> str:
        text = super().read(value, where)
        found = NOT_ALLOWED.search(text)
        if found is not None:
            raise InvalidParam(
                f"{where} has the character U+{ord(found[0]):04X} at position {found.start()}, "
                "which SQS does not carry; base64 carries anything"
            )
        return text


@dataclass(frozen=True)
class MessageAttribute(Struct):
    """A value with its type, which says in which of the two fields it stands."""

    def read(self, value: Any, where: str) -> dict[str, Any]:
        attribute = super().read(value, where)
        kind = attribute["DataType"]
        due = "BinaryValue" if kind.partition(".")[0] == "Binary" else "StringValue"
        if attribute.keys() != {"DataType", due}:
            raise InvalidParam(f"{where} is of the type {kind}: it has a {due} and nothing else")
        return attribute


@dataclass(frozen=True)
class Message(Struct):
    """A message, which has a bound as a whole too."""

    def read(self, value: Any, where: str) -> dict[str, Any]:
        message = super().read(value, where)
        size = message_bytes(message)
        if size > MAX_MESSAGE_BYTES:
            words = f"{where or 'the message'} has {size} bytes with its attributes"
            raise InvalidParam(f"{words}; {MAX_MESSAGE_BYTES} may be")
        return message


@dataclass(frozen=True)
class Entries(ListOf):
    """A batch: each entry with an Id of its own, and all of them within a message's bound."""

    minimum: int = 1
    maximum: int | None = MAX_ENTRIES

    def read(self, value: Any, where: str) -> list[Any]:
        entries = super().read(value, where)
        seen = set()
        for entry in entries:
            if entry["Id"] in seen:
                raise InvalidParam(f"{where} has the Id {entry['Id']!r} twice; each has its own")
            seen.add(entry["Id"])
        size = sum(map(message_bytes, entries))
        if size > MAX_MESSAGE_BYTES:
            raise InvalidParam(f"{where} has {size} bytes together; {MAX_MESSAGE_BYTES} may be")
        return entries


def message_bytes(message: Mapping[str, Any]) -> int:
    """A message's size as SQS counts it: its body, and its attributes' names, types and values."""
    size = len(message.get("MessageBody", "").encode())
    for name, value in message.get("MessageAttributes", {}).items():
        size += len(name.encode()) + len(value["DataType"].encode())
        size += len(value.get("StringValue", "").encode()) + len(value.get("BinaryValue", b""))
    return size


NAME = Text(1, MAX_NAME_LENGTH)
NAMES = ListOf(NAME, 0, MAX_NAMES)
VISIBILITY = Number(0, 43200)
QUEUE_ATTRIBUTES = MapOf(NAME, Text(max_bytes=MAX_ATTRIBUTE_BYTES), MAX_NAMES)
TAGS = MapOf(Text(1, 128), Text(0, 256), MAX_TAGS)

ON_QUEUE: dict[str, Shape] = {"QueueUrl": QueuePath()}
QUEUE_NAME: dict[str, Shape] = {"QueueName": Text(min_length=1, max_length=80)}
BODY: dict[str, Shape] = {"MessageBody": MessageText(min_length=1)}
HANDLE: dict[str, Shape] = {"ReceiptHandle": Text(1, MAX_HANDLE_LENGTH)}
ID: dict[str, Shape] = {
    "Id": Text(
        1, 80, pattern=r"[0-9A-Za-z_-]+", allowed="may hold letters, digits, '-' and '_' only"
    )
}
_KIND = Text(
    1,
    MAX_NAME_LENGTH,
    pattern=r"(?:String|Number|Binary)(?:\..+)?",
    allowed="has to be String, Number or Binary, with or without a type of one's own behind a dot",
)
_ATTRIBUTE = MessageAttribute(
    {"DataType": _KIND},
    {"StringValue": MessageText(), "BinaryValue": Blob(MAX_MESSAGE_BYTES)},
)
_SYSTEM_ATTRIBUTE = MessageAttribute(
    {"DataType": Text(choices=("String",))}, {"StringValue": MessageText(1, MAX_TRACE_LENGTH)}
)
SENDING: dict[str, Shape] = {
    "DelaySeconds": Number(0, 900),
    "MessageAttributes": MapOf(NAME, _ATTRIBUTE, MAX_MESSAGE_ATTRIBUTES),
    "MessageSystemAttributes": MapOf(Text(choices=("AWSTraceHeader",)), _SYSTEM_ATTRIBUTE),
    "MessageDeduplicationId": Text(1, 128),
    "MessageGroupId": Text(1, 128),
}
