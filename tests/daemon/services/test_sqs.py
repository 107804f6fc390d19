"""SQS: what goes out for each operation, and what is made of SQS's answers."""

import base64
from typing import Any

import pytest

from botod.daemon.services.errors import BadAnswer
from botod.daemon.services.sqs_digests import ChangedOnTheWay, md5_of_attributes, md5_of_body
from botod.daemon.services.sqs_table import SERVICE
from botod.pool import Interrupted, OutcomeUnknown
from support.http_server import Exchange
from support.pools import KEYS
from support.services import CannedService, form_of, query_error, query_xml, reply, xml

from boto.exception import BotoServerError

PATH = "/123456789012/jobs"
QUEUE = {"QueueUrl": f"https://sqs.us-west-1.amazonaws.com{PATH}"}
META = {"HTTPStatusCode": 200, "RequestId": "b5293cb5-d306"}
SPECIAL = "<a> & \"b\" 'c' ü + %20 =;\n\ttab"
SPECIAL_XML = "&lt;a&gt; &amp; &quot;b&quot; 'c' ü + %20 =;\n\ttab"


def test_a_request_is_a_signed_post_of_a_form() -> None:
    """Nothing of a message stands in the URL; version, signature and length are there."""
    aws = CannedService(query_xml("SendMessage"))
    aws.call("sqs.send_message", QUEUE | {"MessageBody": "secret"})
    request = aws.requests[0]
    assert (request.method, request.target) == ("POST", PATH)
    assert request.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={KEYS[0]}/")
    assert "/eu-central-1/sqs/aws4_request" in request.headers["authorization"]
    assert b"Version=2012-11-05" in request.body
    assert request.headers["content-length"] == str(len(request.body))


def test_create_queue() -> None:
    """Attributes and tags are numbered in the form."""
    url = QUEUE["QueueUrl"]
    aws = CannedService(query_xml("CreateQueue", f"<QueueUrl>{url}</QueueUrl>"))
    result = aws.call(
        "sqs.create_queue",
        {
            "QueueName": "jobs",
            "Attributes": {"VisibilityTimeout": "40", "Policy": SPECIAL},
            "tags": {"team": "a&b"},
        },
    )
    assert result == {"QueueUrl": url, "ResponseMetadata": META}
    assert aws.requests[0].target == "/"
    assert form_of(aws.requests[0]) == {
        "Action": "CreateQueue",
        "QueueName": "jobs",
        "Attribute.1.Name": "VisibilityTimeout",
        "Attribute.1.Value": "40",
        "Attribute.2.Name": "Policy",
        "Attribute.2.Value": SPECIAL,
        "Tag.1.Key": "team",
        "Tag.1.Value": "a&b",
    }


def test_get_queue_url() -> None:
    """By name, and by whose it is."""
    aws = CannedService(query_xml("GetQueueUrl", "<QueueUrl>http://x/1/jobs</QueueUrl>"))
    params = {"QueueName": "jobs", "QueueOwnerAWSAccountId": "123456789012"}
    assert aws.call("sqs.get_queue_url", params)["QueueUrl"] == "http://x/1/jobs"
    assert form_of(aws.requests[0]) == {"Action": "GetQueueUrl"} | params


def test_list_queues() -> None:
    """A page of URLs, and where the next one begins."""
    aws = CannedService(
        query_xml(
            "ListQueues",
            "<QueueUrl>http://x/1/a</QueueUrl><QueueUrl>http://x/1/b</QueueUrl>"
            "<NextToken>more==</NextToken>",
        )
    )
    result = aws.call(
        "sqs.list_queues", {"QueueNamePrefix": "a b", "MaxResults": 2, "NextToken": "t=="}
    )
    assert result == {
        "QueueUrls": ["http://x/1/a", "http://x/1/b"],
        "NextToken": "more==",
        "ResponseMetadata": META,
    }
    assert form_of(aws.requests[0]) == {
        "Action": "ListQueues",
        "QueueNamePrefix": "a b",
        "MaxResults": "2",
        "NextToken": "t==",
    }


def test_no_queues_are_an_empty_list() -> None:
    """SQS leaves everything out then."""
    aws = CannedService(query_xml("ListQueues"))
    assert aws.call("sqs.list_queues") == {"QueueUrls": [], "ResponseMetadata": META}


@pytest.mark.parametrize(
    ("operation", "action"), [("delete_queue", "DeleteQueue"), ("purge_queue", "PurgeQueue")]
)
def test_operations_on_a_queue_alone(operation: str, action: str) -> None:
    """The queue is the path; only metadata comes back."""
    aws = CannedService(query_xml(action))
    assert aws.call(f"sqs.{operation}", QUEUE) == {"ResponseMetadata": META}
    assert aws.requests[0].target == PATH
    assert form_of(aws.requests[0]) == {"Action": action}


def test_get_queue_attributes() -> None:
    """Names are numbered, values are texts."""
    aws = CannedService(
        query_xml(
            "GetQueueAttributes",
            "<Attribute><Name>ApproximateNumberOfMessages</Name><Value>7</Value></Attribute>"
            f"<Attribute><Name>Policy</Name><Value>{SPECIAL_XML}</Value></Attribute>"
            "<Attribute><Name>Empty</Name><Value/></Attribute>",
        )
    )
    result = aws.call("sqs.get_queue_attributes", QUEUE | {"AttributeNames": ["All", "Policy"]})
    assert result["Attributes"] == {
        "ApproximateNumberOfMessages": "7",
        "Policy": SPECIAL,
        "Empty": "",
    }
    assert form_of(aws.requests[0]) == {
        "Action": "GetQueueAttributes",
        "AttributeName.1": "All",
        "AttributeName.2": "Policy",
    }


ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": SPECIAL},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "count": {"DataType": "Number.int", "StringValue": "7"},
}
TRACE_ATTRIBUTE = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}


def sent_xml(told: dict[str, str]) -> str:
    """What SQS says of a message that it has taken."""
    return "".join(f"<{name}>{value}</{name}>" for name, value in told.items())


SENT = {
    "MD5OfMessageBody": md5_of_body(SPECIAL),
    "MessageId": "5fea7756",
    "MD5OfMessageAttributes": md5_of_attributes(ATTRIBUTES),
    "MD5OfMessageSystemAttributes": md5_of_attributes(TRACE_ATTRIBUTE),
    "SequenceNumber": "18849496460467696128",
}


def test_send_message() -> None:
    """Body and attributes arrive as they are, binary ones as base64."""
    aws = CannedService(query_xml("SendMessage", sent_xml(SENT)))
    result = aws.call(
        "sqs.send_message",
        QUEUE
        | {
            "MessageBody": SPECIAL,
            "DelaySeconds": 0,
            "MessageDeduplicationId": "d1",
            "MessageGroupId": "g1",
            "MessageAttributes": ATTRIBUTES,
            "MessageSystemAttributes": TRACE_ATTRIBUTE,
        },
    )
    assert result == SENT | {"ResponseMetadata": META}
    assert form_of(aws.requests[0]) == {
        "Action": "SendMessage",
        "MessageBody": SPECIAL,
        "DelaySeconds": "0",
        "MessageDeduplicationId": "d1",
        "MessageGroupId": "g1",
        "MessageAttribute.1.Name": "text",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": SPECIAL,
        "MessageAttribute.2.Name": "raw",
        "MessageAttribute.2.Value.DataType": "Binary",
        "MessageAttribute.2.Value.BinaryValue": base64.b64encode(b"\x00\xff").decode(),
        "MessageAttribute.3.Name": "count",
        "MessageAttribute.3.Value.DataType": "Number.int",
        "MessageAttribute.3.Value.StringValue": "7",
        "MessageSystemAttribute.1.Name": "AWSTraceHeader",
        "MessageSystemAttribute.1.Value.DataType": "String",
        "MessageSystemAttribute.1.Value.StringValue": "Root=1-2-3",
    }


def test_send_message_batch() -> None:
    """Entries are numbered, and each has its own fate inside a 200."""
    aws = CannedService(
        query_xml(
            "SendMessageBatch",
            "<SendMessageBatchResultEntry><Id>a</Id>"
            f"<MD5OfMessageBody>{md5_of_body(SPECIAL)}</MD5OfMessageBody>"
            "<MessageId>5fea7756</MessageId></SendMessageBatchResultEntry>"
            "<BatchResultErrorEntry><Id>b</Id><Code>InvalidMessageContents</Code>"
            "<Message>no &lt;</Message><SenderFault>true</SenderFault></BatchResultErrorEntry>",
        )
    )
    result = aws.call(
        "sqs.send_message_batch",
        QUEUE
        | {
            "Entries": [
                {"Id": "a", "MessageBody": SPECIAL, "DelaySeconds": 1},
                {
                    "Id": "b",
                    "MessageBody": "2",
                    "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "1"}},
                },
            ]
        },
    )
    failed = {"Id": "b", "Code": "InvalidMessageContents", "Message": "no <", "SenderFault": True}
    assert result == {
        "Successful": [
            {"Id": "a", "MD5OfMessageBody": md5_of_body(SPECIAL), "MessageId": "5fea7756"}
        ],
        "Failed": [failed],
        "ResponseMetadata": META,
    }
    assert form_of(aws.requests[0]) == {
        "Action": "SendMessageBatch",
        "SendMessageBatchRequestEntry.1.Id": "a",
        "SendMessageBatchRequestEntry.1.MessageBody": SPECIAL,
        "SendMessageBatchRequestEntry.1.DelaySeconds": "1",
        "SendMessageBatchRequestEntry.2.Id": "b",
        "SendMessageBatchRequestEntry.2.MessageBody": "2",
        "SendMessageBatchRequestEntry.2.MessageAttribute.1.Name": "n",
        "SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.DataType": "Number",
        "SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.StringValue": "1",
    }


RECEIVED = {
    "text": {"DataType": "String", "StringValue": "a"},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}


def test_receive_message() -> None:
    """Messages with their own and the system's attributes, binary ones as bytes."""
    aws = CannedService(
        query_xml(
            "ReceiveMessage",
            "<Message><MessageId>5fea7756</MessageId><ReceiptHandle>MbZj6w==</ReceiptHandle>"
            f"<MD5OfBody>{md5_of_body(SPECIAL)}</MD5OfBody><Body>{SPECIAL_XML}</Body>"
            f"<MD5OfMessageAttributes>{md5_of_attributes(RECEIVED)}</MD5OfMessageAttributes>"
            "<Attribute><Name>SenderId</Name><Value>195004372649</Value></Attribute>"
            "<MessageAttribute><Name>text</Name><Value><StringValue>a</StringValue>"
            "<DataType>String</DataType></Value></MessageAttribute>"
            "<MessageAttribute><Name>raw</Name><Value><BinaryValue>AP8=</BinaryValue>"
            "<DataType>Binary</DataType></Value></MessageAttribute></Message>"
            "<Message><MessageId>2</MessageId><Body/></Message>",
        )
    )
    result = aws.call(
        "sqs.receive_message",
        QUEUE
        | {
            "AttributeNames": ["SenderId"],
            "MessageSystemAttributeNames": ["SentTimestamp"],
            "MessageAttributeNames": ["All"],
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": 0,
            "WaitTimeSeconds": 20,
            "ReceiveRequestAttemptId": "r1",
        },
    )
    assert result == {
        "Messages": [
            {
                "MessageId": "5fea7756",
                "ReceiptHandle": "MbZj6w==",
                "MD5OfBody": md5_of_body(SPECIAL),
                "Body": SPECIAL,
                "MD5OfMessageAttributes": md5_of_attributes(RECEIVED),
                "Attributes": {"SenderId": "195004372649"},
                "MessageAttributes": RECEIVED,
            },
            {"MessageId": "2", "Body": ""},
        ],
        "ResponseMetadata": META,
    }
    assert form_of(aws.requests[0]) == {
        "Action": "ReceiveMessage",
        "AttributeName.1": "SenderId",
        "AttributeName.2": "SentTimestamp",
        "MessageAttributeName.1": "All",
        "MaxNumberOfMessages": "10",
        "VisibilityTimeout": "0",
        "WaitTimeSeconds": "20",
        "ReceiveRequestAttemptId": "r1",
    }


def test_receiving_nothing_has_no_messages() -> None:
    """As in boto3, the key is left out then."""
    aws = CannedService(
        xml("<ReceiveMessageResponse><ReceiveMessageResult/></ReceiveMessageResponse>")
    )
    assert "Messages" not in aws.call("sqs.receive_message", QUEUE)


def test_delete_message() -> None:
    """A receipt handle is a text like any other."""
    aws = CannedService(query_xml("DeleteMessage"))
    result = aws.call("sqs.delete_message", QUEUE | {"ReceiptHandle": "Mb+/=="})
    assert result == {"ResponseMetadata": META}
    assert form_of(aws.requests[0]) == {"Action": "DeleteMessage", "ReceiptHandle": "Mb+/=="}


def test_delete_message_batch() -> None:
    """Entry by entry; SQS's own fault is told from the sender's."""
    aws = CannedService(
        query_xml(
            "DeleteMessageBatch",
            "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>"
            "<BatchResultErrorEntry><Id>b</Id><Code>InternalError</Code>"
            "<SenderFault>false</SenderFault></BatchResultErrorEntry>",
        )
    )
    entries = [{"Id": "a", "ReceiptHandle": "1"}, {"Id": "b", "ReceiptHandle": "2"}]
    result = aws.call("sqs.delete_message_batch", QUEUE | {"Entries": entries})
    assert result["Successful"] == [{"Id": "a"}]
    assert result["Failed"] == [{"Id": "b", "Code": "InternalError", "SenderFault": False}]
    assert form_of(aws.requests[0]) == {
        "Action": "DeleteMessageBatch",
        "DeleteMessageBatchRequestEntry.1.Id": "a",
        "DeleteMessageBatchRequestEntry.1.ReceiptHandle": "1",
        "DeleteMessageBatchRequestEntry.2.Id": "b",
        "DeleteMessageBatchRequestEntry.2.ReceiptHandle": "2",
    }


def test_change_message_visibility() -> None:
    """Nought seconds are sent too: they make a message visible at once."""
    aws = CannedService(query_xml("ChangeMessageVisibility"))
    params = {"ReceiptHandle": "h", "VisibilityTimeout": 0}
    aws.call("sqs.change_message_visibility", QUEUE | params)
    assert form_of(aws.requests[0]) == {
        "Action": "ChangeMessageVisibility",
        "ReceiptHandle": "h",
        "VisibilityTimeout": "0",
    }


def test_change_message_visibility_batch() -> None:
    """Entry by entry, as the other batches."""
    aws = CannedService(
        query_xml(
            "ChangeMessageVisibilityBatch",
            "<ChangeMessageVisibilityBatchResultEntry><Id>a</Id>"
            "</ChangeMessageVisibilityBatchResultEntry>"
            "<BatchResultErrorEntry><Id>b</Id><Code>ReceiptHandleIsInvalid</Code>"
            "<SenderFault>true</SenderFault></BatchResultErrorEntry>",
        )
    )
    entries = [{"Id": "a", "ReceiptHandle": "1", "VisibilityTimeout": 0}]
    entries += [{"Id": "b", "ReceiptHandle": "2"}]
    result = aws.call("sqs.change_message_visibility_batch", QUEUE | {"Entries": entries})
    assert result["Successful"] == [{"Id": "a"}]
    failed = {"Id": "b", "Code": "ReceiptHandleIsInvalid", "SenderFault": True}
    assert result["Failed"] == [failed]
    assert form_of(aws.requests[0]) == {
        "Action": "ChangeMessageVisibilityBatch",
        "ChangeMessageVisibilityBatchRequestEntry.1.Id": "a",
        "ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle": "1",
        "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout": "0",
        "ChangeMessageVisibilityBatchRequestEntry.2.Id": "b",
        "ChangeMessageVisibilityBatchRequestEntry.2.ReceiptHandle": "2",
    }


def test_set_queue_attributes() -> None:
    """Numbered, as when a queue is made."""
    aws = CannedService(query_xml("SetQueueAttributes"))
    aws.call("sqs.set_queue_attributes", QUEUE | {"Attributes": {"DelaySeconds": "1"}})
    assert form_of(aws.requests[0]) == {
        "Action": "SetQueueAttributes",
        "Attribute.1.Name": "DelaySeconds",
        "Attribute.1.Value": "1",
    }


@pytest.mark.parametrize("digest", ["MD5OfMessageBody", "MD5OfMessageAttributes"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_message_that_arrived_changed(digest: str, size: int) -> None:
    """An error of its own, which says that the message is in the queue; large ones alike."""
    body = "x" * size
    told = {
        "MessageId": "m-1",
        "MD5OfMessageBody": md5_of_body(body),
        "MD5OfMessageAttributes": md5_of_attributes(ATTRIBUTES),
    }
    wrong = told | {digest: "0" * 32}
    params = QUEUE | {"MessageBody": body, "MessageAttributes": ATTRIBUTES}
    CannedService(query_xml("SendMessage", sent_xml(told))).call("sqs.send_message", params)
    part = digest.removeprefix("MD5Of").replace("MessageM", "M")
    with pytest.raises(ChangedOnTheWay, match=f"accepted as m-1, but with another {part}"):
        CannedService(query_xml("SendMessage", sent_xml(wrong))).call("sqs.send_message", params)


def test_a_message_of_a_batch_that_arrived_changed() -> None:
    """Whoever sent it is told, though the others are well."""
    entries = "".join(
        f"<SendMessageBatchResultEntry><Id>{name}</Id><MessageId>m-{name}</MessageId>"
        f"<MD5OfMessageBody>{md5_of_body('x')}</MD5OfMessageBody></SendMessageBatchResultEntry>"
        for name in "ab"
    )
    aws = CannedService(query_xml("SendMessageBatch", entries))
    messages = [{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": "y"}]
    with pytest.raises(ChangedOnTheWay, match="accepted as m-b"):
        aws.call("sqs.send_message_batch", QUEUE | {"Entries": messages})


@pytest.mark.parametrize(
    ("inside", "part"),
    [
        (f"<MD5OfBody>{md5_of_body('y')}</MD5OfBody><Body>x</Body>", "Body"),
        (
            (
                f"<MD5OfBody>{md5_of_body('x')}</MD5OfBody><Body>x</Body>"
                f"<MD5OfMessageAttributes>{'0' * 32}</MD5OfMessageAttributes>"
                "<MessageAttribute><Name>n</Name><Value><StringValue>1</StringValue>"
                "<DataType>Number</DataType></Value></MessageAttribute>"
            ),
            "MessageAttributes",
        ),
    ],
)
def test_a_message_that_came_changed(inside: str, part: str) -> None:
    """It is named; nothing of what was received is taken for good."""
    aws = CannedService(
        query_xml("ReceiveMessage", f"<Message><MessageId>m-1</MessageId>{inside}</Message>")
    )
    with pytest.raises(ChangedOnTheWay, match=f"message m-1 came with another {part}"):
        aws.call("sqs.receive_message", QUEUE)


ALL: dict[str, dict[str, Any]] = {
    "create_queue": {"QueueName": "jobs"},
    "get_queue_url": {"QueueName": "jobs"},
    "list_queues": {},
    "delete_queue": QUEUE,
    "purge_queue": QUEUE,
    "get_queue_attributes": QUEUE,
    "send_message": QUEUE | {"MessageBody": "x"},
    "send_message_batch": QUEUE | {"Entries": [{"Id": "a", "MessageBody": "x"}]},
    "receive_message": QUEUE,
    "delete_message": QUEUE | {"ReceiptHandle": "h"},
    "delete_message_batch": QUEUE | {"Entries": [{"Id": "a", "ReceiptHandle": "h"}]},
    "set_queue_attributes": QUEUE | {"Attributes": {"DelaySeconds": "1"}},
    "change_message_visibility_batch": QUEUE | {"Entries": [{"Id": "a", "ReceiptHandle": "h"}]},
    "change_message_visibility": QUEUE | {"ReceiptHandle": "h", "VisibilityTimeout": 1},
}


def test_the_list_of_operations_is_complete() -> None:
    """The tests below go over all operations of the table."""
    assert ALL.keys() == SERVICE.operations.keys()


@pytest.mark.parametrize(("operation", "params"), ALL.items())
def test_errors_of_the_service(operation: str, params: dict[str, Any]) -> None:
    """A 4xx is raised with SQS's own code, words and request id, and is not tried again."""
    code = "AWS.SimpleQueueService.NonExistentQueue"
    aws = CannedService(query_error(code, "No such &lt;queue&gt;", "400 Bad Request"))
    with pytest.raises(BotoServerError) as caught:
        aws.call(f"sqs.{operation}", params, retries=3)
    error = caught.value
    assert (error.status, error.error_code, error.request_id) == (400, code, "42d59b56")
    assert error.message == "No such <queue>"
    assert len(aws.requests) == 1


@pytest.mark.parametrize(("operation", "params"), ALL.items())
@pytest.mark.parametrize("body", ["", "<SendMessageRes", "<html><body>Log in</body></html>"])
def test_what_is_not_sqs_s_answer_is_an_error(
    operation: str, params: dict[str, Any], body: str
) -> None:
    """Nothing, half a document and somebody else's page are not taken for success."""
    with pytest.raises(BadAnswer):
        CannedService(reply(body)).call(f"sqs.{operation}", params)


def test_a_5xx_is_tried_again(quick_retries: None) -> None:
    """As often as it is told, with the same form each time."""
    aws = CannedService(query_error("ServiceUnavailable", "busy", "503 Service Unavailable"))
    with pytest.raises(BotoServerError, match="ServiceUnavailable"):
        aws.call("sqs.list_queues", retries=2)
    assert [form_of(request) for request in aws.requests] == [{"Action": "ListQueues"}] * 3


def _cut(exchange: Exchange) -> None:
    exchange.cut()


def test_a_message_is_never_sent_twice_by_a_broken_connection(quick_retries: None) -> None:
    """Whether it arrived is not known."""
    aws = CannedService(_cut)
    with pytest.raises(OutcomeUnknown):
        aws.call("sqs.send_message", ALL["send_message"], retries=3)
    assert len(aws.requests) == 1


def test_what_may_be_repeated_is_tried_again_after_a_broken_connection(
    quick_retries: None,
) -> None:
    """Under idempotent terms it goes out once more."""
    aws = CannedService(_cut, query_xml("DeleteMessage"))
    aws.call("sqs.delete_message", ALL["delete_message"], retries=1, idempotent=True)
    assert len(aws.requests) == 2
    with pytest.raises(Interrupted):
        CannedService(_cut).call("sqs.delete_message", ALL["delete_message"], idempotent=True)


@pytest.mark.parametrize("host", ["evil.example.com", "169.254.169.254", "user:pass@h:1", "[::1]"])
def test_only_a_queue_url_s_path_is_used(host: str) -> None:
    """The host is the profile's: a peer cannot send signed requests elsewhere."""
    aws = CannedService(query_xml("PurgeQueue"))
    aws.call("sqs.purge_queue", {"QueueUrl": f"http://{host}{PATH}?Action=DeleteQueue#x"})
    request = aws.requests[0]
    assert request.target == PATH
    assert request.headers["host"].startswith("127.0.0.1")
    assert form_of(request) == {"Action": "PurgeQueue"}


@pytest.mark.parametrize("operation", ["send_message", "send_message_batch"])
def test_sending_is_not_idempotent(operation: str) -> None:
    """A message sent twice is two messages."""
    assert not SERVICE.operations[operation].is_idempotent(ALL[operation])


def test_all_else_is_idempotent() -> None:
    """Only sending makes something each time."""
    may_not = {name for name, row in SERVICE.operations.items() if not row.idempotent}
    assert may_not == {"send_message", "send_message_batch"}
