"""Messages as the query protocol has them: into a form, out of an answer, compared by their MD5."""

import base64
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any

from botod.daemon.services.answers import all_of, text_of, texts_of
from botod.daemon.services.operation import Params, Result
from botod.daemon.services.query import Form, prefixed, scalars
from botod.daemon.services.sqs_digests import ChangedOnTheWay, differing
from botod.daemon.services.sqs_shapes import message_bytes
from botod.pool.bridge import in_thread

SENT = (
    "MessageId",
    "MD5OfMessageBody",
    "MD5OfMessageAttributes",
    "MD5OfMessageSystemAttributes",
    "SequenceNumber",
)
"""What SQS says of a message that it has taken."""

HASHED_HERE_BYTES = 64 * 1024
"""Larger messages are hashed in a thread: so many take 0.1 ms, a MiB takes 1.5 ms."""

_ATTRIBUTES = (
    ("MessageAttribute", "MessageAttributes"),
    ("MessageSystemAttribute", "MessageSystemAttributes"),
)
_SENT_DIGESTS = {
    "MessageBody": "MD5OfMessageBody",
    "MessageAttributes": "MD5OfMessageAttributes",
    "MessageSystemAttributes": "MD5OfMessageSystemAttributes",
}
_RECEIVED_DIGESTS = {"Body": "MD5OfBody", "MessageAttributes": "MD5OfMessageAttributes"}


def message_form(message: Params) -> Form:
    """The fields of a message that is sent."""
    form = scalars(
        message, "MessageBody", "DelaySeconds", "MessageDeduplicationId", "MessageGroupId"
    )
    for prefix, name in _ATTRIBUTES:
        if name in message:
            form |= _attributes_form(prefix, message[name])
    return form


def changed(
    sent: Sequence[Params], told: Sequence[Mapping[str, str]]
) -> list[ChangedOnTheWay | None]:
    """For each message that SQS says it has taken, the error if it has another one. May park."""
    pairs = zip(sent, told, strict=True)
    if sum(map(message_bytes, sent)) > HASHED_HERE_BYTES:
        return in_thread(lambda: list(starmap(_changed_one, pairs)))
    return list(starmap(_changed_one, pairs))


def messages(result: Any) -> list[Result]:
    """Those of an answer. Raises ChangedOnTheWay."""
    return [_message(message) for message in all_of(result, "Message")]


def attributes(element: Any) -> dict[str, str]:
    """Of a queue, or a message's own from SQS."""
    return {
        text_of(item, "Name") or "": text_of(item, "Value") or ""
        for item in all_of(element, "Attribute")
    }


def _changed_one(sent: Params, told: Mapping[str, str]) -> ChangedOnTheWay | None:
    part = differing(sent, told, _SENT_DIGESTS)
    if not part:
        return None
    return ChangedOnTheWay(
        f"the message was accepted as {told.get('MessageId')}, but with another {part} than was "
        "sent, by its MD5: it is in the queue; sent again it is there twice"
    )


def _attributes_form(prefix: str, values: Mapping[str, Params]) -> Form:
    form: Form = {}
    for number, (name, value) in enumerate(values.items(), 1):
        form |= {f"{prefix}.{number}.Name": name}
        fields = scalars(value, "DataType", "StringValue", "BinaryValue")
        form |= prefixed(f"{prefix}.{number}.Value", fields)
    return form


def _message(element: Any) -> Result:
    result = texts_of(element, ("MessageId", "ReceiptHandle", "MD5OfBody", "Body"))
    result |= texts_of(element, ("MD5OfMessageAttributes",))
    systems = attributes(element)
    if systems:
        result["Attributes"] = systems
    own = all_of(element, "MessageAttribute")
    if own:
        result["MessageAttributes"] = {
            text_of(item, "Name") or "": _message_attribute(item) for item in own
        }
    part = differing(result, result, _RECEIVED_DIGESTS)
    if part:
        raise ChangedOnTheWay(
            f"message {result.get('MessageId')} came with another {part} than SQS has, by its MD5: "
            "all that was received comes again after its visibility timeout"
        )
    return result


def _message_attribute(item: Any) -> Result:
    value = all_of(item, "Value")[0]
    result = texts_of(value, ("DataType", "StringValue"))
    binary = text_of(value, "BinaryValue")
    if binary is not None:
        result["BinaryValue"] = base64.b64decode(binary)
    return result
