"""Services are where boto3 itself finds them."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from botocore.model import OperationModel, ServiceModel

from botod.daemon.endpoint_rules import EndpointRules, load_rules
from botod.daemon.models.home import kind_of, whereabouts
from botod.daemon.models.loading import load_model, service_names
from botod.daemon.services.operation import CannotBeCarried
from botod.daemon.sites import NoEndpoint, Site, Wanted
from support.boto3_sites import all_wanted, boto3_client, boto3_site

ACCOUNT = "123456789012"

PARAMS: dict[str, Any] = {
    "AccountId": ACCOUNT,
    "KvsARN": f"arn:aws:cloudfront::{ACCOUNT}:kvs/x",
    "RequestItems": {"t": {}},
}
"""Of operations whose services have no site without."""

BEARER = ("codecatalyst",)
"""Services that are not signed for at all, so that a signature's region means nothing."""

ODD = (
    "billing",
    "dsql",
    "ecr",
    "eventbridgev2",
    "freetier",
    "health",
    "iam",
    "neptune-graph",
    "organizations",
    "route53",
    "s3",
    "s3control",
    "s3vectors",
    "sdb",
    "sqs",
    "sts",
    "support",
    "waf",
)
"""Some that are elsewhere than a service usually is, and those used most."""


def compare(service: str) -> int:
    """One operation of each kind, in all variants of all regions; gives how many were compared."""
    model, rules = load_model(service), load_rules(service)
    kinds: dict[Any, OperationModel] = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        by_params = whereabouts(operation, rules) is not None
        kinds.setdefault((kind_of(operation, rules), by_params), operation)
    count = 0
    for wanted in all_wanted():
        client = boto3_client(service, wanted)
        for operation in kinds.values():
            found, theirs = ours(model, operation, rules, wanted), of_boto3(client, operation)
            about = f"{service}.{operation.name} {wanted}: {found}, {theirs}"
            if isinstance(found, Exception) or isinstance(theirs, Exception):
                assert isinstance(found, NoEndpoint | CannotBeCarried), about
                assert isinstance(theirs, Exception), about
            else:
                assert found == theirs or service in BEARER, about
            count += 1
    return count


def ours(
    model: ServiceModel, operation: OperationModel, rules: EndpointRules, wanted: Wanted
) -> Site | Exception:
    """Where an operation would be sent, or why nowhere."""
    found = whereabouts(operation, rules)
    try:
        if found is None:
            site = rules.site(wanted, dict(kind_of(operation, rules)))
        else:
            site = found.site(wanted, PARAMS)
    except (NoEndpoint, CannotBeCarried) as error:
        return error
    return replace(site, signing_name=site.signing_name or model.signing_name)


def of_boto3(client: Any, operation: OperationModel) -> Site | Exception:
    """The same, of boto3."""
    try:
        return boto3_site(client, operation.name, PARAMS)
    except (BotoCoreError, AttributeError) as error:  # the latter of one that is told no name
        return error


@pytest.mark.parametrize("service", ODD)
def test_some_services_are_where_boto3_has_them(
    service: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Host, region and name in signatures: in three partitions, with FIPS and for IPv6."""
    assert compare(service) >= 20
    caplog.clear()  # botocore says of some that they are called otherwise now


@pytest.mark.long
def test_all_services_are_where_boto3_has_them(caplog: pytest.LogCaptureFixture) -> None:
    """The same of each service there is: 9,000 sites."""
    assert sum(map(compare, service_names())) > 8_000
    caplog.clear()


def test_rules_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the same table in the same region; for another one they are asked again."""
    rules = load_rules("dynamodb")
    asked: list[Any] = []
    evaluate = rules._rules.evaluate

    def counted(params: dict[str, Any]) -> Any:
        asked.append(params)
        return evaluate(params)

    monkeypatch.setattr(rules._rules, "evaluate", counted)
    for table in ("a", "a", "b", "a"):
        assert rules.site(Wanted("us-east-1"), {"ResourceArn": table}).host.startswith("dynamodb.")
    assert len(asked) == 2
    assert rules.site(Wanted("eu-west-1"), {"ResourceArn": "a"}).region == "eu-west-1"
    assert len(asked) == 3
