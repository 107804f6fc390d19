"""What a user does with some services: calls that can be made by anything that makes calls.

A script is a generator: it gives an operation and its params, and is sent the answer, or has the
error raised. Names that have to be unique hold NAME.
"""

import io
import json
import zipfile
from collections.abc import Awaitable, Callable, Generator
from typing import Any

Step = tuple[str, dict[str, Any]]
Script = Generator[Step, Any, None]

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }],
})  # fmt: skip


def sns() -> Script:
    """The query protocol: topics, their attributes and tags, messages, and an error."""
    topic = yield "create_topic", {"Name": "NAME", "Tags": [{"Key": "a b", "Value": "ü&="}]}
    arn = {"TopicArn": topic["TopicArn"]}
    yield "list_topics", {}
    yield "get_topic_attributes", arn
    name = {"AttributeName": "DisplayName", "AttributeValue": "<&> ü"}
    yield "set_topic_attributes", arn | name
    yield "list_tags_for_resource", {"ResourceArn": topic["TopicArn"]}
    attributes = {"n": {"DataType": "Number", "StringValue": "1"},
                  "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}  # fmt: skip
    yield "publish", arn | {"Message": "m\n<&> ü", "MessageAttributes": attributes}
    entries = [{"Id": "1", "Message": "m"}, {"Id": "2", "Message": "m"}]
    yield "publish_batch", arn | {"PublishBatchRequestEntries": entries}
    yield "get_topic_attributes", {"TopicArn": topic["TopicArn"] + "none"}
    yield "delete_topic", arn


def dynamodb() -> Script:
    """JSON: items of every type, conditions, queries, batches, transactions."""
    table = {"TableName": "NAME"}
    yield (
        "create_table",
        table
        | {
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    item = {
        "k": {"S": "ü <&>"}, "n": {"N": "1.50"}, "b": {"B": bytes(range(256))}, "t": {"BOOL": True},
        "0": {"NULL": True}, "l": {"L": [{"S": "x"}, {"M": {"y": {"BS": [b"\x00"]}}}]},
    }  # fmt: skip
    yield "put_item", table | {"Item": item}
    yield "get_item", table | {"Key": {"k": item["k"]}, "ConsistentRead": True}
    yield "get_item", table | {"Key": {"k": {"S": "none"}}}
    condition = {"Item": item, "ConditionExpression": "attribute_not_exists(k)"}
    yield "put_item", table | condition
    yield "update_item", table | {
        "Key": {"k": item["k"]}, "UpdateExpression": "SET n = n + :one", "ReturnValues": "ALL_NEW",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }  # fmt: skip
    puts = [{"PutRequest": {"Item": {"k": {"S": f"i{number}"}}}} for number in range(5)]
    yield "batch_write_item", {"RequestItems": {"NAME": puts}}
    keys = [{"k": {"S": "i1"}}, {"k": {"S": "none"}}]
    yield "batch_get_item", {"RequestItems": {"NAME": {"Keys": keys}}}
    yield "query", table | {
        "KeyConditionExpression": "k = :k", "ExpressionAttributeValues": {":k": {"S": "i2"}},
    }  # fmt: skip
    yield "scan", table | {"Select": "COUNT"}
    failing = {"Key": {"k": {"S": "none"}}, "ConditionExpression": "attribute_exists(k)"}
    yield "transact_write_items", {"TransactItems": [{"Delete": table | failing}]}
    yield "describe_table", table
    yield "get_item", {"TableName": "none", "Key": {"k": {"S": "k"}}}
    yield "delete_table", table


def kinesis() -> Script:
    """JSON with blobs both ways and times."""
    stream = {"StreamName": "NAME"}
    yield "create_stream", stream | {"ShardCount": 1}
    yield "describe_stream_summary", stream
    yield "put_record", stream | {"Data": b"\x00\xff", "PartitionKey": "p"}
    records = [{"Data": f"r{number}".encode(), "PartitionKey": "p"} for number in range(3)]
    yield "put_records", stream | {"Records": records}
    shards = yield "list_shards", stream
    shard = {"ShardId": shards["Shards"][0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = yield "get_shard_iterator", stream | shard
    yield "get_records", {"ShardIterator": iterator["ShardIterator"]}
    yield "describe_stream", {"StreamName": "none"}
    yield "delete_stream", stream


def iam() -> Script:
    """The query protocol, with documents inside texts."""
    yield "create_user", {"UserName": "NAME", "Tags": [{"Key": "k", "Value": "v"}]}
    yield "get_user", {"UserName": "NAME"}
    yield "create_role", {"RoleName": "NAME", "AssumeRolePolicyDocument": TRUST}
    yield "get_role", {"RoleName": "NAME"}
    policy = {"UserName": "NAME", "PolicyName": "p"}
    yield "put_user_policy", policy | {"PolicyDocument": TRUST}
    yield "get_user_policy", policy
    yield "list_roles", {"MaxItems": 5}
    yield "get_user", {"UserName": "none"}
    yield "create_access_key", {"UserName": "NAME"}
    yield "create_user", {"UserName": "NAME"}


def sts() -> Script:
    """Who we are, and whom we can be."""
    yield "get_caller_identity", {}
    role = {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "session"}
    yield "assume_role", role | {"DurationSeconds": 900}


def ec2() -> Script:
    """EC2's own kind of query."""
    yield "describe_regions", {"RegionNames": ["eu-west-1", "us-east-1"]}
    vpc = yield "create_vpc", {"CidrBlock": "10.0.0.0/16"}
    vpc_id = vpc["Vpc"]["VpcId"]
    yield "create_subnet", {"VpcId": vpc_id, "CidrBlock": "10.0.1.0/24"}
    yield "create_tags", {"Resources": [vpc_id], "Tags": [{"Key": "Name", "Value": "a <&>"}]}
    yield "describe_vpcs", {"Filters": [{"Name": "vpc-id", "Values": [vpc_id]}]}
    group = {"GroupName": "NAME", "Description": "d", "VpcId": vpc_id}
    made = yield "create_security_group", group
    port = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}  # fmt: skip
    yield "authorize_security_group_ingress", {"GroupId": made["GroupId"], "IpPermissions": [port]}
    yield "describe_security_groups", {"GroupIds": [made["GroupId"]]}
    yield "describe_vpcs", {"VpcIds": ["vpc-none"]}
    yield "describe_availability_zones", {}


def secretsmanager() -> Script:
    """JSON with tokens that are made up where they are missing."""
    secret = {"SecretId": "NAME"}
    token = {"ClientRequestToken": "a" * 32}
    yield "create_secret", {"Name": "NAME", "SecretString": "ü"} | token
    yield "get_secret_value", secret
    yield "put_secret_value", secret | {"SecretBinary": b"\x00\xff", "ClientRequestToken": "b" * 32}
    yield "get_secret_value", secret
    yield "describe_secret", secret
    yield "get_secret_value", {"SecretId": "none"}
    yield "delete_secret", secret | {"ForceDeleteWithoutRecovery": True}


def logs() -> Script:
    """JSON whose names begin in lower case."""
    group = {"logGroupName": "/NAME"}
    stream = group | {"logStreamName": "s"}
    yield "create_log_group", group
    yield "create_log_stream", stream
    events = [{"timestamp": 1_700_000_000_000, "message": "ü <&>"}]
    yield "put_log_events", stream | {"logEvents": events}
    yield "get_log_events", stream
    yield "describe_log_groups", {"logGroupNamePrefix": "/NAME"}
    yield "put_retention_policy", group | {"retentionInDays": 7}
    yield "create_log_group", group
    yield "delete_log_group", group


def ssm() -> Script:
    """JSON: parameters, one by one and several."""
    yield "put_parameter", {"Name": "/NAME/a", "Value": "ü", "Type": "String"}
    yield "put_parameter", {"Name": "/NAME/b", "Value": "x,y", "Type": "StringList"}
    yield "get_parameter", {"Name": "/NAME/a"}
    yield "get_parameters", {"Names": ["/NAME/a", "/NAME/none"]}
    yield "get_parameters_by_path", {"Path": "/NAME", "Recursive": True}
    yield "get_parameter", {"Name": "/NAME/none"}
    yield "delete_parameters", {"Names": ["/NAME/a", "/NAME/b"]}


def functions() -> Script:
    """Lambda, REST with JSON: a package as a blob, paths, queries; it is not run here."""
    role = "arn:aws:iam::123456789012:role/r"
    yield "list_functions", {}
    yield "get_function", {"FunctionName": "none"}
    yield "create_function", {
        "FunctionName": "NAME", "Role": role, "Runtime": "python3.12", "Handler": "m.f",
        "Code": {"ZipFile": _package()}, "Publish": True,
    }  # fmt: skip
    yield "get_function_configuration", {"FunctionName": "NAME"}
    arn = "arn:aws:lambda:us-east-1:123456789012:function:NAME"
    yield "tag_resource", {"Resource": arn, "Tags": {"a": "1", "b c": "2"}}
    yield "list_tags", {"Resource": arn}
    yield "untag_resource", {"Resource": arn, "TagKeys": ["a", "b c"]}
    yield "invoke", {"FunctionName": "none", "Payload": b"{}"}
    yield "list_versions_by_function", {"FunctionName": "NAME", "MaxItems": 10}


def cloudwatch() -> Script:
    """JSON with numbers that have fractions, and times."""
    metric = {"MetricName": "m", "Value": 1.5, "Unit": "Seconds"}
    yield "put_metric_data", {"Namespace": "NAME", "MetricData": [metric]}
    yield "list_metrics", {"Namespace": "NAME"}
    alarm = {
        "AlarmName": "NAME", "MetricName": "m", "Namespace": "NAME", "Period": 60, "Threshold": 0.5,
        "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum",
    }  # fmt: skip
    yield "put_metric_alarm", alarm
    yield "describe_alarms", {"AlarmNames": ["NAME"]}


def route53() -> Script:
    """REST with XML, and ids that are given back otherwise than they are taken."""
    zone = yield "create_hosted_zone", {"Name": "NAME.test", "CallerReference": "NAME"}
    zone_id = {"HostedZoneId": zone["HostedZone"]["Id"]}
    record = {"Name": "a.NAME.test", "Type": "A", "TTL": 60,
              "ResourceRecords": [{"Value": "192.0.2.1"}]}  # fmt: skip
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    yield "change_resource_record_sets", zone_id | {"ChangeBatch": change}
    yield "list_resource_record_sets", zone_id | {"MaxItems": "10"}
    yield "get_hosted_zone", {"Id": zone["HostedZone"]["Id"]}
    yield "get_hosted_zone", {"Id": "none"}


def s3() -> Script:
    """REST with XML: what of S3 has no row."""
    bucket = {"Bucket": "bucket-NAME"}
    odd = bucket | {"Key": "a//b/../c ü?#%+&="}
    yield "create_bucket", bucket
    yield "get_bucket_location", bucket
    yield "put_bucket_versioning", bucket | {"VersioningConfiguration": {"Status": "Enabled"}}
    yield "get_bucket_versioning", bucket
    tags = {"Tagging": {"TagSet": [{"Key": "a", "Value": "<&> ü"}]}}
    yield "put_bucket_tagging", bucket | tags
    yield "get_bucket_tagging", bucket
    yield "get_bucket_policy", bucket
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    lifecycle = {"LifecycleConfiguration": {"Rules": [rule]}}
    yield "put_bucket_lifecycle_configuration", bucket | lifecycle
    yield "get_bucket_lifecycle_configuration", bucket
    yield "get_bucket_acl", bucket
    yield "put_object", odd | {"Body": b"hello"}
    yield "put_object_tagging", odd | tags
    yield "get_object_tagging", odd
    yield "list_objects", bucket
    yield "list_object_versions", bucket
    upload = yield "create_multipart_upload", odd | {"ContentType": "text/x"}
    part = odd | {"UploadId": upload["UploadId"], "PartNumber": 1}
    done = yield "upload_part", part | {"Body": b"x" * 100_000}
    yield "list_parts", odd | {"UploadId": upload["UploadId"]}
    yield "list_multipart_uploads", bucket
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": done["ETag"]}]}}
    yield "complete_multipart_upload", odd | {"UploadId": upload["UploadId"]} | parts
    other = yield "create_multipart_upload", bucket | {"Key": "copy"}
    copied = bucket | {"Key": "copy", "UploadId": other["UploadId"]}
    source = {"CopySource": odd, "PartNumber": 1}
    yield "upload_part_copy", copied | source
    yield "abort_multipart_upload", copied
    yield "get_object", odd
    yield "get_bucket_website", bucket
    yield "delete_object_tagging", odd


def sqs() -> Script:
    """What of SQS has no row: JSON, where the rows speak the query protocol."""
    queue = yield "create_queue", {"QueueName": "NAME"}
    url = {"QueueUrl": queue["QueueUrl"]}
    yield "tag_queue", url | {"Tags": {"a": "ü"}}
    yield "list_queue_tags", url
    yield "set_queue_attributes", url | {"Attributes": {"VisibilityTimeout": "7"}}
    yield "list_dead_letter_source_queues", url
    yield "list_queue_tags", {"QueueUrl": queue["QueueUrl"] + "none"}


def cloudformation() -> Script:
    """The query protocol, with documents in it: a stack, its resources, an update, and errors."""
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "<&> ü",
        "Parameters": {"Delay": {"Type": "Number", "Default": "1"}},
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": "NAME-of-stack", "DelaySeconds": {"Ref": "Delay"}},
            }
        },
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
    }
    stack = {"StackName": "NAME"}
    body = {"TemplateBody": json.dumps(template)}
    yield "validate_template", body
    tags = [{"Key": "a b", "Value": "ü&="}]
    yield "create_stack", stack | body | {"Tags": tags}
    yield "describe_stacks", stack
    yield "describe_stack_resources", stack
    yield "list_stack_resources", stack
    yield "get_template", stack
    delay = [{"ParameterKey": "Delay", "ParameterValue": "2"}]
    yield "update_stack", stack | body | {"Parameters": delay}
    yield "list_stacks", {}
    yield "create_stack", stack | body
    yield "delete_stack", stack
    yield "describe_stacks", stack


SCRIPTS: dict[str, Callable[[], Script]] = {
    "cloudformation": cloudformation,
    "cloudwatch": cloudwatch,
    "dynamodb": dynamodb,
    "ec2": ec2,
    "iam": iam,
    "kinesis": kinesis,
    "lambda": functions,
    "logs": logs,
    "route53": route53,
    "s3": s3,
    "secretsmanager": secretsmanager,
    "sns": sns,
    "sqs": sqs,
    "ssm": ssm,
    "sts": sts,
}


def named(value: Any, name: str) -> Any:
    """Params with a name in the place of NAME."""
    if isinstance(value, dict):
        return {named(key, name): named(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [named(item, name) for item in value]
    return value.replace("NAME", name) if isinstance(value, str) else value


def play(script: Script, do: Callable[[str, dict[str, Any]], Any], name: str) -> None:
    """Make a script's calls, one after the other; what `do` gives for an error is not sent on."""
    answer = None
    while True:
        try:
            operation, params = script.send(answer)
        except StopIteration:
            return
        answer = do(operation, named(params, name))


async def play_awaited(
    script: Script, do: Callable[[str, dict[str, Any]], Awaitable[Any]], name: str
) -> None:
    """The same with a `do` that is awaited."""
    answer = None
    while True:
        try:
            operation, params = script.send(answer)
        except StopIteration:
            return
        answer = await do(operation, named(params, name))


def _package() -> bytes:
    """A function's code, the same each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("m.py"), "def f(event, context): return event")
    return packed.getvalue()
