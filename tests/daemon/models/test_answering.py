"""What services answered, by their models; and what is no answer."""

import json
import math
from typing import Any

import pytest

from botod.daemon.services.answers import MAX_ANSWER_BYTES
from botod.daemon.services.errors import AnswerTooLarge, BadAnswer, DetailedError
from support.services import CannedService, reply, xml

GET_ITEM = ("dynamodb.get_item", {"TableName": "t", "Key": {"k": {"S": "a"}}})
LIST_USERS = ("iam.list_users", {})
VPCS = ("ec2.describe_vpcs", {})
GET_FUNCTION = ("lambda.get_function", {"FunctionName": "f"})
ZONES = ("route53.list_hosted_zones", {})
TAGGING = ("s3.get_bucket_tagging", {"Bucket": "bucket"})

EACH_PROTOCOL = [GET_ITEM, LIST_USERS, VPCS, GET_FUNCTION, ZONES, TAGGING]

BOMB = """<!DOCTYPE r [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">
]><r>&e;</r>"""

NO_ANSWERS = {
    "truncated JSON": '{"Item": {"k": {"S": "a"',
    "truncated XML": "<ListUsersResponse><ListUsersResult><Users><member>",
    "a page": "<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "well-formed HTML": "<html><head/><body><p>Sign in</p></body></html>",
    "a bomb": BOMB,
    "another JSON": '["Item"]',
    "a text": "ok",
    "no text": b"\xff\xfe\x00",
    "deep JSON": '{"Item":' * 3000,
    "deep XML": "<r>" * 3000,
}


@pytest.mark.parametrize("call", EACH_PROTOCOL, ids=lambda call: call[0])
@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer(call: tuple[str, dict[str, Any]], what: str) -> None:
    """Whichever protocol it should have been, it is never an answer without anything in it."""
    with pytest.raises(BadAnswer):
        CannedService(reply(NO_ANSWERS[what])).call(*call)


@pytest.mark.parametrize("call", EACH_PROTOCOL, ids=lambda call: call[0])
def test_what_is_no_error_of_the_service(call: tuple[str, dict[str, Any]]) -> None:
    """A proxy's page, nothing at all, or half an error: the status tells what there is to tell."""
    for body in ("<html><body>Bad gateway</body></html>", "", "{", "<Err", "[1]", b"\xff"):
        with pytest.raises(DetailedError) as caught:
            CannedService(reply(body, status="407 Go Away")).call(*call)
        assert caught.value.status == 407


@pytest.mark.parametrize(
    ("call", "body", "code", "message"),
    [
        (GET_ITEM, '{"__type":"com.amazonaws#ResourceNotFoundException","message":"no table"}',
         "ResourceNotFoundException", "no table"),
        (LIST_USERS, ("<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
         "<Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"),
         "AccessDenied", "no"),
        (VPCS, ("<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>no vpc"
         "</Message></Error></Errors><RequestID>r</RequestID></Response>"),
         "InvalidVpcID.NotFound", "no vpc"),
        (GET_FUNCTION, '{"Type":"User","Message":"no function","Code":"ResourceNotFound"}',
         "ResourceNotFound", "no function"),
        (ZONES, ("<ErrorResponse><Error><Code>Throttling</Code><Message>slow</Message></Error>"
         "<RequestId>r</RequestId></ErrorResponse>"), "Throttling", "slow"),
        (TAGGING, "<Error><Code>NoSuchTagSet</Code><Message>none</Message></Error>",
         "NoSuchTagSet", "none"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_errors_of_each_protocol(call: Any, body: str, code: str, message: str) -> None:
    """Code, message and the request's name, wherever a protocol has them."""
    with pytest.raises(DetailedError) as caught:
        CannedService(reply(body, status="400 Bad Request")).call(*call)
    error = caught.value
    assert (error.status, error.error_code, error.message) == (400, code, message)
    assert error.request_id


def test_what_an_error_says_besides() -> None:
    """The members that the model has for it, under AWS's names."""
    body = {
        "__type": "TransactionCanceledException",
        "Message": "cancelled",
        "CancellationReasons": [{"Code": "ConditionalCheckFailed", "Item": {"k": {"B": "AA=="}}}],
    }
    with pytest.raises(DetailedError) as caught:
        CannedService(reply(json.dumps(body), status="400 Bad Request")).call(*GET_ITEM)
    reasons = [{"Code": "ConditionalCheckFailed", "Item": {"k": {"B": b"\0"}}}]
    assert caught.value.details == {"CancellationReasons": reasons}


def test_an_error_inside_a_200_of_s3() -> None:
    """The answer had begun before it happened."""
    upload = {"Bucket": "bucket", "Key": "k", "UploadId": "u"}
    service = CannedService(xml("<Error><Code>InternalError</Code><Message>m</Message></Error>"))
    with pytest.raises(DetailedError) as caught:
        service.call("s3.complete_multipart_upload", upload)
    assert (caught.value.status, caught.value.error_code) == (200, "InternalError")


def test_the_error_of_a_service_that_spoke_another_protocol_before() -> None:
    """Its old codes come in a header; they are what programs look for."""
    service = CannedService(
        reply(
            '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no queue"}',
            "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender",
            status="400 Bad Request",
        )
    )
    with pytest.raises(DetailedError) as caught:
        service.call("sqs.list_queue_tags", {"QueueUrl": "http://h/1/q"})
    assert caught.value.error_code == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_long_answer_is_parsed_in_a_thread_to_the_same() -> None:
    """As a short one is parsed at once."""
    item = {"k": {"S": "ü" * 50_000}, "b": {"B": "AAECAw=="}}
    answer = CannedService(reply(json.dumps({"Item": item}))).call(*GET_ITEM)
    assert answer["Item"] == item | {"b": {"B": b"\x00\x01\x02\x03"}}
    members = "".join(f"<member><UserName>u{n}</UserName></member>" for n in range(5000))
    page = f"<ListUsersResponse><ListUsersResult><Users>{members}</Users></ListUsersResult>"
    answer = CannedService(xml(f"{page}</ListUsersResponse>")).call(*LIST_USERS)
    assert [user["UserName"] for user in answer["Users"]] == [f"u{n}" for n in range(5000)]


def test_answers_are_bounded() -> None:
    """What is held in memory, by what the service says and by what comes."""

    def endless(exchange: Any) -> None:
        exchange.send(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * (MAX_ANSWER_BYTES + 9)
        )
        exchange.cut()

    def announced(exchange: Any) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_ANSWER_BYTES + 1}\r\n\r\n".encode())

    for answer in (announced, endless):
        with pytest.raises(AnswerTooLarge):
            CannedService(answer).call(*GET_ITEM)


def test_numbers_that_json_has_not_are_texts() -> None:
    """On the wire there is no NaN."""
    data = (
        '{"RecordId": NaN, "Item": {"k": {"N": "NaN"}}, "ConsumedCapacity": {"CapacityUnits": 1.5}}'
    )
    answer = CannedService(reply(data)).call(*GET_ITEM)
    assert answer["ConsumedCapacity"] == {"CapacityUnits": 1.5}
    points = {"Datapoints": [{"Average": value} for value in (math.nan, -math.inf, 2.5)]}
    canned = CannedService(reply(json.dumps(points)))
    asked = {"Namespace": "n", "MetricName": "m", "StartTime": 0, "EndTime": 1, "Period": 60}
    answer = canned.call("cloudwatch.get_metric_statistics", asked)
    averages = [point["Average"] for point in answer["Datapoints"]]
    assert averages == ["NaN", "-Infinity", 2.5]


@pytest.mark.parametrize(
    "said",
    ["1700000000", "1700000000.0", '"2023-11-14T22:13:20Z"', '"Tue, 14 Nov 2023 22:13:20 GMT"'],
)
def test_times_are_texts(said: str) -> None:
    """In ISO 8601, in UTC, however the protocol has them."""
    answer = CannedService(reply(f'{{"Table": {{"CreationDateTime": {said}}}}}')).call(
        "dynamodb.describe_table", {"TableName": "t"}
    )
    assert answer["Table"]["CreationDateTime"] == "2023-11-14T22:13:20+00:00"


def test_a_time_that_is_none() -> None:
    """Is no answer."""
    canned = CannedService(reply('{"Table": {"CreationDateTime": "soon"}}'))
    with pytest.raises(BadAnswer):
        canned.call("dynamodb.describe_table", {"TableName": "t"})


def test_a_blob_that_is_the_body_is_bytes() -> None:
    """Any bytes, a page of HTML among them."""
    for body in (b"\xff\x00", b"<html>mine</html>", b""):
        canned = CannedService(reply(body, "X-Amz-Function-Error: Unhandled"))
        answer = canned.call("lambda.invoke", {"FunctionName": "f", "Payload": b"{}"})
        assert answer["Payload"] == body
        assert answer["StatusCode"] == 200
        assert answer["FunctionError"] == "Unhandled"


def test_a_body_of_any_size_is_handed_on_unread() -> None:
    """With what the headers say beside it."""
    body = b"x" * (MAX_ANSWER_BYTES // 4)
    canned = CannedService(reply(body, "Content-Type: audio/mpeg"))
    asked = {"OutputFormat": "mp3", "Text": "a", "VoiceId": "Joanna"}
    answer = canned.call("polly.synthesize_speech", asked)
    assert answer["AudioStream"] == body
    assert answer["ContentType"] == "audio/mpeg"
