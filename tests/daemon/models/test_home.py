"""Where operations of models go at AWS, and whom their signatures are for."""

from typing import Any

import pytest

from botod.daemon.endpoints import endpoint_of
from botod.daemon.models.home import ModelConnection
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.services import CATALOG
from botod.daemon.services.operation import CannotBeCarried, Operation
from botod.daemon.sites import NoEndpoint, Site
from botod.pool import HeldKeys, spawn
from support.loops import run
from support.pools import KEYS, open_pool

ACCOUNT = "123456789012"


class NotSentError(Exception):
    """In the place of an answer."""


def scope(
    monkeypatch: pytest.MonkeyPatch, method: str, params: dict[str, Any], **settings: Any
) -> tuple[str, str]:
    """The host that a job's request would go to, and what its signature is for."""

    def send(connection: ModelConnection, request: Any, *_more: Any) -> Any:
        request.authorize(connection=connection)
        asked.append(request)
        raise NotSentError

    async def main() -> None:
        operation = _operation(method)
        assert operation.home is not None
        endpoint = endpoint_of(service, ProfileSettings(**settings), operation.home)
        async with open_pool() as pool:
            connection = operation.home.connect(pool, HeldKeys(*KEYS), endpoint)
            with pytest.raises(NotSentError):
                await spawn(operation.run, connection, operation.params.read(params, ""))

    asked: list[Any] = []
    service = method.partition(".")[0]
    monkeypatch.setattr(ModelConnection, "_mexe", send)
    run(main)
    (request,) = asked
    assert request.host == request.headers["Host"]
    credential = request.headers["Authorization"].partition("Credential=")[2].partition(",")[0]
    return request.host, "/".join(credential.split("/")[2:4])


def _operation(method: str) -> Operation:
    service, _dot, name = method.partition(".")
    return CATALOG.operation(service, name)


TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t"

STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"


@pytest.mark.parametrize(
    ("method", "params", "host", "signed_for"),
    [
        # One region for all.
        ("iam.list_users", {}, "iam.amazonaws.com", "us-east-1/iam"),
        # A name of its own for signatures.
        ("ses.list_identities", {}, "email.us-east-1.amazonaws.com", "us-east-1/ses"),
        # By the kind of the operation.
        ("neptune-graph.list_graphs", {}, "neptune-graph.us-east-1.amazonaws.com",
         "us-east-1/neptune-graph"),
        ("neptune-graph.list_queries", {"graphIdentifier": "g-0123456789", "maxResults": 1},
         "g-0123456789.us-east-1.neptune-graph.amazonaws.com", "us-east-1/neptune-graph"),
        # By the account in a parameter.
        ("s3control.get_public_access_block", {"AccountId": ACCOUNT},
         f"{ACCOUNT}.s3-control.us-east-1.amazonaws.com", "us-east-1/s3"),
        ("s3control.list_regional_buckets", {"AccountId": ACCOUNT, "OutpostId": "op-0123456789"},
         "s3-outposts.us-east-1.amazonaws.com", "us-east-1/s3-outposts"),
        ("dynamodb.describe_table", {"TableName": "t"}, "dynamodb.us-east-1.amazonaws.com",
         "us-east-1/dynamodb"),
        ("dynamodb.describe_table", {"TableName": TABLE}, f"{ACCOUNT}.ddb.us-east-1.amazonaws.com",
         "us-east-1/dynamodb"),
        ("dynamodb.batch_get_item", {"RequestItems": {TABLE: {"Keys": [{"k": {"S": "v"}}]}}},
         f"{ACCOUNT}.ddb.us-east-1.amazonaws.com", "us-east-1/dynamodb"),
        ("kinesis.list_shards", {"StreamARN": STREAM},
         f"{ACCOUNT}.control-kinesis.us-east-1.amazonaws.com", "us-east-1/kinesis"),
    ],
)  # fmt: skip
def test_hosts_and_scopes(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    params: dict[str, Any],
    host: str,
    signed_for: str,
) -> None:
    """They are what the service's rules say of an operation, and of its parameters."""
    assert scope(monkeypatch, method, params) == (host, signed_for)


def test_one_s_own_host_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the parameters say: it is no AWS."""
    settings: dict[str, Any] = {"endpoint": "https://own.test", "region": "eu-west-1"}
    for method, params in (
        ("dynamodb.describe_table", {"TableName": TABLE}),
        ("events.put_events", {"EndpointId": "a.b", "Entries": [{"Source": "s"}]}),
    ):
        found = scope(monkeypatch, method, params, **settings)
        assert found == ("own.test", f"eu-west-1/{method.partition('.')[0]}")


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("events.put_events", {"EndpointId": "abc.123", "Entries": [{"Source": "s"}]}, "'sigv4a'"),
        ("sesv2.send_email", {"EndpointId": "abc.123", "Content": {}}, "'sigv4a'"),
        ("s3control.get_bucket", {
            "AccountId": ACCOUNT,
            "Bucket": f"arn:aws:s3-outposts:us-east-1:{ACCOUNT}:outpost/op-0123/bucket/b",
         }, "taken apart"),
    ],
)  # fmt: skip
def test_what_is_signed_or_asked_for_in_another_way(
    monkeypatch: pytest.MonkeyPatch, method: str, params: dict[str, Any], words: str
) -> None:
    """Is refused before anything is sent, and the error says why."""
    with pytest.raises(CannotBeCarried, match=words):
        scope(monkeypatch, method, params)


@pytest.mark.parametrize("account", ["evil.test/", "evil.test#", "a@evil.test", "evil.test:1", ""])
def test_an_account_that_is_none(monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """Changes no host: the rules want a label of a name."""
    table = f"arn:aws:dynamodb:us-east-1:{account}:table/t"
    host, _scope = scope(monkeypatch, "dynamodb.describe_table", {"TableName": table})
    assert host == "dynamodb.us-east-1.amazonaws.com"


def test_a_line_that_ends_in_a_host_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused; botocore's rules take a label that ends in one."""
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}\n:table/t"
    with pytest.raises(NoEndpoint, match="no host's name"):
        scope(monkeypatch, "dynamodb.describe_table", {"TableName": table})


def test_kinds_have_homes_of_their_own() -> None:
    """So that each has connections to its hosts; operations of one kind share one."""
    data, control = "neptune-graph.list_queries", "neptune-graph.list_graphs"
    homes = [_operation(method).home for method in (data, control, control)]
    assert homes[1] is homes[2]
    assert homes[0] is not homes[1]
    kinds = [home.kind for home in homes if home is not None]
    assert kinds == [(("ApiType", "DataPlane"),), *[(("ApiType", "ControlPlane"),)] * 2]


def test_a_connection_goes_to_its_own_site_itself() -> None:
    """Most requests of such operations go there; one to elsewhere has all but that."""

    async def main() -> None:
        home = _operation("dynamodb.get_item").home
        assert home is not None
        endpoint = endpoint_of("dynamodb", ProfileSettings(), home)
        async with open_pool() as pool:
            connection = home.connect(pool, HeldKeys(*KEYS), endpoint)
            assert connection.at(Site(endpoint.host, endpoint.region)) is connection
            other = connection.at(Site("elsewhere.test", "eu-west-1", "name"))
            assert (other.host, other.provider) == ("elsewhere.test", connection.provider)
            assert connection.host == endpoint.host

    run(main)
