"""The keys of a rule: what may stand there."""

import grp
import os
import pwd
from typing import Any

import pytest

from botod.daemon.callers import OVERFLOW_ID
from botod.daemon.roles import Role
from botod.daemon.rule_keys import KEYS, WHO_KEYS, read_rule
from botod.daemon.rules import Line, Place, Rule, Who

PLACE = Place("x.toml", 1, 1)
ME = pwd.getpwuid(os.geteuid()).pw_name
MINE = grp.getgrgid(os.getegid()).gr_name
ALLOW = {"allow": ["*"]}
GOOD: dict[str, Any] = {
    "uid": 7,
    "user": "*",
    "gid": 8,
    "group": MINE,
    "unit": "web@*.service",
    "cgroup": "/system.slice/*",
    "allow": ["sqs.* on orders"],
    "deny": ["sqs.purge_queue"],
    "profiles": ["default"],
    "role_arn": "arn:aws:iam::123456789012:role/path/shop",
    "role_session_name": "{user}@{unit}",
    "role_source_identity": "{uid}",
    "role_tags": {"rule": "{rule}", "profile": "{profile}"},
    "role_external_id": "agreed",
    "role_duration_s": 900,
}


def mistakes(table: dict[str, Any]) -> list[str]:
    """What is wrong with a rule."""
    return read_rule(table, PLACE, ["default"])[1]


def test_every_key_has_a_good_value() -> None:
    """Each alone, beside what has to be there."""
    assert set(GOOD) == set(KEYS)
    for key, value in GOOD.items():
        who = {} if key == "uid" else {"user": "*"}
        role = {"role_arn": GOOD["role_arn"]} if key.startswith("role_") else {}
        assert mistakes({**who, **ALLOW, **role, key: value}) == []


def test_what_a_rule_says() -> None:
    """Each value arrives where it belongs; names become numbers."""
    table = {key: value for key, value in GOOD.items() if key not in ("user", "group")}
    assert read_rule(table, PLACE, ["default"]) == (
        Rule(
            Who(7, 8, "web@*.service", "/system.slice/*"),
            (Line("sqs.*", "orders"),),
            (Line("sqs.purge_queue"),),
            frozenset({"default"}),
            Role(
                "arn:aws:iam::123456789012:role/path/shop",
                "{user}@{unit}",
                "{uid}",
                (("rule", "{rule}"), ("profile", "{profile}")),
                "agreed",
                900,
            ),
        ),
        [],
    )
    rule, _none = read_rule({"user": ME, "group": MINE} | ALLOW, PLACE, [])
    assert (rule.who, rule.place) == (Who(os.geteuid(), os.getegid()), PLACE)
    assert read_rule({"user": "*"} | ALLOW, PLACE, [])[0].who == Who()


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"user": "no-such"}, "user = 'no-such': there is no such user"),
        ({"group": "no-such"}, "group = 'no-such': there is no such group"),
        ({"user": 7}, "user = 7: has to be a text in quotes"),
        ({"group": ""}, "group = '': has to be a text in quotes"),
        ({"user": "a\0"}, "user = 'a\\x00': has to be a text in quotes"),
        ({"uid": "7"}, "uid = '7': has to be a number from 0 to 4294967294"),
        ({"uid": True}, "uid = True: has to be a number from 0 to 4294967294"),
        ({"gid": -1}, "gid = -1: has to be a number from 0 to 4294967294"),
        ({"uid": 2**32 - 1}, "uid = 4294967295: has to be a number from 0 to 4294967294"),
        (
            {"uid": OVERFLOW_ID},
            "uid = 65534: 65534 is what any stranger looks like, and is always refused",
        ),
        ({"unit": "web"}, "unit = 'web': has to be the whole name of a unit, like \"web.service\""),
        ({"unit": "/a.service"}, "unit = '/a.service': has to be the whole name of a unit"),
        ({"cgroup": "web.service"}, "cgroup = 'web.service': has to be a path"),
        ({"uid": 1, "user": "*"}, "uid and user: one of them is enough"),
        ({"gid": 1, "group": MINE}, "gid and group: one of them is enough"),
        ({"uid": 1, "uidd": 1}, f"uidd: unknown key; there are: {', '.join(KEYS)}"),
        ({}, f"for whom? one of {', '.join(WHO_KEYS)} is needed"),
        ({"uid": 1, "allow": []}, "allow or deny is needed"),
        ({"uid": 1, "allow": "s3.*"}, "allow = 's3.*': has to be a list of texts"),
        ({"uid": 1, "deny": [1]}, "deny = [1]: has to be a list of texts"),
        ({"uid": 1, "allow": ["x"]}, "allow 'x': there is no operation 'x'"),
        ({"uid": 1, "deny": ["s3.get_object on x"]}, "deny 's3.get_object on x': s3.get_object is"),
        ({"uid": 1, "profiles": []}, "profiles = []: has to be a list of profiles"),
        ({"uid": 1, "profiles": ["b"]}, "profiles: there is no [profile.b]"),
    ],
)
def test_mistakes(table: dict[str, Any], mistake: str) -> None:
    """Each is named, and is the only one."""
    (found,) = mistakes(ALLOW | table)
    assert found.startswith(mistake)


def test_all_mistakes_are_named() -> None:
    """Not only the first."""
    assert len(mistakes({"uid": "x", "unit": "y", "allow": ["z", "s3.* on *"], "who": 1})) == 4


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("role_arn", "arn:aws:iam::1:user/x", "has to be a role's name"),
        ("role_session_name", "{x}", "unknown field {x}; there are: {user}, {uid}, {unit}"),
        ("role_session_name", "{user", "expected '}' before end of string"),
        ("role_source_identity", 7, "has to be a text"),
        ("role_tags", {}, "has to be a table of at most 50"),
        ("role_tags", {"": "x"}, "a tag's name has 1 to 128 characters"),
        ("role_tags", {"a": "{user!r}"}, "unknown field {user}"),
        ("role_external_id", "", "has to be a text"),
        ("role_duration_s", 899, "has to be a whole number of seconds from 900 to 43200"),
        ("role_duration_s", True, "has to be a whole number"),
    ],
)
def test_what_a_role_cannot_be(key: str, value: Any, words: str) -> None:
    """Name, templates, tags and duration, each with what is allowed."""
    table = {"user": "*", **ALLOW, "role_arn": GOOD["role_arn"], key: value}
    (mistake,) = mistakes(table)
    assert mistake.startswith(f"{key} = ")
    assert words in mistake


def test_what_is_said_of_no_role() -> None:
    """A name without a role, and a role under which nothing is done."""
    (mistake,) = mistakes({"user": "*", **ALLOW, "role_session_name": "x"})
    assert mistake == "role_session_name: of which role? role_arn is needed"
    table = {"user": "*", "deny": ["*"], "role_arn": GOOD["role_arn"]}
    assert mistakes(table) == ["role_arn: needs allow; nothing else is done under it"]
