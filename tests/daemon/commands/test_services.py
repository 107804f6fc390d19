"""`botod services`."""

import json

import pytest

from botod.daemon.commands.services import main
from botod.daemon.services import CATALOG


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What it writes; it ends well."""
    assert main(words) == 0
    return capsys.readouterr().out


def test_all_services(capsys: pytest.CaptureFixture[str]) -> None:
    """One a line."""
    assert asked(capsys).splitlines() == sorted(CATALOG.services)
    assert json.loads(asked(capsys, "--json")) == sorted(CATALOG.services)


def test_the_operations_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows and models' alike."""
    lines = asked(capsys, "s3").splitlines()
    assert lines == CATALOG.names("s3")


def test_what_an_operation_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """And what holds for it."""
    lines = asked(capsys, "dynamodb.get_item").splitlines()
    assert lines[0] == "dynamodb.get_item: may be sent twice; touches a table"
    assert "  TableName: string, required" in lines
    assert "  ConsistentRead: boolean" in lines
    lines = asked(capsys, "sts.assume_role").splitlines()
    assert lines[:2] == [
        "sts.assume_role: is sent once; touches no name that its params tell",
        "a rule of policy has to name it",
    ]
    told = json.loads(asked(capsys, "s3.put_object", "--json"))
    assert told["has_row"]
    assert told["sends"] == "Body"
    assert told["params"]["Bucket"] == {"kind": "bucketname", "required": True}
    assert not json.loads(asked(capsys, "s3.get_bucket_acl", "--json"))["has_row"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dynamo", "there is no service 'dynamo'; did you mean dynamodb"),
        ("s3.get_objct", "did you mean get_object"),
        ("s3.select_object_content", "cannot be carried: it sends or gives a stream of events"),
    ],
)
def test_what_there_is_not(capsys: pytest.CaptureFixture[str], name: str, words: str) -> None:
    """Exit status 2, and why."""
    assert main((name,)) == 2
    assert words in capsys.readouterr().err
