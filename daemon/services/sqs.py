"""SQS: its connection and its table of operations."""

import base64
import re
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from botod.daemon.services.answers import all_of, text_of, texts_of
from botod.daemon.services.operation import Operation, Params, Result, Service
from botod.daemon.services.query import (
    Form,
    ask,
    ask_and_read,
    connect,
    numbered,
    prefixed,
    scalars,
)
from botod.daemon.services.resources import QUEUE, QUEUE_NAME, UNTOLD
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

from boto.sqs.connection import SQSConnection

MAX_URL_BYTES = 2048
"""Of a queue's URL: host, account and a name of 80 characters take some 150."""

MAX_MESSAGE_BYTES = 1024 * 1024
"""SQS's bound on a message, its attributes among it; so of each part."""

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


class QueuePath:
    """A QueueUrl, of which only the path is used: the host is the profile's, never the peer's."""

    def read(self, value: Any, where: str) -> str:
        text = Text(min_length=1, max_bytes=MAX_URL_BYTES).read(value, where)
        try:
            path = urlsplit(text).path.lstrip("/")
        except ValueError:  # half an IPv6 address
            path = ""
        if not re.fullmatch(r"[!-~]+", path):  # what a request line can carry
            raise InvalidParam(f"{where} has to be a queue's URL, with a path")
        return f"/{path}"


def create_queue(connection: Any, params: Params) -> Result:
    form = scalars(params, "QueueName")
    form |= _pairs("Attribute", "Name", "Value", params.get("Attributes", {}))
    form |= _pairs("Tag", "Key", "Value", params.get("tags", {}))
    result, meta = ask(connection, "CreateQueue", form)
    return texts_of(result, ("QueueUrl",)) | meta


def get_queue_url(connection: Any, params: Params) -> Result:
    form = scalars(params, "QueueName", "QueueOwnerAWSAccountId")
    result, meta = ask(connection, "GetQueueUrl", form)
    return texts_of(result, ("QueueUrl",)) | meta


def list_queues(connection: Any, params: Params) -> Result:
    form = scalars(params, "QueueNamePrefix", "MaxResults", "NextToken")
    result, meta = ask(connection, "ListQueues", form)
    urls = [url.text or "" for url in all_of(result, "QueueUrl")]
    return {"QueueUrls": urls} | texts_of(result, ("NextToken",)) | meta


def delete_queue(connection: Any, params: Params) -> Result:
    return ask(connection, "DeleteQueue", {}, params["QueueUrl"])[1]


def purge_queue(connection: Any, params: Params) -> Result:
    return ask(connection, "PurgeQueue", {}, params["QueueUrl"])[1]


def get_queue_attributes(connection: Any, params: Params) -> Result:
    form = numbered("AttributeName", params.get("AttributeNames", []))
    result, meta = ask(connection, "GetQueueAttributes", form, params["QueueUrl"])
    return {"Attributes": _attributes(result)} | meta


def send_message(connection: Any, params: Params) -> Result:
    result, meta = ask(connection, "SendMessage", _message_form(params), params["QueueUrl"])
    return texts_of(result, _SENT) | meta


def send_message_batch(connection: Any, params: Params) -> Result:
    form: Form = {}
    for number, entry in enumerate(params["Entries"], 1):
        form |= prefixed(
            f"SendMessageBatchRequestEntry.{number}",
            scalars(entry, "Id") | _message_form(entry),
        )
    result, meta = ask(connection, "SendMessageBatch", form, params["QueueUrl"])
    return _batch_result(result, "SendMessageBatch", ("Id", *_SENT)) | meta


def receive_message(connection: Any, params: Params) -> Result:
    form = scalars(
        params,
        "MaxNumberOfMessages",
        "VisibilityTimeout",
        "WaitTimeSeconds",
        "ReceiveRequestAttemptId",
    )
    wanted = [*params.get("AttributeNames", []), *params.get("MessageSystemAttributeNames", [])]
    form |= numbered("AttributeName", wanted)
    form |= numbered("MessageAttributeName", params.get("MessageAttributeNames", []))
    path = params["QueueUrl"]
    messages, meta = ask_and_read(connection, "ReceiveMessage", form, path, _messages)
    return ({"Messages": messages} if messages else {}) | meta


def _may_wait(params: Params) -> bool:
    """Whether a receive is a long poll; where it does not say, the queue's own setting decides."""
    return params.get("WaitTimeSeconds") != 0


def delete_message(connection: Any, params: Params) -> Result:
    return ask(connection, "DeleteMessage", scalars(params, "ReceiptHandle"), params["QueueUrl"])[1]


def delete_message_batch(connection: Any, params: Params) -> Result:
    form: Form = {}
    for number, entry in enumerate(params["Entries"], 1):
        fields = scalars(entry, "Id", "ReceiptHandle")
        form |= prefixed(f"DeleteMessageBatchRequestEntry.{number}", fields)
    result, meta = ask(connection, "DeleteMessageBatch", form, params["QueueUrl"])
    return _batch_result(result, "DeleteMessageBatch", ("Id",)) | meta


def change_message_visibility(connection: Any, params: Params) -> Result:
    form = scalars(params, "ReceiptHandle", "VisibilityTimeout")
    return ask(connection, "ChangeMessageVisibility", form, params["QueueUrl"])[1]


def _pairs(prefix: str, key: str, value: str, items: dict[str, str]) -> Form:
    form: Form = {}
    for number, (name, text) in enumerate(items.items(), 1):
        form |= {f"{prefix}.{number}.{key}": name, f"{prefix}.{number}.{value}": text}
    return form


def _message_form(params: Params) -> Form:
    form = scalars(
        params, "MessageBody", "DelaySeconds", "MessageDeduplicationId", "MessageGroupId"
    )
    for number, (name, value) in enumerate(params.get("MessageAttributes", {}).items(), 1):
        prefix = f"MessageAttribute.{number}"
        form |= {f"{prefix}.Name": name}
        form |= prefixed(
            f"{prefix}.Value", scalars(value, "DataType", "StringValue", "BinaryValue")
        )
    return form


def _batch_result(result: Any, action: str, names: tuple[str, ...]) -> Result:
    """Entry by entry: a batch may fail in part inside a 200."""
    failed = all_of(result, "BatchResultErrorEntry")
    return {
        "Successful": [texts_of(entry, names) for entry in all_of(result, f"{action}ResultEntry")],
        "Failed": [
            texts_of(entry, ("Id", "Code", "Message"))
            | {"SenderFault": text_of(entry, "SenderFault") == "true"}
            for entry in failed
        ],
    }


def _messages(result: Any) -> list[Result]:
    return [_message(message) for message in all_of(result, "Message")]


def _message(message: Any) -> Result:
    result = texts_of(message, ("MessageId", "ReceiptHandle", "MD5OfBody", "Body"))
    result |= texts_of(message, ("MD5OfMessageAttributes",))
    attributes = _attributes(message)
    if attributes:
        result["Attributes"] = attributes
    own = all_of(message, "MessageAttribute")
    if own:
        result["MessageAttributes"] = {
            text_of(item, "Name") or "": _message_attribute(item) for item in own
        }
    return result


def _message_attribute(item: Any) -> Result:
    value = all_of(item, "Value")[0]
    result = texts_of(value, ("DataType", "StringValue"))
    binary = text_of(value, "BinaryValue")
    if binary is not None:
        result["BinaryValue"] = base64.b64decode(binary)
    return result


def _attributes(element: Any) -> dict[str, str]:
    return {
        text_of(item, "Name") or "": text_of(item, "Value") or ""
        for item in all_of(element, "Attribute")
    }


_SENT = ("MessageId", "MD5OfMessageBody", "MD5OfMessageAttributes", "SequenceNumber")

_QUEUE: dict[str, Shape] = {"QueueUrl": QueuePath()}
_QUEUE_NAME = Text(min_length=1, max_length=80)
_BODY: dict[str, Shape] = {"MessageBody": Text(min_length=1, max_bytes=MAX_MESSAGE_BYTES)}
_HANDLE: dict[str, Shape] = {"ReceiptHandle": Text(1, MAX_HANDLE_LENGTH)}
_NAME = Text(1, MAX_NAME_LENGTH)
_NAMES = ListOf(_NAME, 0, MAX_NAMES)
_ATTRIBUTE = Struct(
    {"DataType": _NAME},
    {
        "StringValue": Text(max_bytes=MAX_MESSAGE_BYTES),
        "BinaryValue": Blob(MAX_MESSAGE_BYTES),
    },
)
_ID: dict[str, Shape] = {"Id": Text(min_length=1, max_length=80)}
_SENDING: dict[str, Shape] = {
    "DelaySeconds": Number(0, 900),
    "MessageAttributes": MapOf(_NAME, _ATTRIBUTE, MAX_MESSAGE_ATTRIBUTES),
    "MessageDeduplicationId": Text(1, 128),
    "MessageGroupId": Text(1, 128),
}
_VISIBILITY = Number(0, 43200)

SERVICE = Service(
    connect=partial(connect, SQSConnection),
    operations={
        "create_queue": Operation(
            Struct(
                {"QueueName": _QUEUE_NAME},
                {
                    "Attributes": MapOf(_NAME, Text(max_bytes=MAX_ATTRIBUTE_BYTES), MAX_NAMES),
                    "tags": MapOf(Text(1, 128), Text(0, 256), MAX_TAGS),
                },
            ),
            create_queue,
            idempotent=True,
            resources=QUEUE_NAME,
        ),
        "get_queue_url": Operation(
            Struct({"QueueName": _QUEUE_NAME}, {"QueueOwnerAWSAccountId": Text(1, 64)}),
            get_queue_url,
            idempotent=True,
            resources=QUEUE_NAME,
        ),
        "list_queues": Operation(
            Struct(
                {},
                {
                    "QueueNamePrefix": Text(0, 80),
                    "MaxResults": Number(1, 1000),
                    "NextToken": Text(1, MAX_TOKEN_LENGTH),
                },
            ),
            list_queues,
            idempotent=True,
            resources=UNTOLD,
        ),
        "delete_queue": Operation(Struct(_QUEUE), delete_queue, idempotent=True, resources=QUEUE),
        "purge_queue": Operation(Struct(_QUEUE), purge_queue, idempotent=True, resources=QUEUE),
        "get_queue_attributes": Operation(
            Struct(_QUEUE, {"AttributeNames": _NAMES}),
            get_queue_attributes,
            idempotent=True,
            resources=QUEUE,
        ),
        "send_message": Operation(
            Struct(_QUEUE | _BODY, _SENDING), send_message, idempotent=False, resources=QUEUE
        ),
        "send_message_batch": Operation(
            Struct(_QUEUE | {"Entries": ListOf(Struct(_ID | _BODY, _SENDING), 1, 10)}),
            send_message_batch,
            idempotent=False,
            resources=QUEUE,
        ),
        "receive_message": Operation(
            Struct(
                _QUEUE,
                {
                    "AttributeNames": _NAMES,
                    "MessageSystemAttributeNames": _NAMES,
                    "MessageAttributeNames": _NAMES,
                    "MaxNumberOfMessages": Number(1, 10),
                    "VisibilityTimeout": _VISIBILITY,
                    "WaitTimeSeconds": Number(0, 20),
                    "ReceiveRequestAttemptId": Text(1, 128),
                },
            ),
            receive_message,
            # What a lost answer held becomes visible again after its timeout.
            idempotent=True,
            resources=QUEUE,
            polls=_may_wait,
        ),
        "delete_message": Operation(
            Struct(_QUEUE | _HANDLE), delete_message, idempotent=True, resources=QUEUE
        ),
        "delete_message_batch": Operation(
            Struct(_QUEUE | {"Entries": ListOf(Struct(_ID | _HANDLE), 1, 10)}),
            delete_message_batch,
            idempotent=True,
            resources=QUEUE,
        ),
        "change_message_visibility": Operation(
            Struct(_QUEUE | _HANDLE | {"VisibilityTimeout": _VISIBILITY}),
            change_message_visibility,
            idempotent=True,
            resources=QUEUE,
        ),
    },
)
