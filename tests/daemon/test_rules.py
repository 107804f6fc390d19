"""Rules: their lines as they are written, and their patterns."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.rules import METHODS, Line, Place, matcher, read_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("s3.get_object on logs/2026/*", Line("s3.get_object", "logs/2026/*")),
        ("s3.get_object on logs/a on b", Line("s3.get_object", "logs/a on b")),
        (" sqs.*   on  orders ", Line("sqs.*", "orders")),
        ("s3.list_buckets", Line("s3.list_buckets", "*")),
        ("s3.*_object on *", Line("s3.*_object", "*")),
        ("*", Line("*", "*")),
        ("botod.status", Line("botod.status", "*")),
        ("s3.* on logs", Line("s3.*", "logs")),
        ("s3.get_bucket_policy on logs", Line("s3.get_bucket_policy", "logs")),
        ("s3.*_bucket_policy", Line("s3.*_bucket_policy")),
        ("dynamodb.get_item on orders", Line("dynamodb.get_item", "orders")),
        ("dynamodb.*_item on orders-*", Line("dynamodb.*_item", "orders-*")),
        ("dynamodb.*", Line("dynamodb.*")),
        ("dynamodb.* on orders", Line("dynamodb.*", "orders")),
        ("dynamo*", Line("dynamo*")),
        ("logs.put_log_events on /aws/lambda/*", Line("logs.put_log_events", "/aws/lambda/*")),
        ("*.get_object*", Line("*.get_object*")),
    ],
)
def test_lines(text: str, line: Line) -> None:
    """Operation, `on`, and the rest is the resource."""
    assert read_line(text) == line
    assert read_line(str(line)) == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no operation ''"),
        ("s3.get_objekt on logs/*", "there is no operation 's3.get_objekt'"),
        ("get_object", "there is no operation 'get_object'"),
        ("s3.get_object logs/*", "there is no operation 's3.get_object logs/*'"),
        ("dynamodb.getitem", "'dynamodb.getitem'; did you mean get_item"),
        ("dynamodb.zzz*", "there is no operation 'dynamodb.zzz*'"),
        ("dynamo.get_item", "there is no operation 'dynamo.get_item'; did you mean dynamodb"),
        ("dynamodb.get_item on a/b", "is never on 'a/b', but on a table"),
        ("dynamodb.list_tables on a", "is never on 'a', but on no name that its params tell"),
        ("kms.decrypt on alias/a", "is never on 'alias/a', but on a key's id"),
        ("kinesis.subscribe_to_shard on a", "is never on 'a', but on no name"),
        ("*.put_itm", "among the most used; name the service that has it"),
        ("zzz*", "among the most used; name the service that has it"),
        ("s3.get_object on", "there is no operation 's3.get_object on'"),
        (
            "s3.upload_*",
            "s3.upload_* is also of s3.upload_file, allowed as s3.put_object",
        ),
        ("s3.get_object on logs", "s3.get_object is never on 'logs', but on a bucket/key"),
        ("s3.list_objects_v2 on logs/*", "is never on 'logs/*', but on a bucket"),
        ("s3.list_buckets on logs", "is never on 'logs', but on no name that its params tell"),
        ("sqs.* on https://h/1/orders", "is never on 'https://h/1/orders', but on a queue's name"),
        ("botod.status on me", "botod.status is never on 'me'"),
        ("*.delete_* on orders", "'*.delete_*' is of several services ("),
    ],
)
def test_lines_that_can_match_nothing(text: str, words: str) -> None:
    """Each says why."""
    with pytest.raises(ValueError, match=re.escape(words)):
        read_line(text)


def naive(glob: str, text: str) -> bool:
    """Whether a pattern stands for a text, straight from what a `*` means."""
    if not glob:
        return not text
    if glob[0] == "*":
        return any(naive(glob[1:], text[cut:]) for cut in range(len(text) + 1))
    return text[:1] == glob[0] and naive(glob[1:], text[1:])


@given(st.text("ab/*\n", max_size=7), st.text("ab/\n.", max_size=9))
def test_patterns_mean_what_they_say(glob: str, text: str) -> None:
    """A `*` stands for any text, everything else for itself."""
    assert (matcher(glob).match(text) is not None) == naive(glob, text)


def test_no_text_makes_a_pattern_slow() -> None:
    """A peer chooses the key: its length counts, not the ways in which it can be cut."""
    began = time.process_time()
    assert matcher("b/*a*a*a*a*a*a*a*a*a*c").match("b/" + "a" * 1024) is None
    assert time.process_time() - began < 0.1


def test_operations_that_lines_cover() -> None:
    """A service's, those of one kind in all, the daemon's."""
    assert [method for method in METHODS if Line("sdb.*_attributes").covers(method)] == [
        "sdb.put_attributes",
        "sdb.batch_put_attributes",
        "sdb.get_attributes",
        "sdb.delete_attributes",
        "sdb.batch_delete_attributes",
    ]
    assert all(Line("*").covers(method) for method in METHODS)
    assert not Line("s3.get_object").covers("s3.get_objects")


def test_places() -> None:
    """With the line, if it is known."""
    assert str(Place("/etc/x.toml", 2, 7)) == "/etc/x.toml: line 7: [[policy]] 2"
    assert str(Place("/etc/x.toml", 2, 0)) == "/etc/x.toml: [[policy]] 2"
