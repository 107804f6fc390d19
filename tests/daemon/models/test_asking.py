"""Requests of operations without rows, as they arrive at a server."""

import base64
import hashlib
import json
import threading
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from botod.daemon.models.asking import Ask
from botod.daemon.services import CATALOG
from botod.daemon.services.answers import MAX_ANSWER_BYTES
from botod.daemon.services.operation import CannotBeCarried, Endpoint
from botod.daemon.services.shapes import InvalidParam
from botod.pool import HeldKeys, spawn
from support.http_server import Exchange, http_server
from support.loops import run
from support.pools import KEYS, open_pool
from support.services import CannedService, query_xml, reply, xml

EMPTY = {"json": reply("{}"), "xml": xml("<r/>"), "none": reply(),
         "metadata": query_xml("DomainMetadata", "<ItemCount>3</ItemCount>")}  # fmt: skip


def arrived(method: str, params: dict[str, Any], kind: str = "json", **options: Any) -> Exchange:
    """The request of an operation."""
    service = CannedService(EMPTY[kind])
    service.call(method, params, **options)
    (request,) = service.requests
    return request


class Passing:
    """A body that comes once."""

    can_repeat = False

    def __init__(self, *blocks: bytes, length: int | None = None) -> None:
        self.length_bytes = sum(map(len, blocks)) if length is None else length
        self._blocks = blocks

    def blocks(self) -> Any:
        return iter(self._blocks)


def sent(method: str, params: dict[str, Any], answer: Any = EMPTY["none"]) -> Exchange:
    """The request of an operation whose params are taken as read already."""

    async def main() -> None:
        with http_server(answer) as server:
            async with open_pool() as pool:
                operation = CATALOG.operation(*method.split("."))
                assert operation.home is not None
                endpoint = Endpoint("127.0.0.1", server.port, False, "eu-central-1", True)
                connection = operation.home.connect(pool, HeldKeys(*KEYS), endpoint)
                await spawn(operation.run, connection, params)
            requests.extend(server.requests)

    requests: list[Exchange] = []
    run(main)
    (request,) = requests
    return request


def test_json() -> None:
    """The operation in a header, blobs in base64."""
    request = arrived(
        "kinesis.put_record", {"StreamName": "s", "Data": b"\xff", "PartitionKey": "p"}
    )
    assert request.headers["x-amz-target"] == "Kinesis_20131202.PutRecord"
    assert request.headers["content-type"] == "application/x-amz-json-1.1"
    assert json.loads(request.body) == {"StreamName": "s", "Data": "/w==", "PartitionKey": "p"}
    assert "/eu-central-1/kinesis/aws4_request" in request.headers["authorization"]
    assert (request.method, request.target) == ("POST", "/")


def test_query() -> None:
    """A form, by POST: nothing of it stands in a URL."""
    tags = [{"Key": "a b", "Value": "ü&="}]
    service = CannedService(
        xml("<CreateTopicResponse><CreateTopicResult><TopicArn>a</TopicArn></CreateTopicResult>"
            "</CreateTopicResponse>")
    )  # fmt: skip
    assert service.call("sns.create_topic", {"Name": "n", "Tags": tags})["TopicArn"] == "a"
    (request,) = service.requests
    assert (request.method, request.target) == ("POST", "/")
    assert dict(parse_qsl(request.body.decode())) == {
        "Action": "CreateTopic", "Version": "2010-03-31", "Name": "n",
        "Tags.member.1.Key": "a b", "Tags.member.1.Value": "ü&=",
    }  # fmt: skip


def test_ec2() -> None:
    """Lists are numbered in EC2's own way; user data goes in base64."""
    request = arrived(
        "ec2.run_instances",
        {"MinCount": 1, "MaxCount": 1, "SecurityGroupIds": ["sg-1"], "UserData": "#!/bin/sh"},
        "xml",
    )
    form = dict(parse_qsl(request.body.decode()))
    assert form["SecurityGroupId.1"] == "sg-1"
    assert base64.b64decode(form["UserData"]) == b"#!/bin/sh"


def test_rest_json() -> None:
    """Path, query and headers each have their part; a blob is the body as it is."""
    request = arrived(
        "lambda.invoke",
        {
            "FunctionName": "a:b/c d", "Qualifier": "$LATEST", "LogType": "Tail",
            "Payload": b"\xff\x00",
        },
    )  # fmt: skip
    assert request.target == "/2015-03-31/functions/a%3Ab%2Fc%20d/invocations?Qualifier=%24LATEST"
    assert request.headers["x-amz-log-type"] == "Tail"
    assert request.body == b"\xff\x00"


def test_a_list_in_a_query_comes_as_often_as_it_has_items() -> None:
    """Which boto's own queries cannot say."""
    arn = "arn:aws:lambda:eu-central-1:1:function:f"
    request = arrived("lambda.untag_resource", {"Resource": arn, "TagKeys": ["b", "a", "a b"]})
    assert request.target.endswith("?tagKeys=b&tagKeys=a&tagKeys=a%20b")


def test_rest_xml() -> None:
    """A document, and the parts of ids that Route 53 itself puts before them are taken off."""
    request = arrived(
        "route53.change_resource_record_sets",
        {
            "HostedZoneId": "/hostedzone/Z1",
            "ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": {
                "Name": "a.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "1.2.3.4"}],
            }}]},
        },
        "xml",
    )  # fmt: skip
    assert request.target == "/2013-04-01/hostedzone/Z1/rrset/"
    assert b"<Value>1.2.3.4</Value>" in request.body


def test_s3() -> None:
    """A bucket in the path, keys of any kind, and a sum of what the service wants to check."""
    tagging = {"TagSet": [{"Key": "a", "Value": "<&>"}]}
    request = arrived(
        "s3.put_object_tagging", {"Bucket": "bucket", "Key": "a//b/../ü +?", "Tagging": tagging},
        "xml",
    )  # fmt: skip
    assert request.target == "/bucket/a//b/../%C3%BC%20%2B%3F?tagging"
    assert b"<Value>&lt;&amp;&gt;</Value>" in request.body
    digest = base64.b64encode(hashlib.md5(request.body).digest()).decode()
    assert request.headers["content-md5"] == digest


def test_a_customer_s_key_of_s3() -> None:
    """In base64, with its hash beside it."""
    key = bytes(range(32))
    request = arrived(
        "s3.create_multipart_upload",
        {"Bucket": "bucket", "Key": "k", "SSECustomerAlgorithm": "AES256", "SSECustomerKey": key},
        "xml",
    )
    prefix = "x-amz-server-side-encryption-customer-key"
    assert base64.b64decode(request.headers[prefix]) == key
    digest = base64.b64encode(hashlib.md5(key).digest()).decode()
    assert request.headers[f"{prefix}-md5"] == digest


def test_the_source_of_a_copy_is_quoted() -> None:
    """Whichever form it was given in."""
    for source in ({"Bucket": "old", "Key": "a b+"}, "/old/a%20b%2B"):
        request = arrived(
            "s3.upload_part_copy",
            {
                "Bucket": "bucket", "Key": "k", "PartNumber": 1, "UploadId": "u",
                "CopySource": source,
            },
            "xml",
        )  # fmt: skip
        assert request.headers["x-amz-copy-source"] == "old/a%20b%2B"


def test_glacier() -> None:
    """Its version, the account of the keys, and the sums that it wants of an archive."""
    request = arrived("glacier.upload_archive", {"vaultName": "v", "body": b"hello"})
    assert request.target == "/-/vaults/v/archives"
    assert request.headers["x-amz-glacier-version"] == "2012-06-01"
    digest = hashlib.sha256(b"hello").hexdigest()
    assert request.headers["x-amz-sha256-tree-hash"] == digest
    assert request.headers["x-amz-content-sha256"] == digest


def test_api_gateway_is_asked_for_json() -> None:
    """It gives HAL otherwise."""
    assert arrived("apigateway.get_rest_apis", {}).headers["accept"] == "application/json"


def test_simpledb() -> None:
    """Knows Version 2 of signatures only: it is asked as its rows ask it."""
    request = arrived("sdb.domain_metadata", {"DomainName": "shop"}, "metadata")
    form = dict(parse_qsl(request.body.decode()))
    assert (form["Action"], form["DomainName"]) == ("DomainMetadata", "shop")
    assert form["SignatureVersion"] == "2"
    assert form["Signature"]


def test_cbor() -> None:
    """Services that speak nothing else are spoken to in it."""
    if "eventbridgev2" not in CATALOG.services:
        pytest.skip("a botocore from before the first of them")
    service = CannedService(reply(b"\xa1kEventBusses\x80"))
    service.call("eventbridgev2.list_event_buses", {})
    (request,) = service.requests
    assert request.headers["smithy-protocol"] == "rpc-v2-cbor"
    assert request.headers["content-type"] == "application/cbor"
    assert request.target.endswith("/operation/ListEventBuses")
    assert request.body == b"\xa0"


def test_a_body_that_comes_once_is_sent_as_it_comes() -> None:
    """To S3: unsigned, with its length."""
    params = {"Bucket": "bucket", "Key": "k", "PartNumber": 2, "UploadId": "u u"}
    request = sent("s3.upload_part", params | {"Body": Passing(b"he", b"llo")})
    assert request.target == "/bucket/k?partNumber=2&uploadId=u%20u"
    assert request.body == b"hello"
    assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert request.headers["content-length"] == "5"


def test_a_service_that_wants_a_hash_gets_one() -> None:
    """So the body is held, up to a bound; a length that only we know is not sent."""
    params = {"domain": "d", "repository": "r", "format": "generic", "package": "p",
              "packageVersion": "1", "assetName": "a", "assetSHA256": "0" * 64}  # fmt: skip
    body = Passing(b"he", b"llo")
    request = sent(
        "codeartifact.publish_package_version", params | {"assetContent": body, "ContentLength": 5}
    )
    assert request.body == b"hello"
    assert "UNSIGNED" not in str(request.headers)
    large = Passing(length=MAX_ANSWER_BYTES + 1)
    with pytest.raises(InvalidParam, match="assetContent has 16777217 bytes; this service wants"):
        sent("codeartifact.publish_package_version", params | {"assetContent": large})


def test_what_has_to_be_discovered() -> None:
    """Is refused at AWS, where each account has a host of its own for it; elsewhere it goes."""

    async def main() -> None:
        async with open_pool() as pool:
            operation = CATALOG.operation("timestream-write", "list_databases")
            assert operation.home is not None
            endpoint = Endpoint("h.test", 443, True, "eu-central-1", False)
            connection = operation.home.connect(pool, HeldKeys(*KEYS), endpoint)
            with pytest.raises(CannotBeCarried, match="a host of its own"):
                await spawn(operation.run, connection, {})

    run(main)
    assert arrived("timestream-write.list_databases", {}).method == "POST"


def test_a_prefix_of_the_host() -> None:
    """Is for AWS's hosts only; a server of one's own has one name."""
    request = arrived("s3control.get_public_access_block", {"AccountId": "123456789012"}, "xml")
    assert request.headers["host"].startswith("127.0.0.1:")
    assert request.headers["x-amz-account-id"] == "123456789012"


def test_a_prefix_is_put_before_aws_s_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """And stands in the signed host header."""

    async def main() -> None:
        async with open_pool() as pool:
            operation = CATALOG.operation("stepfunctions", "start_sync_execution")
            assert operation.home is not None
            endpoint = Endpoint("states.test", 443, True, "eu-central-1", False)
            connection = operation.home.connect(pool, HeldKeys(*KEYS), endpoint)
            monkeypatch.setattr(
                connection, "_mexe", lambda request, *_more: asked.append(request) or Refused()
            )
            with pytest.raises(Exception, match="refused"):
                await spawn(operation.run, connection, {"stateMachineArn": "arn"})

    asked: list[Any] = []
    run(main)
    (request,) = asked
    assert request.host == request.headers["Host"] == "sync-states.test"


@pytest.mark.parametrize(
    ("params", "on_loop"),
    [
        ({"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": 1}]}, True),
        ({"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": 1}] * 1000}, False),
        ({"Namespace": "n", "MetricData": [{"MetricName": "m" * 300_000}]}, False),
    ],
)
def test_what_takes_long_to_write_is_written_in_a_thread(params: Any, on_loop: bool) -> None:
    """A long text does, and many values do, however short."""

    class Watched:
        """Writes nothing."""

        def serialize_to_request(self, *_args: Any) -> Any:
            threads.append(threading.current_thread())
            raise InvalidParam

    threads: list[threading.Thread] = []
    operation = CATALOG.operation("cloudwatch", "put_metric_data")
    assert isinstance(operation.run, Ask)
    ask = replace(operation.run, serializer=Watched())

    async def main() -> None:
        with pytest.raises(InvalidParam):
            await spawn(ask, None, operation.params.read(params, ""))

    run(main)
    assert [thread is threading.main_thread() for thread in threads] == [on_loop]


class Refused:
    """An answer that nobody reads."""

    @property
    def status(self) -> int:
        raise RuntimeError("refused")
