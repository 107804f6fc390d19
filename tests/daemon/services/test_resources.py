"""What rules are written about, for every operation there is."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.services import SERVICES
from botod.daemon.services.resources import BUCKET, OBJECT, QUEUE, UNTOLD

OBJECT_PARAMS = {"Bucket": "photos", "Key": "cats/1.jpg"}
MESSAGE = {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}
ITEM = {"DomainName": "shop", "ItemName": "i"}
VALUES = [{"Name": "n", "Value": "v"}]

EXAMPLES: dict[str, tuple[dict[str, Any], Sequence[str | None]]] = {
    "s3.create_bucket": ({"Bucket": "photos"}, ["photos"]),
    "s3.delete_bucket": ({"Bucket": "photos"}, ["photos"]),
    "s3.list_buckets": ({}, [None]),
    "s3.head_bucket": ({"Bucket": "photos"}, ["photos"]),
    "s3.put_object": (OBJECT_PARAMS, ["photos/cats/1.jpg"]),
    "s3.upload_file": (OBJECT_PARAMS, ["photos/cats/1.jpg"]),
    "s3.download_file": (OBJECT_PARAMS, ["photos/cats/1.jpg"]),
    "s3.generate_presigned_url": (
        {"ClientMethod": "get_object", "Params": OBJECT_PARAMS},
        ["photos/cats/1.jpg"],
    ),
    "s3.get_object": (OBJECT_PARAMS | {"VersionId": "3"}, ["photos/cats/1.jpg"]),
    "s3.head_object": (OBJECT_PARAMS, ["photos/cats/1.jpg"]),
    "s3.copy_object": (
        OBJECT_PARAMS | {"CopySource": "/old/a%20b?versionId=3"},
        ["photos/cats/1.jpg", "old/a b"],
    ),
    "s3.delete_object": (OBJECT_PARAMS, ["photos/cats/1.jpg"]),
    "s3.delete_objects": (
        {"Bucket": "photos", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b/c"}]}},
        ["photos/a", "photos/b/c"],
    ),
    "s3.list_objects_v2": ({"Bucket": "photos", "Prefix": "cats/"}, ["photos"]),
    "sqs.create_queue": ({"QueueName": "orders"}, ["orders"]),
    "sqs.get_queue_url": ({"QueueName": "orders"}, ["orders"]),
    "sqs.list_queues": ({"QueueNamePrefix": "orders"}, [None]),
    "sqs.delete_queue": (MESSAGE, ["orders"]),
    "sqs.purge_queue": (MESSAGE, ["orders"]),
    "sqs.get_queue_attributes": (MESSAGE, ["orders"]),
    "sqs.send_message": (MESSAGE | {"MessageBody": "x"}, ["orders"]),
    "sqs.send_message_batch": (
        MESSAGE | {"Entries": [{"Id": "1", "MessageBody": "x"}]},
        ["orders"],
    ),
    "sqs.receive_message": (MESSAGE, ["orders"]),
    "sqs.delete_message": (MESSAGE | {"ReceiptHandle": "r"}, ["orders"]),
    "sqs.delete_message_batch": (
        MESSAGE | {"Entries": [{"Id": "1", "ReceiptHandle": "r"}]},
        ["orders"],
    ),
    "sqs.set_queue_attributes": (MESSAGE | {"Attributes": {"DelaySeconds": "1"}}, ["orders"]),
    "sqs.change_message_visibility_batch": (
        MESSAGE | {"Entries": [{"Id": "a", "ReceiptHandle": "r"}]},
        ["orders"],
    ),
    "sqs.change_message_visibility": (
        MESSAGE | {"ReceiptHandle": "r", "VisibilityTimeout": 3},
        ["orders"],
    ),
    "sdb.create_domain": ({"DomainName": "shop"}, ["shop"]),
    "sdb.delete_domain": ({"DomainName": "shop"}, ["shop"]),
    "sdb.list_domains": ({}, [None]),
    "sdb.put_attributes": (ITEM | {"Attributes": VALUES}, ["shop"]),
    "sdb.batch_put_attributes": (
        {"DomainName": "shop", "Items": [{"Name": "i", "Attributes": VALUES}]},
        ["shop"],
    ),
    "sdb.get_attributes": (ITEM, ["shop"]),
    "sdb.delete_attributes": (ITEM, ["shop"]),
    "sdb.domain_metadata": ({"DomainName": "shop"}, ["shop"]),
    "sdb.batch_delete_attributes": (
        {"DomainName": "shop", "Items": [{"Name": "a"}]},
        ["shop"],
    ),
    "sdb.select": ({"SelectExpression": "select * from shop"}, ["shop"]),
    "sdb.select_all": ({"SelectExpression": "select * from shop"}, ["shop"]),
}

METHODS = [f"{service}.{name}" for service, table in SERVICES.items() for name in table.operations]


def resources(method: str, params: dict[str, Any]) -> list[str | None]:
    """What is found in params as a job has them."""
    service, _dot, name = method.partition(".")
    operation = SERVICES[service].operations[name]
    return list(operation.resources.find(operation.params.read(params, "")))


@pytest.mark.parametrize("method", METHODS)
def test_each_operation_s_resources(method: str) -> None:
    """None is without an example; what is told can be matched by its own name as a pattern."""
    params, expected = EXAMPLES[method]
    assert resources(method, params) == expected
    service, _dot, name = method.partition(".")
    kind = SERVICES[service].operations[name].resources
    assert all(kind.may_match(resource) for resource in expected if resource is not None)
    assert (expected == [None]) == (kind is UNTOLD)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_missing_cannot_be_told(method: str) -> None:
    """Rather than that finding it fails."""
    service, _dot, name = method.partition(".")
    assert None in list(SERVICES[service].operations[name].resources.find({}))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://evil.example/1/orders", "orders"),
        ("/orders", "orders"),
        ("http://h/1/orders.fifo", "orders.fifo"),
        ("http://h/queue/orders?x=/1/other", "orders"),
        ("http://h/1/%6frders", None),
        ("http://h/1/orders/", None),
        ("http://h/1/x/../orders", None),
        ("http://h/1//orders", None),
        ("http://h/1/orders;x", None),
        ("http://h/1/.fifo", None),
        ("http://h/a/b/orders", None),
    ],
)
def test_a_queue_is_the_end_of_a_plain_path(url: str, name: str | None) -> None:
    """The host does not matter; what another program may read in another way cannot be told."""
    assert resources("sqs.purge_queue", {"QueueUrl": url}) == [name]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"Bucket": "old", "Key": "a/%20"}, "old/a/%20"),
        ("old/a", "old/a"),
        ("old/%2561", "old/%61"),
        ("//old/a/b", "old/a/b"),
        ("old", None),
        ("old/", None),
        ("o?d/a", None),
    ],
)
def test_the_source_of_a_copy(source: Any, name: str | None) -> None:
    """As the request will name it."""
    found = resources("s3.copy_object", OBJECT_PARAMS | {"CopySource": source})
    assert found == ["photos/cats/1.jpg", name]


@pytest.mark.parametrize(
    ("expression", "domain"),
    [
        ("select * from shop", "shop"),
        (" SELECT itemName() FROM `my-shop.2` where a = 'x from y' limit 3", "my-shop.2"),
        ("select count(*) from shop where `from` = 'x'", "shop"),
        ("select a, b_1 from Shop order by a", "Shop"),
        ("select from from shop", None),
        ("select `a from b` from shop", None),
        ("select a from b from shop", "b"),
        ("select * from my-shop", None),
        ("select * from `a``b`", None),
        ("select * from 'shop'", None),
        ("select * from shop,other", None),
        ("select * from `shop`x", None),
        ("delete from shop", None),
        ("select*from shop", None),
    ],
)
def test_the_domain_of_a_select(expression: str, domain: str | None) -> None:
    """Only where there is but one way to read it."""
    assert resources("sdb.select", {"SelectExpression": expression}) == [domain]


@given(st.text())
def test_any_expression_is_read(expression: str) -> None:
    """It tells a domain or it does not; what it tells stands in it."""
    (found,) = SERVICES["sdb"].operations["select"].resources.find({"SelectExpression": expression})
    assert found is None or found in expression


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (BUCKET, ["logs", "logs-*", "*"], ["logs/*", "lo gs", "*/x", ""]),
        (OBJECT, ["logs/*", "logs/a b", "logs*", "*", "*/x"], ["logs", "logs/", "l gs/x", "/x"]),
        (QUEUE, ["orders", "orders.fifo", "o*", "*"], ["1/orders", "http://h/1/orders", "a b"]),
        (UNTOLD, ["*"], ["x", "**"]),
    ],
)
def test_patterns_that_may_match(kind: Any, good: list[str], bad: list[str]) -> None:
    """A pattern that no resource can have is told from one that some may have."""
    assert [pattern for pattern in good + bad if kind.may_match(pattern)] == good
