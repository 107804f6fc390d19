"""Who may have what done."""

import logging
import os
import socket
from dataclasses import replace
from typing import Any

import pytest

from botod.daemon.callers import Caller
from botod.daemon.config import Config
from botod.daemon.handed import Listener
from botod.daemon.intake import Intake
from botod.daemon.policy import OVERFLOW_UID, REMEMBERED, Policy
from botod.daemon.roles import Role
from botod.daemon.rules import NAMED_ONLY, OWN_METHODS, Rule, Who, read_line
from botod.daemon.service import Service
from botod.daemon.services import CATALOG
from botod.daemon.services.catalog import NoSuchOperation
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Sender
from support.exchanges import Peer
from support.loops import run

INTAKE = Intake(timeout_s=60.0, timeout_max_s=900.0)
LOG = {"Bucket": "logs", "Key": "2026/x"}
SECRET = {"Bucket": "logs", "Key": "secret"}


def sender(uid: int, **more: Any) -> Sender:
    """Somebody, over connection 1."""
    return Sender(os.getpid(), uid, uid, 1, **more)


def rule(who: Who, *allow: str, deny: tuple[str, ...] = ()) -> Rule:
    """A rule from its lines."""
    return Rule(who, tuple(map(read_line, allow)), tuple(map(read_line, deny)))


def ask(policy: Policy, who: Sender, method: str, params: dict[str, Any] | None = None) -> None:
    """Ask as the worker does: first without the params, then with them."""

    async def main() -> None:
        policy.admit(who, method)
        if not method.startswith("botod."):
            operation = CATALOG.operation(*method.split("."))
            job = INTAKE.job(Peer(method, params, sender=who).exchange, operation, now=0.0)
            policy.check(who, job)

    run(main)


def refused(
    policy: Policy, who: Sender, method: str = "s3.get_object", params: dict[str, Any] = LOG
) -> RpcError:
    """The error for one who may not."""
    with pytest.raises(RpcError) as caught:
        ask(policy, who, method, params)
    assert caught.value.code == Code.ACCESS_DENIED
    return caught.value


def test_without_rules_the_daemon_s_own_user_may() -> None:
    """Whoever runs it."""
    ask(Policy(1000), sender(1000), "s3.get_object", LOG)
    ask(Policy(), sender(os.geteuid()), "s3.list_buckets", {})
    ask(Policy(1000), sender(1000), "botod.status")


@pytest.mark.parametrize("uid", [0, 1001, OVERFLOW_UID])
@pytest.mark.parametrize("method", ["s3.get_object", "s3.none", "botod.ping", "botod.none", ""])
def test_nobody_else_may_not_even_root(uid: int, method: str) -> None:
    """The refusal names the user and the method, before the params are looked at."""
    words = refused(Policy(1000), sender(uid), method).message
    assert words.partition(":")[0] == f"user {uid} may not call {method}"
    assert ("user namespace does not know" in words) == (uid == OVERFLOW_UID)


def test_a_stranger_is_not_the_user_he_looks_like() -> None:
    """From inside a user namespace every stranger has the overflow uid, even if it is ours."""
    rules = [rule(Who(), "*")]
    refused(Policy(OVERFLOW_UID), sender(OVERFLOW_UID))
    refused(Policy(1000, rules=rules, audit=True), sender(OVERFLOW_UID))
    caller = Caller(OVERFLOW_UID)
    decision = Policy(1000, rules=rules).decide(caller, "s3.get_object", ("a/b",), "default")
    assert not decision.is_allowed


def test_a_rule_lets_others_in() -> None:
    """To what it says, and to a greeting; the daemon's own user goes on as before."""
    policy = Policy(1000, rules=[rule(Who(uid=33), "s3.get_object on logs/2026/*")])
    ask(policy, sender(33), "s3.get_object", LOG)
    ask(policy, sender(33), "botod.ping")
    ask(policy, sender(33), "botod.hello")
    ask(policy, sender(1000), "s3.get_object", SECRET)
    error = refused(policy, sender(33), params=SECRET)
    assert error.message == "user 33 may not call s3.get_object on 'logs/secret'"
    assert refused(policy, sender(33), "s3.put_object").message.endswith("call s3.put_object")
    refused(policy, sender(33), "botod.status")
    refused(policy, sender(34))
    refused(policy, sender(34), "botod.ping")


def test_who_is_served_learns_of_a_typo() -> None:
    """Rather than that it may not; of a service that is none of its own it learns nothing."""
    policy = Policy(1000, rules=[rule(Who(uid=33), "s3.get_object on logs/*")])
    with pytest.raises(NoSuchOperation):
        ask(policy, sender(33), "s3.get_objekt", LOG)
    refused(policy, sender(33), "dynamodb.get_itm")


def test_rules_come_before_the_default() -> None:
    """They may take from the daemon's own user, too, and from everybody a greeting."""
    policy = Policy(
        1000,
        rules=[
            rule(Who(), deny=("s3.* on logs/secret", "botod.ping")),
            rule(Who(uid=33), "s3.* on logs/*"),
        ],
    )
    refused(policy, sender(1000), params=SECRET)
    refused(policy, sender(33), params=SECRET)
    refused(policy, sender(33), "botod.ping")
    ask(policy, sender(33), "s3.get_object", LOG)
    ask(policy, sender(1000), "s3.get_object", LOG)


def test_groups_certain_and_in_doubt() -> None:
    """One's own group and those the kernel vouches for allow; in doubt they deny."""
    policy = Policy(1000, rules=[rule(Who(gid=50), "s3.* on *"), rule(Who(gid=33), "sqs.* on *")])
    ask(policy, sender(33, groups=frozenset({50})), "s3.get_object", LOG)
    ask(policy, sender(33), "sqs.list_queues", {})
    ask(policy, Sender(1, 7, 50, 2), "s3.get_object", LOG)
    refused(policy, Sender(1, 7, 7, 3, doubtful_groups=frozenset({50})))
    banned = Policy(7, rules=[rule(Who(gid=50), deny=("*",))])
    refused(banned, Sender(1, 7, 7, 3, doubtful_groups=frozenset({50})))
    ask(banned, Sender(1, 7, 7, 4), "s3.get_object", LOG)


def test_a_sender_without_a_cgroup(caplog: pytest.LogCaptureFixture) -> None:
    """Of a unit no rule allows it anything, and each denies it; the log says why."""
    allows = Policy(1000, rules=[rule(Who(unit="a.service"), "s3.* on *")])
    denies = Policy(33, rules=[rule(Who(unit="a.service"), deny=("s3.* on *",))])
    elsewhere = Sender(0, 33, 33, 1)
    refused(allows, elsewhere)
    refused(denies, elsewhere)
    refused(allows, Sender(2**30, 33, 33, 3))  # no number of a process
    none, deny, ended = (record.getMessage() for record in caplog.records)
    assert "; no rule is about it; its unit cannot be told: it is in a pid namespace" in none
    assert 'deny "s3.*"; its unit cannot be told: it is in a pid namespace' in deny
    assert "its unit cannot be told: it has ended" in ended
    ask(denies, Sender(os.getpid(), 33, 33, 2), "sqs.list_queues", {})


def test_audit_refuses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What would be refused is logged, once, with the line that would do it."""
    policy = Policy(1000, rules=[rule(Who(uid=33), deny=("s3.* on logs/*",))], audit=True)
    ask(policy, sender(33), "s3.get_object", LOG)
    ask(policy, sender(0), "botod.status")
    ask(policy, sender(1000), "s3.get_object", LOG)
    first, second = (record.getMessage() for record in caplog.records)
    caplog.clear()
    pid = os.getpid()
    assert first == (
        f"audit: pid {pid}: user 33 may not call s3.get_object on 'logs/2026/x'; "
        'a rule: deny "s3.* on logs/*"'
    )
    assert second == f"audit: pid {pid}: user 0 may not call botod.status; no rule is about it"


def test_the_log_has_the_rule(caplog: pytest.LogCaptureFixture) -> None:
    """And the peer does not; a key cannot begin a line of its own."""
    policy = Policy(1000, rules=[rule(Who(uid=33), "s3.* on b/*", deny=("s3.* on logs/*",))])
    error = refused(policy, sender(33), params={"Bucket": "logs", "Key": "a\nb"})
    assert "policy" not in error.message
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "'logs/a\\nb'; a rule: deny \"s3.* on logs/*\"" in record.getMessage()


def test_what_is_remembered_is_bounded() -> None:
    """Senders come and go; a new one is sorted out anew."""
    policy = Policy(1000, rules=[rule(Who(uid=33), "botod.status")])
    for number in range(REMEMBERED + 10):
        policy.admit(Sender(1, 33, number, number), "botod.status")
    assert len(policy._by_sender) == REMEMBERED
    assert len(policy._by_caller) == REMEMBERED


@pytest.mark.parametrize("method", sorted(NAMED_ONLY))
def test_what_is_an_administrator_s_has_to_be_named(method: str) -> None:
    """Who may everything else may not, in an audit neither; the daemon's own user may."""
    for is_audit in (False, True):
        everything = Policy(1000, rules=[rule(Who(uid=33), "*", "botod.r*")], audit=is_audit)
        ask(everything, sender(33), "botod.status")
        refused(everything, sender(33), method)
        ask(everything, sender(1000), method)
    for line in (method, "botod.*"):
        ask(Policy(1000, rules=[rule(Who(uid=33), line)]), sender(33), method)
    denied = rule(Who(uid=33), "botod.*", deny=(method,))
    refused(Policy(1000, rules=[denied]), sender(33), method)


def test_each_of_the_daemon_s_methods_is_known_to_rules() -> None:
    """So that a rule can name it."""

    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            listener = Listener(sock, "/nowhere/botod.sock", is_own=False)
            service = Service(Config(), listener, read_config=Config)
        assert set(service._worker._control) == set(OWN_METHODS)
        service._pool.close()

    run(main)


def test_moving_in_parts_is_the_operation_that_it_stands_for() -> None:
    """Who may put may upload, who may not may not, whatever a `*` allows."""
    rules = [rule(Who(uid=33), "s3.*", deny=("s3.put_object on logs/secret",))]
    policy = Policy(1000, rules=rules)
    body = {"Body": b"x"}
    ask(policy, sender(33), "s3.upload_file", LOG | body)
    error = refused(policy, sender(33), "s3.upload_file", SECRET | body)
    assert "s3.put_object on 'logs/secret'" in error.message
    reads = Policy(1000, rules=[rule(Who(uid=33), "s3.get_object on logs/*")])
    ask(reads, sender(33), "s3.download_file", LOG)
    refused(reads, sender(33), "s3.upload_file", LOG | body)
    with pytest.raises(ValueError, match="name that"):
        read_line("s3.upload_file")


PRESIGN = "s3.generate_presigned_url on logs/*"


@pytest.mark.parametrize(
    ("allow", "method", "may"),
    [
        ((PRESIGN, "s3.get_object on logs/*"), "get_object", True),
        ((PRESIGN, "s3.*"), "delete_object", True),
        ((PRESIGN, "s3.get_object on logs/*"), "put_object", False),
        ((PRESIGN,), "get_object", False),
        (("s3.*",), "get_object", False),
        ((PRESIGN, "s3.get_object on other/*"), "get_object", False),
    ],
)
def test_who_presigns_has_to_be_allowed_both(
    allow: tuple[str, ...], method: str, may: bool
) -> None:
    """Presigning by its name, and what the URL is for, each on the object."""
    policy = Policy(1000, rules=[rule(Who(uid=33), *allow)])
    params = {"ClientMethod": method, "Params": LOG}
    if may:
        ask(policy, sender(33), "s3.generate_presigned_url", params)
    else:
        refused(policy, sender(33), "s3.generate_presigned_url", params)


def test_the_daemon_s_own_user_may_presign() -> None:
    """It has the keys anyway."""
    params = {"ClientMethod": "get_object", "Params": LOG}
    ask(Policy(1000), sender(1000), "s3.generate_presigned_url", params)


def test_what_is_presigned_is_signed_under_one_role() -> None:
    """Not by the profile, where the rule for presigning has a role and the other has none."""
    role = Role("arn:aws:iam::123456789012:role/r")
    who, params = Who(uid=33), {"ClientMethod": "get_object", "Params": LOG}
    presigning = Rule(who, (read_line(PRESIGN),), role=role)
    getting = Rule(who, (read_line("s3.get_object on logs/*"),))
    refused(
        Policy(1000, rules=[presigning, getting]),
        sender(33),
        "s3.generate_presigned_url",
        params,
    )
    both = Policy(1000, rules=[presigning, replace(getting, role=role)])
    ask(both, sender(33), "s3.generate_presigned_url", params)


def test_a_method_cannot_write_the_log() -> None:
    """Whoever may connect chooses it: line ends and much else are quoted, and it is cut."""
    policy = Policy(1000, rules=[rule(Who(uid=33), "s3.*")])
    with pytest.raises(RpcError) as caught:
        policy.admit(
            sender(44), "s3.x\n2026-01-01 INFO job s3.delete_bucket ok \x1b[2J" + "x" * 9999
        )
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("alias", ["secret-abcdefghijklmnop-s3alias", "lens--ol-s3"])
def test_another_name_of_a_bucket_is_none(alias: str) -> None:
    """An access point's stands for a bucket that it does not tell: what denies any denies it."""
    some = rule(Who(uid=33), "s3.*", deny=("s3.* on secret/*", "s3.* on secret"))
    other = rule(Who(uid=33), f"s3.get_object on {alias}/*")
    for policy in (Policy(1000, rules=[some]), Policy(1000, rules=[other])):
        refused(policy, sender(33), params={"Bucket": alias, "Key": "k"})
