"""A server that speaks SQS's query protocol as far as sending, deleting and changing go.

It answers each entry by itself. A body, or a handle, that begins with "refuse" fails by its
sender's fault, "break" by the server's; "forget" is left out of the answer, "alter" came changed.
"""

import hashlib
import re
import threading
from collections.abc import Mapping
from html import escape

from support.http_server import Exchange
from support.loops import BOUND_S
from support.services import form_of, query_xml

Form = dict[str, str]

ENTRY = re.compile(r"\w+BatchRequestEntry\.(\d+)\.(.+)")


class SqsServer:
    """requests: the entries of each request, as they came; `hold` keeps answers back."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, list[Form]]] = []
        self._held: dict[int, threading.Event] = {}
        self._came = threading.Condition()

    def hold(self, number: int) -> threading.Event:
        """Have the request of this number, from 1 on, wait for its answer until this is set."""
        return self._held.setdefault(number, threading.Event())

    def wait_for(self, number: int) -> None:
        """Return when so many requests have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) >= number, BOUND_S)

    @property
    def sizes(self) -> list[int]:
        return [len(entries) for _action, entries in self.requests]

    @property
    def bodies(self) -> list[list[str]]:
        return [[key_of(entry) for entry in entries] for _action, entries in self.requests]

    def __call__(self, exchange: Exchange) -> None:
        form = form_of(exchange)
        action = form["Action"]
        entries = entries_of(form) if action.endswith("Batch") else [form]
        with self._came:
            self.requests.append((action, entries))
            held = self._held.get(len(self.requests))
            self._came.notify_all()
        if held is not None:
            assert held.wait(BOUND_S)
        if action.endswith("Batch"):
            inside = "".join(_in_batch(action, entry) for entry in entries)
        else:
            inside = _fields(entries[0])
        query_xml(action, inside)(exchange)


def entries_of(form: Mapping[str, str]) -> list[Form]:
    """A batch's entries, in the order of their numbers."""
    entries: dict[int, Form] = {}
    for name, value in form.items():
        found = ENTRY.fullmatch(name)
        if found is not None:
            entries.setdefault(int(found[1]), {})[found[2]] = value
    return [entries[number] for number in sorted(entries)]


def key_of(entry: Form) -> str:
    """What a test tells entries apart by."""
    return entry.get("MessageBody") or entry.get("ReceiptHandle", "")


def _in_batch(action: str, entry: Form) -> str:
    name, key = entry["Id"], key_of(entry)
    if key.startswith("forget"):
        return ""
    for word, code, sender in (
        ("refuse", "InvalidMessageContents", "true"),
        ("break", "InternalError", "false"),
    ):
        if key.startswith(word):
            return (
                f"<BatchResultErrorEntry><Id>{name}</Id><Code>{code}</Code><Message>no</Message>"
                f"<SenderFault>{sender}</SenderFault></BatchResultErrorEntry>"
            )
    return f"<{action}ResultEntry><Id>{name}</Id>{_fields(entry)}</{action}ResultEntry>"


def _fields(entry: Form) -> str:
    """What is said of a message that was taken."""
    body = entry.get("MessageBody")
    if body is None:
        return ""
    seen = "something else" if body.startswith("alter") else body
    md5 = hashlib.md5(seen.encode()).hexdigest()
    return f"<MessageId>m-{escape(body)}</MessageId><MD5OfMessageBody>{md5}</MD5OfMessageBody>"
