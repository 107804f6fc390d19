"""What rules are written about, for the operations of models."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botod.daemon.models.touched import MAX_NAMES, NAMINGS
from botod.daemon.services import CATALOG
from botod.daemon.services.resources import UNTOLD

ARN = "arn:aws:{}:eu-central-1:123456789012:{}"
LAMBDA = re.compile(
    r"(?:[a-z]{2}(?:-gov)?-[a-z]+-[0-9]:)?(?:[0-9]{12}:)?(?:function:)?"
    r"(?P<name>[0-9A-Za-z_-]+)(?::(?:\$LATEST|[0-9A-Za-z_-]+))?"
)
"""A function's name as Lambda's documentation has it."""
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def found(method: str, params: dict[str, Any]) -> list[str | None]:
    """The resources of a job with these params."""
    operation = CATALOG.operation(*method.split("."))
    return list(operation.resources.find(operation.params.partial().read(params, "")))


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("dynamodb.get_item", {"TableName": "orders"}, ["orders"]),
        ("dynamodb.get_item", {"TableName": ARN.format("dynamodb", "table/orders")}, ["orders"]),
        ("dynamodb.get_item", {"TableName": ARN.format("dynamodb", "table/a/index/b")}, [None]),
        ("dynamodb.get_item", {"TableName": "or ders"}, [None]),
        ("dynamodb.get_item", {}, [None]),
        ("dynamodb.batch_get_item", {"RequestItems": {"a": {"Keys": [{}]}, "b": {"Keys": [{}]}}},
         ["a", "b"]),
        ("dynamodb.batch_get_item", {"RequestItems": {}}, [None]),
        ("dynamodb.transact_write_items",
         {"TransactItems": [{"Delete": {"TableName": "a", "Key": {}}},
                            {"Put": {"TableName": ARN.format("dynamodb", "table/b"), "Item": {}},
                             "Delete": {"TableName": "c", "Key": {}}}]},
         ["a", "b", "c"]),
        ("dynamodb.execute_statement", {"Statement": "select * from a"}, [None]),
        ("dynamodb.restore_table_from_backup", {"TargetTableName": "aaa", "BackupArn": "b" * 40},
         [None]),
        ("sns.publish", {"TopicArn": ARN.format("sns", "news"), "Message": "x"}, ["news"]),
        ("sns.publish", {"TopicArn": ARN.format("sns", "news"), "PhoneNumber": "+1"},
         ["news", None]),
        ("sns.publish", {"TargetArn": ARN.format("sns", "news")}, [None]),
        ("sns.publish", {"TopicArn": "news"}, [None]),
        ("sns.publish_batch", {"TopicArn": ARN.format("sns", "a.fifo")}, ["a.fifo"]),
        ("sns.create_topic", {"Name": "news"}, [None]),
        ("secretsmanager.get_secret_value", {"SecretId": "prod/db"}, ["prod/db"]),
        ("secretsmanager.get_secret_value",
         {"SecretId": ARN.format("secretsmanager", "secret:prod/db-AbCdEf")}, [None]),
        ("secretsmanager.batch_get_secret_value", {"SecretIdList": ["a", "b"]}, ["a", "b"]),
        ("secretsmanager.batch_get_secret_value",
         {"SecretIdList": ["a"], "Filters": [{"Key": "name", "Values": ["b"]}]}, ["a", None]),
        ("lambda.invoke", {"FunctionName": "resize"}, ["resize"]),
        ("lambda.invoke", {"FunctionName": "resize:prod"}, ["resize"]),
        ("lambda.invoke", {"FunctionName": "123456789012:function:resize"}, ["resize"]),
        ("lambda.invoke", {"FunctionName": ARN.format("lambda", "function:resize:7")}, ["resize"]),
        ("lambda.invoke", {"FunctionName": "123456789012:secret"}, ["secret"]),
        ("lambda.invoke", {"FunctionName": "function:secret"}, ["secret"]),
        ("lambda.invoke", {"FunctionName": "123456789012"}, ["123456789012"]),
        ("lambda.invoke", {"FunctionName": "function"}, ["function"]),
        ("lambda.invoke", {"FunctionName": "123456789012:$LATEST"}, [None]),
        ("lambda.invoke", {"FunctionName": "eu-central-1:secret"}, [None]),
        ("lambda.invoke", {"FunctionName": "us-gov-west-1:123456789012:function:secret"}, [None]),
        ("lambda.invoke", {"FunctionName": "my-job-1"}, ["my-job-1"]),
        ("lambda.invoke", {"FunctionName": "arn:aws:lambda:123456789012:function:function:a"},
         [None]),
        ("lambda.invoke", {"FunctionName": "a:b:c"}, [None]),
        ("lambda.create_function", {"FunctionName": "resize"}, [None]),
        ("kinesis.put_record", {"StreamName": "clicks"}, ["clicks"]),
        ("kinesis.put_record",
         {"StreamName": "clicks", "StreamARN": ARN.format("kinesis", "stream/other")},
         ["clicks", "other"]),
        ("kinesis.get_records",
         {"ShardIterator": "opaque", "StreamARN": ARN.format("kinesis", "stream/clicks")},
         ["clicks", None]),
        ("logs.put_log_events", {"logGroupName": "/aws/lambda/x"}, ["/aws/lambda/x"]),
        ("logs.get_log_events",
         {"logGroupIdentifier": ARN.format("logs", "log-group:/aws/x:*"), "logGroupName": "y"},
         ["y", "/aws/x"]),
        ("logs.start_query", {"logGroupName": "x", "queryString": "SOURCE y"}, [None]),
        ("logs.associate_kms_key", {"logGroupName": "x"}, [None]),
        ("ssm.get_parameter", {"Name": "/prod/a"}, ["/prod/a"]),
        ("ssm.get_parameter", {"Name": "/prod/a:3"}, ["/prod/a"]),
        ("ssm.get_parameter", {"Name": ARN.format("ssm", "parameter/prod/a")}, [None]),
        ("ssm.get_parameters", {"Names": ["/a", "/b:label"]}, ["/a", "/b"]),
        ("ssm.get_parameters_by_path", {"Path": "/prod"}, [None]),
        ("ssm.get_document", {"Name": "doc"}, [None]),
        ("kms.decrypt", {"KeyId": KEY_ID}, [KEY_ID]),
        ("kms.decrypt", {"KeyId": ARN.format("kms", f"key/{KEY_ID}")}, [KEY_ID]),
        ("kms.decrypt", {"KeyId": "alias/prod"}, [None]),
        ("kms.decrypt", {"CiphertextBlob": b"x"}, [None]),
        ("kms.re_encrypt", {"SourceKeyId": KEY_ID, "DestinationKeyId": "alias/x"},
         [KEY_ID, None]),
        ("kms.re_encrypt", {"CiphertextBlob": b"x", "DestinationKeyId": KEY_ID}, [None, KEY_ID]),
        ("sqs.tag_queue", {"QueueUrl": "https://h/1/orders"}, ["orders"]),
        ("sqs.tag_queue", {"QueueUrl": "https://h/1/%6frders"}, [None]),
        ("sqs.tag_queue", {"QueueUrl": "https://a@h/1/orders"}, [None]),
        ("sqs.tag_queue", {"QueueUrl": "orders"}, [None]),
        ("sqs.start_message_move_task", {"SourceArn": ARN.format("sqs", "orders")}, [None]),
        ("s3.get_bucket_policy", {"Bucket": "photos"}, ["photos"]),
        ("s3.get_object_tagging", {"Bucket": "photos", "Key": "a/b"}, ["photos/a/b"]),
        ("s3.upload_part_copy", {"Bucket": "photos", "Key": "a", "CopySource": "/old/b%20c"},
         ["photos/a", "old/b c"]),
        ("s3.put_bucket_logging", {"Bucket": "photos"}, [None]),
        ("s3.put_bucket_replication", {"Bucket": "photos"}, [None]),
        ("s3.rename_object", {"Bucket": "photos", "Key": "a"}, [None]),
        ("ecr.batch_get_image", {"repositoryName": "team/app"}, ["team/app"]),
        ("firehose.put_record", {"DeliveryStreamName": "x"}, ["x"]),
        ("ec2.terminate_instances", {"InstanceIds": ["i-1"]}, [None]),
        ("iam.get_user", {"UserName": "x"}, [None]),
    ],
)  # fmt: skip
def test_resources(method: str, params: Any, expected: Any) -> None:
    """By whichever of their names; what may be read in two ways, or not at all, cannot be told."""
    assert found(method, params) == expected


@given(
    account=st.sampled_from(["", "123456789012:"]),
    kind=st.sampled_from(["", "function:"]),
    name=st.from_regex(r"[0-9A-Za-z_-]{1,9}|[0-9]{12}|function|eu-west-1", fullmatch=True),
    alias=st.from_regex(r"(:[0-9A-Za-z_-]{1,9}|:[0-9]{12}|:function|:\$LATEST)?", fullmatch=True),
)
@example(account="", kind="", name="123456789012", alias=":secret")
@example(account="", kind="", name="function", alias=":secret")
@example(account="123456789012:", kind="", name="function", alias=":secret")
def test_the_names_of_a_function(account: str, kind: str, name: str, alias: str) -> None:
    """Of all that a text may mean to Lambda, one is told; if it is not this one, none is meant."""
    text = f"{account}{kind}{name}{alias}"
    told = found("lambda.invoke", {"FunctionName": text})
    meant = LAMBDA.fullmatch(text)
    assert meant is not None
    assert told in ([meant["name"]], [None])
    if account or kind or not re.fullmatch("[0-9]{12}|function|[a-z-]+-[0-9]+", name):
        assert told == [meant["name"]] or "$" in alias
    full = found("lambda.invoke", {"FunctionName": ARN.format("lambda", f"function:{name}{alias}")})
    assert full == [name]


@pytest.mark.parametrize("service", NAMINGS)
def test_what_is_told_can_be_matched(service: str) -> None:
    """Each service in the table has operations whose resources are told, and not all are."""
    names = CATALOG.names(service)
    kinds = [CATALOG.resources(f"{service}.{name}") for name in names]
    assert any(kind is UNTOLD for kind in kinds)
    told = [kind for kind in kinds if kind is not None and kind is not UNTOLD]
    assert told
    assert all(kind.may_match("*") for kind in told)
    assert not any(kind.may_match("a b c") and kind.may_match("") for kind in told)


def test_of_many_names_none_is_told() -> None:
    """AWS takes far fewer; those beyond the bound are not even looked at."""
    operation = CATALOG.operation("ssm", "get_parameters")
    names: list[Any] = ["a"] * MAX_NAMES
    assert list(operation.resources.find({"Names": names})) == names
    looked_at: list[Any] = []

    class Watched(list[Any]):
        def __iter__(self) -> Any:
            for name in super().__iter__():
                looked_at.append(name)
                yield name

    many = Watched(["a"] * MAX_NAMES * 9)
    assert list(operation.resources.find({"Names": many})) == [None]
    assert len(looked_at) == MAX_NAMES + 1


def test_what_is_missing_cannot_be_told() -> None:
    """Of every operation that the table is about."""
    for service in NAMINGS:
        for name in CATALOG.names(service):
            kind = CATALOG.resources(f"{service}.{name}")
            assert kind is None or None in list(kind.find({})), f"{service}.{name}"
