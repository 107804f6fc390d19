"""Every operation does and answers what boto3's does, against the same servers.

Each step is done twice, by botod on resources called "…botod" and by boto3 on others called
"…boto3"; outcomes have to be equal, errors included, but for what no two requests share.
"""

import datetime as dt
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError as Boto3Error

from botod.daemon.services import SERVICES
from botod.ipc import ClientError, Connection
from support.daemons import KEYS, running_daemon
from support.servers import Servers

VOLATILE = {
    "CreatedTimestamp", "CreationDate", "LastModified", "LastModifiedTimestamp", "MessageId",
    "ReceiptHandle", "SentTimestamp", "ApproximateFirstReceiveTimestamp",
    "ContinuationToken", "NextContinuationToken", "NextToken",
}  # fmt: skip
"""Present in both, equal in none."""

ONLY_BOTO3S = {
    "ResponseMetadata",  # headers and retries, which no two requests share
    "BucketArn", "BucketRegion", "AccessPointAlias",  # newer than what moto's servers say to all
    "EncodingType",  # boto3 adds what it asked for itself
}  # fmt: skip


class Pair:
    """The same service by botod and by boto3."""

    def __init__(self, service: str, connection: Connection, url: str) -> None:
        self.done: set[str] = set()
        self._botod = connection.client(service)
        self._boto3 = boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                s3={"addressing_style": "path"},
                # As botod does it at servers that are not AWS's.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def __call__(self, operation: str, **params: Any) -> Any:
        """Do one operation twice, compare, and give what botod answered."""
        self.done.add(operation)
        ours = outcome(self._botod, operation, params)
        theirs = outcome(self._boto3, operation, renamed(params))
        assert comparable(ours) == comparable(theirs), operation
        return ours

    def each(self, operation: str, ours: Any, theirs: Any) -> tuple[Any, Any]:
        """Do it with different params, such as receipt handles."""
        self.done.add(operation)
        results = outcome(self._botod, operation, ours), outcome(self._boto3, operation, theirs)
        assert comparable(results[0]) == comparable(results[1]), operation
        return results


def outcome(client: Any, operation: str, params: Any) -> Any:
    """What came of it; a body read, an error by its code and status."""
    try:
        result = getattr(client, operation)(**params)
    except (ClientError, Boto3Error) as error:
        response = error.response
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        return {"error": response["Error"]["Code"], "status": status}
    if "Body" in result:
        result["Body"] = result["Body"].read()
    return result


def renamed(value: Any) -> Any:
    """The same on boto3's resources."""
    if isinstance(value, dict):
        return {renamed(key): renamed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item) for item in value]
    return value.replace("botod", "boto3") if isinstance(value, str) else value


def comparable(value: Any) -> Any:
    """What has to be equal."""
    if isinstance(value, dict):
        if "Metadata" in value:  # this server writes the names of headers in its own way
            value |= {"Metadata": {key.lower(): text for key, text in value["Metadata"].items()}}
        return {
            key: "…" if key in VOLATILE else comparable(item)
            for key, item in value.items()
            if key not in ONLY_BOTO3S and item not in ([], {})
        }
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return renamed(value)


@pytest.fixture(scope="module")
def connection(servers: Servers) -> Iterator[Connection]:
    """A daemon for this file."""
    config = {
        "daemon": {"log_level": "warning"},
        "profile": {"default": {"endpoints": servers._asdict()}},
    }
    with running_daemon(config) as daemon, daemon.connect() as connected:
        yield connected
        assert daemon.stop() == 0
        assert daemon.lines == []


KEY = "a//b/../c ü?#%+&="


def test_s3(connection: Connection, servers: Servers) -> None:
    """Buckets, objects with metadata, ranges, conditions, odd keys, copies, lists by pages."""
    s3 = Pair("s3", connection, servers.s3)
    bucket = {"Bucket": "like-botod"}
    there = bucket | {"Key": KEY}
    s3("head_bucket", **bucket)
    s3("create_bucket", **bucket)
    s3("head_bucket", **bucket)
    s3(
        "put_object", **there, Body=b"hello, world", ContentType="text/x", CacheControl="no-store",
        ContentDisposition="inline", ContentLanguage="de", Metadata={"a": "b", "two-words": "x y"},
    )  # fmt: skip
    etag = s3("get_object", **there)["ETag"]
    s3("head_object", **there)
    s3("get_object", **there, Range="bytes=2-4")
    s3("get_object", **there, Range="bytes=90-99")
    s3("get_object", **there, IfMatch=etag)
    s3("get_object", **there, IfMatch='"other"')
    s3("get_object", **there, IfNoneMatch=etag)
    s3("head_object", **there, IfNoneMatch=etag)
    s3("get_object", **bucket, Key="none")
    s3("head_object", **bucket, Key="none")
    s3("get_object", Bucket="none-botod", Key="none")
    s3("put_object", **bucket, Key="empty")
    s3("put_object", **bucket, Key="folder/text", Body="täxt".encode())
    s3("copy_object", **bucket, Key="copy", CopySource=there)
    s3("copy_object", **bucket, Key="copy 2", CopySource="like-botod/folder/text")
    s3(
        "copy_object", **bucket, Key="copy 3", CopySource=there, MetadataDirective="REPLACE",
        Metadata={"new": "1"},
    )  # fmt: skip
    s3("copy_object", **bucket, Key="no", CopySource={"Bucket": "like-botod", "Key": "none"})
    s3("head_object", **bucket, Key="copy 3")
    s3("list_objects_v2", **bucket)
    s3("list_objects_v2", **bucket, Delimiter="/")
    s3("list_objects_v2", **bucket, Prefix="folder/", FetchOwner=True)
    s3("list_objects_v2", **bucket, StartAfter="copy 2")
    s3("list_objects_v2", Bucket="none-botod")
    first = s3("list_objects_v2", **bucket, MaxKeys=2)
    assert first["IsTruncated"]
    token = first["NextContinuationToken"]
    s3("list_objects_v2", **bucket, MaxKeys=2, ContinuationToken=token)
    s3("delete_bucket", **bucket)
    s3("delete_object", **bucket, Key="empty")
    s3("delete_object", **bucket, Key="never was")
    keys = [KEY, "copy", "copy 2", "copy 3", "folder/text", "never was"]
    s3("delete_objects", **bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    s3("list_objects_v2", **bucket)
    s3("delete_bucket", **bucket)
    s3("delete_bucket", **bucket)
    s3("list_buckets")
    # boto3's do something with a file, and give nothing, or another URL each second.
    others = {"upload_file", "download_file", "generate_presigned_url"}
    assert s3.done == set(SERVICES["s3"].operations) - others


def test_s3_headers(connection: Connection, servers: Servers) -> None:
    """What is said of an object beside its bytes; conditions; checksums that botocore computes."""
    s3 = Pair("s3", connection, servers.s3)
    bucket = {"Bucket": "more-botod"}
    s3("create_bucket", **bucket)
    more = bucket | {"Key": "more"}
    s3(
        "put_object", **more, Body=b"more", ServerSideEncryption="AES256", Tagging="a=b&c=d",
        StorageClass="STANDARD_IA", ACL="private", ChecksumAlgorithm="SHA256",
        WebsiteRedirectLocation="/there", ExpectedBucketOwner="123456789012",
    )  # fmt: skip
    s3("head_object", **more, ChecksumMode="ENABLED")
    s3("get_object", **more, ChecksumMode="ENABLED")
    s3("get_object", **more, ResponseContentType="text/y", ResponseCacheControl="no-cache")
    s3("put_object", **more, Body=b"again", IfNoneMatch="*")
    for algorithm in ("CRC32", "SHA1"):
        s3("put_object", **bucket, Key="more", Body=b"again", ChecksumAlgorithm=algorithm)
        s3("get_object", **more, ChecksumMode="ENABLED")
    s3("delete_object", **more)
    s3("delete_bucket", **bucket)


def test_sqs(connection: Connection, servers: Servers) -> None:
    """Queues and their attributes, messages one by one and in batches, visibility, long polls."""
    sqs = Pair("sqs", connection, servers.sqs)
    sqs("get_queue_url", QueueName="like-botod")
    sqs("create_queue", QueueName="like-botod", Attributes={"VisibilityTimeout": "60"})
    url = {"QueueUrl": sqs("get_queue_url", QueueName="like-botod")["QueueUrl"]}
    sqs("list_queues", QueueNamePrefix="like-botod")
    sqs("list_queues", QueueNamePrefix="none")
    sqs("get_queue_attributes", **url, AttributeNames=["All"])
    sqs("get_queue_attributes", **url, AttributeNames=["VisibilityTimeout"])
    sqs("receive_message", **url)
    attributes = {
        "text": {"DataType": "String", "StringValue": "ü <&>"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    sqs("send_message", **url, MessageBody="<b>ü &amp; x</b>", MessageAttributes=attributes)
    wanted = {"MessageAttributeNames": ["All"], "AttributeNames": ["ApproximateReceiveCount"]}
    theirs = renamed(url)
    pair = sqs.each(
        "receive_message", url | wanted | {"WaitTimeSeconds": 2},
        theirs | wanted | {"WaitTimeSeconds": 2},
    )  # fmt: skip
    handles = [{"ReceiptHandle": result["Messages"][0]["ReceiptHandle"]} for result in pair]
    visible = {"VisibilityTimeout": 0}
    sqs.each("change_message_visibility", url | handles[0] | visible, theirs | handles[1] | visible)
    pair = sqs.each("receive_message", url, theirs)
    handles = [{"ReceiptHandle": result["Messages"][0]["ReceiptHandle"]} for result in pair]
    sqs.each("delete_message", url | handles[0], theirs | handles[1])
    sqs("delete_message", **url, ReceiptHandle="no such handle")
    entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(3)]
    sqs("send_message_batch", **url, Entries=entries)
    pair = sqs.each(
        "receive_message", url | {"MaxNumberOfMessages": 10}, theirs | {"MaxNumberOfMessages": 10}
    )
    deletes = [
        [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
         for number, message in enumerate(result["Messages"])]
        for result in pair
    ]  # fmt: skip
    sqs.each(
        "delete_message_batch", url | {"Entries": deletes[0]}, theirs | {"Entries": deletes[1]}
    )
    sqs("set_queue_attributes", **url, Attributes={"DelaySeconds": "0"})
    changes = [
        [{"Id": "gone", "ReceiptHandle": one[0]["ReceiptHandle"], "VisibilityTimeout": 0}]
        for one in deletes
    ]
    sqs.each(
        "change_message_visibility_batch",
        url | {"Entries": changes[0]}, theirs | {"Entries": changes[1]},
    )  # fmt: skip
    sqs("send_message", **url, MessageBody="purged")
    sqs("purge_queue", **url)
    sqs("receive_message", **url)
    sqs("delete_queue", **url)
    sqs("send_message", **url, MessageBody="too late")
    assert sqs.done == set(SERVICES["sqs"].operations)


def test_sdb(connection: Connection, servers: Servers) -> None:
    """Domains, attributes with conditions, batches, deletes, selects."""
    sdb = Pair("sdb", connection, servers.sdb)
    domain = {"DomainName": "like-botod"}
    item = domain | {"ItemName": "item ü <&>"}
    sdb("put_attributes", **item, Attributes=[{"Name": "a", "Value": "1"}])
    sdb("create_domain", **domain)
    sdb("put_attributes", **item, Attributes=[{"Name": "a", "Value": "1"}])
    sdb("put_attributes", **item, Attributes=[{"Name": "a", "Value": "2 ü <&>"}])
    sdb("get_attributes", **item, ConsistentRead=True)
    replaced = [{"Name": "a", "Value": "3", "Replace": True}, {"Name": "b", "Value": ""}]
    sdb("put_attributes", **item, Attributes=replaced)
    sdb("get_attributes", **item, AttributeNames=["a", "none"], ConsistentRead=True)
    for expected in ({"Value": "3"}, {"Value": "9"}, {"Exists": False}):
        condition = {"Name": "a"} | expected
        sdb("put_attributes", **item, Attributes=[{"Name": "c", "Value": "1"}], Expected=condition)
    items = [
        {"Name": f"batch {number}", "Attributes": [{"Name": "n", "Value": str(number)}]}
        for number in range(3)
    ]
    sdb("batch_put_attributes", **domain, Items=items)
    sdb("batch_put_attributes", **domain, Items=[items[0], items[0]])
    sdb("get_attributes", **domain, ItemName="none")
    select = "select * from `like-botod` where n >= '1' order by n desc"
    sdb("select", SelectExpression=select, ConsistentRead=True)
    sdb("select", SelectExpression="select count(*) from `like-botod`")
    sdb("select", SelectExpression="select itemName() from `like-botod` where a is not null")
    sdb("select", SelectExpression="select from where")
    sdb("select", SelectExpression="select * from `none-botod`")
    sdb("delete_attributes", **item, Attributes=[{"Name": "a", "Value": "3"}])
    sdb("delete_attributes", **domain, ItemName="batch 0")
    metadata = sdb("domain_metadata", **domain)
    assert metadata["ItemCount"] == 3
    sdb("batch_delete_attributes", **domain, Items=[
        {"Name": "batch 2", "Attributes": [{"Name": "n", "Value": "2"}]}, {"Name": "none"}
    ])  # fmt: skip
    sdb(
        "delete_attributes", **domain, ItemName="batch 1",
        Expected={"Name": "n", "Value": "wrong"},
    )  # fmt: skip
    sdb("select", SelectExpression="select * from `like-botod`", ConsistentRead=True)
    sdb("delete_domain", **domain)
    sdb("get_attributes", **item)
    assert sdb.done | {"list_domains", "select_all"} == set(SERVICES["sdb"].operations)


def test_sdb_s_lists(connection: Connection, servers: Servers) -> None:
    """Domains and a select by pages; the paginator goes through them."""
    sdb = Pair("sdb", connection, servers.sdb)
    client = connection.client("sdb")
    for number in range(3):
        client.create_domain(DomainName=f"page-{number}")
    first = sdb("list_domains", MaxNumberOfDomains=2)
    sdb("list_domains", MaxNumberOfDomains=2, NextToken=first["NextToken"])
    for start in range(0, 250, 25):
        items = [
            {"Name": f"i{number:03}", "Attributes": [{"Name": "n", "Value": str(number)}]}
            for number in range(start, start + 25)
        ]
        client.batch_put_attributes(DomainName="page-0", Items=items)
    select = "select * from `page-0`"
    first = sdb("select", SelectExpression=select, ConsistentRead=True)
    sdb("select", SelectExpression=select, NextToken=first["NextToken"], ConsistentRead=True)
    pages = client.get_paginator("select").paginate(SelectExpression=select, ConsistentRead=True)
    assert [len(page["Items"]) for page in pages] == [100, 100, 50]
    whole = client.get_paginator("select").paginate(SelectExpression=select).build_full_result()
    assert [item["Name"] for item in whole["Items"]] == [f"i{number:03}" for number in range(250)]


def test_a_megabyte_each_way(connection: Connection) -> None:
    """Bytes of all values come back as they were, up to the limit of a message."""
    s3 = connection.client("s3")
    s3.create_bucket(Bucket="large-botod")
    body = os.urandom(16 * 1024 * 1024)
    s3.put_object(Bucket="large-botod", Key="k", Body=body)
    assert s3.get_object(Bucket="large-botod", Key="k")["Body"].read() == body
