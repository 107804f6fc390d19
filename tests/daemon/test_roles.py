"""Roles that rules name, and what AWS is asked for them."""

import os
import pwd
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.credentials import Keys, NoKeys
from botod.daemon.roles import (
    ARN,
    MAX_NAME_LENGTH,
    MAX_TAG_LENGTH,
    Actor,
    Role,
    fields_of,
    request_of,
    role_keys,
    user_name,
)

ARN_TEXT = "arn:aws:iam::123456789012:role/shop"
ME = pwd.getpwuid(os.geteuid()).pw_name
NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
"""What AWS takes as a session's name."""


def actor(role: Role, unit: str = "shop@1.service") -> Actor:
    """Who runs the tests, in a unit."""
    return Actor(role, os.geteuid(), unit, "shop.2", "default")


def test_what_aws_is_told_of_a_caller() -> None:
    """Session name, source identity and tags, filled in from what the kernel and the rules say."""
    role = Role(
        ARN_TEXT,
        session_name="{user}@{unit}",
        source_identity="u{uid}",
        tags=(("rule", "{rule} of {profile}"), ("Unit", "{unit}")),
        external_id="agreed",
        duration_s=900,
    )
    assert request_of(actor(role)) == {
        "RoleArn": ARN_TEXT,
        "RoleSessionName": f"{ME}@shop@1.service",
        "SourceIdentity": f"u{os.geteuid()}",
        "Tags": [
            {"Key": "rule", "Value": "shop.2 of default"},
            {"Key": "Unit", "Value": "shop@1.service"},
        ],
        "ExternalId": "agreed",
        "DurationSeconds": 900,
    }


def test_by_default_it_is_told_the_user() -> None:
    """By name; a user without one by number."""
    assert request_of(actor(Role(ARN_TEXT))) == {
        "RoleArn": ARN_TEXT,
        "RoleSessionName": f"botod-{ME}",
        "DurationSeconds": 3600,
    }
    assert user_name(4_000_000_000) == "4000000000"


@given(st.text(), st.text(max_size=300))
def test_what_aws_does_not_allow_becomes_a_dash(unit: str, more: str) -> None:
    """Whatever a unit is called."""
    text = more.replace("{", "(").replace("}", ")")
    role = Role(
        ARN_TEXT,
        session_name="{unit}" + text,
        source_identity="{unit}",
        tags=(("t", "{unit}" + text),),
    )
    asked = request_of(actor(role, unit))
    assert NAME.fullmatch(asked["RoleSessionName"])
    assert NAME.fullmatch(asked["SourceIdentity"])
    assert len(asked["RoleSessionName"]) <= MAX_NAME_LENGTH
    assert len(asked["Tags"][0]["Value"]) <= MAX_TAG_LENGTH


@pytest.mark.parametrize(
    ("template", "fields"),
    [("", []), ("plain", []), ("{user}-{uid}", ["user", "uid"]), ("{{user}}", [])],
)
def test_the_fields_of_a_template(template: str, fields: list[str]) -> None:
    """Doubled braces are braces."""
    assert fields_of(template) == fields


@pytest.mark.parametrize("template", ["{secret}", "{user!r}", "{user:>9}", "{}", "{user.x}", "{"])
def test_a_template_that_cannot_be_filled_in(template: str) -> None:
    """Nothing of an object behind a field can be reached."""
    with pytest.raises(ValueError, match=r"unknown field|'\{'"):
        fields_of(template)


def test_whether_the_unit_matters() -> None:
    """Then each unit of a user has a session of its own."""
    assert not Role(ARN_TEXT).needs_unit
    assert Role(ARN_TEXT, source_identity="{unit}").needs_unit
    assert Role(ARN_TEXT, tags=(("a", "{unit}"),)).needs_unit


@pytest.mark.parametrize(
    ("arn", "is_one"),
    [
        (ARN_TEXT, True),
        ("arn:aws-us-gov:iam::123456789012:role/a/b+c", True),
        ("arn:aws:iam::123456789012:user/shop", False),
        ("arn:aws:iam::1234:role/shop", False),
        ("shop", False),
    ],
)
def test_the_name_of_a_role(arn: str, is_one: bool) -> None:
    """Of any of AWS's partitions."""
    assert bool(ARN.fullmatch(arn)) is is_one


def test_a_role_needs_the_keys_of_its_profile() -> None:
    """Without them nobody is asked."""
    with pytest.raises(NoKeys, match="its profile, default, has none"):
        role_keys(actor(Role(ARN_TEXT)), None, lambda _keys: pytest.fail("asked"))


def test_a_role_that_cannot_be_taken() -> None:
    """The reason is told, without the role's name: that is in the rules."""

    class Refusing:
        def assume_role(self, **_asked: object) -> None:
            raise ConnectionError("hidden")

    with pytest.raises(NoKeys) as caught:
        role_keys(actor(Role(ARN_TEXT)), Keys("a", "s"), lambda _keys: Refusing())
    words = "its role cannot be taken: what gives them failed: ConnectionError"
    assert str(caught.value) == words
