"""Messages through a real daemon to a real server: many at once, whole, in order, and each once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from botod.ipc import Connection
from support.daemons import Daemon, running_daemon
from support.servers import Servers

MESSAGES = 200
ATTRIBUTES: dict[str, Any] = {
    "text": {"DataType": "String", "StringValue": "ü & <b>\r\n\t"},
    "own": {"DataType": "String.json", "StringValue": "{}"},
    "raw": {"DataType": "Binary.png", "BinaryValue": bytes(range(256))},
    "count": {"DataType": "Number", "StringValue": "-7.5"},
}


@pytest.fixture(scope="module")
def daemon(servers: Servers) -> Iterator[Daemon]:
    """A daemon on moto, with a log line a job."""
    config = {"profile": {"default": {"endpoints": {"sqs": servers.sqs}}}}
    with running_daemon(config) as one:
        yield one


@pytest.fixture
def connection(daemon: Daemon) -> Iterator[Connection]:
    """One to that daemon."""
    with daemon.connect() as one:
        yield one


def new_queue(connection: Connection, name: str, **attributes: str) -> dict[str, str]:
    """A queue's URL, as params."""
    params = {"QueueName": name, "Attributes": attributes}
    return {"QueueUrl": connection.call("sqs.create_queue", params)["QueueUrl"]}


def received(connection: Connection, queue: dict[str, str], **more: Any) -> list[Any]:
    """All messages that are in a queue."""
    messages: list[Any] = []
    params = queue | {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0} | more
    while found := connection.call("sqs.receive_message", params).get("Messages"):
        messages += found
    return messages


def test_many_at_once_arrive_once_each(connection: Connection, daemon: Daemon) -> None:
    """Sent and deleted together; each sender knows its own message."""
    queue = new_queue(connection, "many")
    bodies = [f"message {number}" for number in range(MESSAGES)]
    sent = connection.batch([
        ("sqs.send_message", queue | {"MessageBody": body}) for body in bodies
    ])
    messages = received(connection, queue)
    assert Counter(message["Body"] for message in messages) == Counter(bodies)
    ids = {message["Body"]: message["MessageId"] for message in messages}
    assert [result["MessageId"] for result in sent] == [ids[body] for body in bodies]
    gone = connection.batch([
        ("sqs.delete_message", queue | {"ReceiptHandle": message["ReceiptHandle"]})
        for message in messages
    ])
    assert all(result["ResponseMetadata"]["HTTPStatusCode"] == 200 for result in gone)
    assert sum("batch_size=10" in line for line in daemon.lines) >= MESSAGES


def test_a_group_of_a_fifo_queue_keeps_its_order(connection: Connection) -> None:
    """As the requests stood on the connection."""
    queue = new_queue(connection, "ordered.fifo", FifoQueue="true")
    bodies = [f"{number:03}" for number in range(50)]
    connection.batch([
        (
            "sqs.send_message",
            queue | {"MessageBody": body, "MessageGroupId": "g", "MessageDeduplicationId": body},
        )
        for body in bodies
    ])
    came = []
    while found := received(connection, queue, VisibilityTimeout=30):
        came += [message["Body"] for message in found]
        for message in found:
            handle = {"ReceiptHandle": message["ReceiptHandle"]}
            connection.call("sqs.delete_message", queue | handle)
    assert came == bodies


def test_messages_come_out_as_they_went_in(connection: Connection) -> None:
    """Text that XML has other uses for, every type of attribute, and a trace; by MD5 both ways."""
    queue = new_queue(connection, "whole")
    body = "<a> & \"b\" 'c' ü \U0001f600 + %20 =;\r\n\ttab\r"
    trace = {
        "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-67891233-abcdef012345"}
    }
    message = {
        "MessageBody": body,
        "MessageAttributes": ATTRIBUTES,
        "MessageSystemAttributes": trace,
    }
    connection.call("sqs.send_message", queue | message)
    connection.call("sqs.send_message_batch", queue | {"Entries": [{"Id": "a"} | message]})
    asked = {"MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
    for found in received(connection, queue, **asked):
        assert found["Body"] == body
        assert found["MessageAttributes"] == ATTRIBUTES


def test_some_of_a_batch_fail(connection: Connection) -> None:
    """Entry by entry, inside a 200."""
    queue = new_queue(connection, "some")
    connection.call("sqs.send_message", queue | {"MessageBody": "x"})
    (message,) = received(connection, queue)
    entries = [
        {"Id": "good", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
    ]
    result = connection.call("sqs.change_message_visibility_batch", queue | {"Entries": entries})
    assert [entry["Id"] for entry in result["Successful"]] == ["good"]
    assert [entry["Id"] for entry in result["Failed"]] == ["bad"]
    connection.call("sqs.set_queue_attributes", queue | {"Attributes": {"DelaySeconds": "7"}})
    asked = queue | {"AttributeNames": ["DelaySeconds"]}
    found = connection.call("sqs.get_queue_attributes", asked)
    assert found["Attributes"] == {"DelaySeconds": "7"}
