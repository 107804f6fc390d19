"""How many values params may hold."""

from typing import Any

import pytest

from botod.daemon.models.amount import MAX_VALUES, NUMBERS_A_VALUE
from botod.daemon.services import CATALOG
from botod.daemon.services.shapes import InvalidParam


def read(method: str, params: Any) -> Any:
    """The params of an operation, as it gets them."""
    return CATALOG.operation(*method.split(".")).params.read(params, "")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ssm.get_parameters", {"Names": [None] * (MAX_VALUES + 1)}),
        ("dynamodb.transact_write_items", {"TransactItems": [{"Wrong": {}}] * MAX_VALUES}),
        ("dynamodb.put_item",
         {"TableName": "t", "Item": {str(number): None for number in range(MAX_VALUES)}}),
        ("cloudwatch.put_metric_data",
         {"Namespace": 1, "MetricData": [{"Values": [1] * (MAX_VALUES * NUMBERS_A_VALUE)}]}),
        ("bedrock-runtime.converse",
         {"modelId": 1, "additionalModelRequestFields": [[]] * MAX_VALUES}),
    ],
)  # fmt: skip
def test_of_too_much_nothing_is_read(method: str, params: Any) -> None:
    """It would hold up the loop: it is refused before its first value, which is wrong, is found."""
    with pytest.raises(InvalidParam, match=f"hold more than {MAX_VALUES} values"):
        read(method, params)


def test_the_most_that_services_take_is_read() -> None:
    """A full request of the logs; as many numbers of vectors as a line holds."""
    events = [{"timestamp": number, "message": "m"} for number in range(10_000)]
    read("logs.put_log_events", {"logGroupName": "g", "logStreamName": "s", "logEvents": events})
    vectors = [{"key": "k", "data": {"float32": [0.125] * 1024}}] * 100
    read(
        "s3vectors.put_vectors",
        {"vectorBucketName": "bucket", "indexName": "index", "vectors": vectors},
    )
