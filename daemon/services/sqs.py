"""SQS's operations on queues, and on one message."""

from typing import Any

from botod.daemon.services.answers import all_of, texts_of
from botod.daemon.services.operation import Params, Result
from botod.daemon.services.query import Form, ask, ask_and_read, numbered, scalars
from botod.daemon.services.sqs_messages import SENT, attributes, changed, message_form, messages


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
    return {"Attributes": attributes(result)} | meta


def set_queue_attributes(connection: Any, params: Params) -> Result:
    form = _pairs("Attribute", "Name", "Value", params["Attributes"])
    return ask(connection, "SetQueueAttributes", form, params["QueueUrl"])[1]


def send_message(connection: Any, params: Params) -> Result:
    """Raises ChangedOnTheWay if SQS took another message than was sent."""
    element, meta = ask(connection, "SendMessage", message_form(params), params["QueueUrl"])
    result = texts_of(element, SENT)
    (error,) = changed([params], [result])
    if error is not None:
        raise error
    return result | meta


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
    found, meta = ask_and_read(connection, "ReceiveMessage", form, path, messages)
    return ({"Messages": found} if found else {}) | meta


def delete_message(connection: Any, params: Params) -> Result:
    return ask(connection, "DeleteMessage", scalars(params, "ReceiptHandle"), params["QueueUrl"])[1]


def change_message_visibility(connection: Any, params: Params) -> Result:
    form = scalars(params, "ReceiptHandle", "VisibilityTimeout")
    return ask(connection, "ChangeMessageVisibility", form, params["QueueUrl"])[1]


def _pairs(prefix: str, key: str, value: str, items: dict[str, str]) -> Form:
    form: Form = {}
    for number, (name, text) in enumerate(items.items(), 1):
        form |= {f"{prefix}.{number}.{key}": name, f"{prefix}.{number}.{value}": text}
    return form
