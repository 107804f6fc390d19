"""The catalog of all operations."""

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from botod.daemon.services import CATALOG, SERVICES, catalog
from botod.daemon.services.catalog import MODELS_KEPT, Catalog, NoSuchOperation
from botod.daemon.services.operation import CannotBeCarried, Operation
from botod.daemon.services.resources import OBJECT, UNTOLD
from support.loops import run


def test_rows_go_before_models() -> None:
    """The model has the same operation; what has no row comes from it."""
    row = SERVICES["s3"].operations["get_object"]
    assert CATALOG.operation("s3", "get_object") is row
    assert CATALOG.at_hand("s3.get_object") is row
    assert CATALOG.operation("s3", "get_bucket_acl").home is not None
    assert row.home is None


def test_names() -> None:
    """Of a service's rows and of its model, each once."""
    names = CATALOG.names("s3")
    assert len(names) == len(set(names)) > 100
    assert {"get_object", "get_bucket_acl", "select_object_content"} <= set(names)
    assert CATALOG.names("sdb") == sorted({
        *SERVICES["sdb"].operations,
        "batch_delete_attributes",
        "domain_metadata",
    })
    assert {"s3", "ec2", "dynamodb", "sdb"} <= CATALOG.services


@pytest.mark.parametrize(
    ("service", "name", "words"),
    [
        ("s3", "get_objct", "unknown method 's3.get_objct'; did you mean get_object, "),
        ("dynamodb", "getitem", "unknown method 'dynamodb.getitem'; did you mean get_item"),
        ("dynamodb", "x" * 9, "; `botod services dynamodb` lists what dynamodb has"),
        ("dynamo", "get_item", "there is no service 'dynamo'; did you mean dynamodb"),
        ("botod", "get_item", "there is no service 'botod'"),
        ("../dynamodb", "get_item", "there is no service '../dynamodb'"),
    ],
)
def test_what_there_is_not(service: str, name: str, words: str) -> None:
    """The message has names like it."""
    with pytest.raises(NoSuchOperation) as caught:
        CATALOG.operation(service, name)
    assert words in str(caught.value)
    assert CATALOG.at_hand(f"{service}.{name}") is None


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("s3.select_object_content", "a stream of events"),
        ("kinesis.subscribe_to_shard", "a stream of events"),
        ("sts.assume_role_with_saml", "not signed with AWS keys"),
        ("cognito-idp.initiate_auth", "not signed with AWS keys"),
        ("codecatalyst.list_spaces", "bearer"),
        ("importexport.list_jobs", "nothing here signs in the way 'v2'"),
        ("machinelearning.predict", "a parameter names the host"),
        ("s3.write_get_object_response", "a parameter names the host"),
        ("s3.list_directory_buckets", "hosts of another kind"),
    ],
)
def test_what_cannot_be_carried(method: str, words: str) -> None:
    """Is refused with the reason, and has nothing that a rule could be about."""
    with pytest.raises(CannotBeCarried, match=words):
        CATALOG.operation(*method.split("."))
    assert CATALOG.resources(method) is None


def test_resources() -> None:
    """By method; None for what there is not."""
    assert CATALOG.resources("s3.get_object") is OBJECT
    assert CATALOG.resources("ec2.describe_vpcs") is UNTOLD
    assert CATALOG.resources("ec2.nothing") is None


class Slow(Catalog):
    """A catalog whose reading waits until it is let go; `readings` counts."""

    def __init__(self) -> None:
        super().__init__(SERVICES)
        self.readings = 0
        self.go = threading.Event()

    def operation(self, service: str, name: str) -> Operation:
        self.readings += 1
        assert self.go.wait(30)
        return super().operation(service, name)


def test_all_who_ask_wait_for_one_reading() -> None:
    """And who leaves meanwhile does not take it from the others."""

    async def main() -> None:
        slow = Slow()
        asking = [asyncio.create_task(slow.load("iam", "get_user")) for _ in range(3)]
        await asyncio.sleep(0)
        asking[0].cancel()
        await asyncio.wait([asking[0]])
        assert asking[0].cancelled()
        slow.go.set()
        first, second = await asyncio.gather(*asking[1:])
        assert first is second is slow.at_hand("iam.get_user")
        assert slow.readings == 1
        assert await slow.load("iam", "get_user") is first

    run(main)


def test_an_error_of_a_reading_is_everybody_s() -> None:
    """And the next one who asks causes another reading."""

    async def main() -> None:
        one = Catalog(SERVICES)
        for _ in range(2):
            outcomes = await asyncio.gather(
                one.load("iam", "nothing"), one.load("iam", "nothing"), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes] == [NoSuchOperation] * 2

    run(main)


def test_few_models_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those used last; whether an operation has to be named is never forgotten."""
    monkeypatch.setattr(catalog, "MODELS_KEPT", 2)
    one = Catalog(SERVICES)
    assert one.operation("sts", "assume_role").is_explicit
    for service, name in (
        ("sns", "publish"),
        ("sts", "get_caller_identity"),
        ("ssm", "get_parameter"),
    ):
        one.operation(service, name)
    assert one.at_hand("sts.assume_role") is not None
    assert one.at_hand("sns.publish") is None
    one.operation("sns", "publish")
    one.operation("sqs", "tag_queue")
    assert one.at_hand("sts.assume_role") is None
    assert one.is_explicit("sts.assume_role")
    assert one.is_told("sts.assume_role")
    assert not one.is_told("sts.nothing")
    assert MODELS_KEPT > 2


def test_rows_wait_for_no_model() -> None:
    """Who keeps to them never imports what reads models."""
    code = (
        "import sys; from botod.daemon.services import CATALOG; "
        "CATALOG.operation('s3', 'get_object'); CATALOG.is_explicit('s3.get_object'); "
        "print(*[name for name in sys.modules if name.startswith('botod.daemon.models')])"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""
