"""Parameters as models have them."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.models.reading import MAX_KEY, Moment
from botod.daemon.services import CATALOG
from botod.daemon.services.shapes import InvalidParam


def read(method: str, params: Any) -> Any:
    """The params of an operation, as it gets them."""
    return CATALOG.operation(*method.split(".")).params.read(params, "")


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("sns.publish", {}, "Message is missing"),
        ("sns.publish", {"Message": "x", "Topic": "y"}, "Topic is unknown; there are: TopicArn, "),
        ("sns.publish", {"Message": 5}, "Message has to be a text, not a number"),
        ("sns.publish", {"Message": None}, "Message has to be a text, not null"),
        ("sts.get_caller_identity", {"A": 1}, "A is unknown; there are none"),
        ("dynamodb.get_item", {"TableName": "t"}, "Key is missing"),
        (
            "dynamodb.get_item",
            {"TableName": "t", "Key": {"k": {"S": 1}}},
            "Key.k.S has to be a text, not a number",
        ),
        (
            "dynamodb.get_item",
            {"TableName": "t", "Key": {"k": {"L": [{"S": "x"}, {"Z": 1}]}}},
            "Key.k.L[1].Z is unknown; there are: S, N, B, ",
        ),
        ("dynamodb.get_item", {"TableName": "t", "Key": []}, "Key has to be an object, not a list"),
        (
            "dynamodb.get_item",
            {"TableName": "t", "Key": {}, "ConsistentRead": "true"},
            "ConsistentRead has to be true or false, not a text",
        ),
        ("kinesis.create_stream", {"StreamName": "", "ShardCount": 1}, "StreamName has 0 char"),
        ("kinesis.create_stream", {"StreamName": "s", "ShardCount": 0}, "ShardCount is 0; allowed"),
        (
            "kinesis.create_stream",
            {"StreamName": "s", "ShardCount": 1.5},
            "ShardCount has to be a whole number",
        ),
        ("kinesis.put_records", {"Records": {}}, "Records has to be a list, not an object"),
        ("kinesis.put_records", {"Records": []}, "Records has 0 items; at least 1 have to be"),
        ("kinesis.put_records", {"Records": [{}]}, "Records[0].Data is missing"),
        ("kinesis.put_record", {"Data": 1, "PartitionKey": "p"}, "Data has to be a text, not a nu"),
        ("lambda.invoke", {}, "FunctionName is missing"),
        ("lambda.invoke", {"FunctionName": ""}, "FunctionName has 0 characters; at least 1 have"),
        ("lambda.invoke", {"FunctionName": ".."}, "FunctionName becomes part of a path: '.' and"),
        ("lambda.get_layer_version", {"LayerName": "a/../b", "VersionNumber": 1}, "part of a path"),
        ("s3control.get_bucket", {"AccountId": "a.b", "Bucket": "c"}, "AccountId becomes part of"),
        (
            "s3.put_bucket_tagging",
            {"Bucket": "a/b", "Tagging": {"TagSet": []}},
            "Bucket may hold letters, digits",
        ),
        (
            "s3.create_multipart_upload",
            {"Bucket": "bucket", "Key": "k", "ContentType": "a\r\nx: y"},
            "ContentType travels in a header",
        ),
        (
            "s3.create_multipart_upload",
            {"Bucket": "bucket", "Key": "k", "Metadata": {"a:b": "x"}},
            "a key of Metadata travels as a header's name",
        ),
        (
            "s3.create_multipart_upload",
            {"Bucket": "bucket", "Key": "k", "Metadata": {"a": "ü"}},
            "Metadata.a travels in a header",
        ),
        (
            "cloudwatch.put_metric_data",
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": "soon"}]},
            "MetricData[0].Timestamp has to be a time in ISO 8601, or seconds since 1970",
        ),
        (
            "cloudwatch.put_metric_data",
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": True}]},
            "MetricData[0].Value has to be a number, not true or false",
        ),
        (
            "cloudwatch.put_metric_data",
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": -(10**400)}]},
            "MetricData[0].Value is too large for a number with a fraction",
        ),
        (
            "bedrock-runtime.converse",
            {"modelId": "m", "messages": [{"role": "u", "content": [{"text": "a", "video": {}}]}]},
            "messages[0].content[0].video",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be(method: str, params: Any, words: str) -> None:
    """The refusal names it, however deep it is."""
    with pytest.raises(InvalidParam) as caught:
        read(method, params)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("kinesis.put_record", {"Data": "ü", "PartitionKey": "p"}, {"Data": "ü".encode()}),
        ("kinesis.put_record", {"Data": b"\xff", "PartitionKey": "p"}, {}),
        ("sns.publish", {"Message": b"x"}, {"Message": "x"}),
        ("dynamodb.get_item", {"TableName": "t", "Key": {"k": {"M": {"a": {"B": "x"}}}}},
         {"Key": {"k": {"M": {"a": {"B": b"x"}}}}}),
        ("dynamodb.query", {"TableName": "t", "Limit": 5}, {}),
        ("s3.upload_part_copy",
         {"Bucket": "bucket", "Key": "a/../b", "CopySource": {"Bucket": "old", "Key": "k"},
          "PartNumber": 1, "UploadId": "u"}, {}),
        ("s3.upload_part", {"Bucket": "bucket", "Key": "k", "PartNumber": 1, "UploadId": "u",
                            "Body": "x", "SSECustomerKey": "k"},
         {"Body": b"x", "SSECustomerKey": b"k"}),
        ("bedrock-runtime.converse",
         {"modelId": "m", "additionalModelRequestFields": {"a": [1, None, True, 1.5, "ü"]}}, {}),
        ("cloudwatch.put_metric_data",
         {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": 1.5, "Value": 1}]},
         {"MetricData": [{"MetricName": "m", "Timestamp": "1970-01-01T00:00:01.500000+00:00",
                          "Value": 1}]}),
    ],
)  # fmt: skip
def test_what_can_be(method: str, params: Any, expected: Any) -> None:
    """Texts are bytes where bytes are wanted and bytes texts; everything else stays as it is."""
    assert read(method, params) == params | expected


@pytest.mark.parametrize(
    ("method", "inside"),
    [
        ("dynamodb.get_item", {"TableName": "t", "Key": {"k" * 10_000: {"L": [{"Z": 1}]}}}),
        ("bedrock-runtime.converse",
         {"modelId": "m", "additionalModelRequestFields": {"k" * 10_000: ["\ud800"]}}),
    ],
)  # fmt: skip
def test_a_long_key_is_told_in_part(method: str, inside: Any) -> None:
    """Its text would be written anew for each value in it."""
    with pytest.raises(InvalidParam) as caught:
        read(method, inside)
    assert "k" * MAX_KEY in str(caught.value)
    assert len(str(caught.value)) < 3 * MAX_KEY + 100


def test_tokens_may_be_left_out() -> None:
    """Even those that the model requires: they are filled in."""
    operation = CATALOG.operation("fis", "start_experiment")
    assert operation.tokens == ("clientToken",)
    assert operation.params.read({"experimentTemplateId": "e"}, "")


def test_a_part_of_the_params_may_be_asked_about() -> None:
    """As `botod policy check` does; what is there is still checked."""
    partial = CATALOG.operation("dynamodb", "get_item").params.partial()
    assert partial.read({"TableName": "t"}, "") == {"TableName": "t"}
    assert partial.read({}, "") == {}
    with pytest.raises(InvalidParam, match="TableName has to be a text"):
        partial.read({"TableName": 1}, "")


def test_params_are_described() -> None:
    """By name and kind, the required ones as such."""
    told = list(CATALOG.operation("s3", "upload_part").params.described())
    kinds = {one.name: (one.kind, one.is_required) for one in told}
    assert kinds["PartNumber"] == ("integer", True)
    assert kinds["Body"] == ("body", False)
    assert kinds["Bucket"] == ("bucketname", True)


@given(st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30)))  # noqa: DTZ001
def test_times_are_read_as_texts(moment: dt.datetime) -> None:
    """In UTC; one without a zone is taken for that."""
    text = Moment().read(moment.isoformat(), "T")
    assert dt.datetime.fromisoformat(text) == moment.replace(tzinfo=dt.UTC)
    east = moment.replace(tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert dt.datetime.fromisoformat(Moment().read(east.isoformat(), "T")) == east


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans(), st.binary()))
def test_no_value_breaks_the_reading_of_times(value: Any) -> None:
    """It is a time or it is refused."""
    try:
        text = Moment().read(value, "T")
    except InvalidParam:
        return
    assert dt.datetime.fromisoformat(text).tzinfo == dt.UTC
