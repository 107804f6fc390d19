"""Roles that rules of policy name: whom a caller's jobs are signed as.

AWS's audit trail tells callers apart by session name, source identity and tags, which are made from
templates: `{user}`, `{uid}`, `{unit}`, `{rule}` and `{profile}` stand for what the kernel and the
rules say of the caller. What AWS does not allow there becomes a `-`.
"""

import pwd
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from botod.daemon.credentials import Keys, NoKeys, words_of

FIELDS = ("user", "uid", "unit", "rule", "profile")

MAX_NAME_LENGTH = 64
"""AWS's bound on a session's name, and on a source identity."""

MAX_TAG_NAME_LENGTH = 128
MAX_TAG_LENGTH = 256
MAX_TAGS = 50
"""AWS's bounds on the tags of a session."""

ARN = re.compile(r"arn:aws[a-z0-9-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)

_NOT_IN_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
_NOT_IN_TAG = re.compile(r"[^\w .:/=+@-]")


@dataclass(frozen=True)
class Role:
    """A role as a rule names it. session_name, source_identity and tags are templates."""

    arn: str
    session_name: str = "botod-{user}"
    source_identity: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    external_id: str = ""
    duration_s: int = 3600

    @property
    def needs_unit(self) -> bool:
        """Whether it matters in which unit a caller runs."""
        templates = (self.session_name, self.source_identity, *(text for _name, text in self.tags))
        return any("unit" in fields_of(text) for text in templates)


@dataclass(frozen=True)
class Actor:
    """A role, and for whom it is taken. unit: empty where it does not matter, or is not known."""

    role: Role
    uid: int
    unit: str
    rule: str
    profile: str


def fields_of(template: str) -> list[str]:
    """The fields in a template. Raises ValueError for what is none."""
    parsed = list(Formatter().parse(template))
    for _text, name, spec, conversion in parsed:
        if name is not None and (name not in FIELDS or spec or conversion):
            known = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise ValueError(f"unknown field {{{name}}}; there are: {known}")
    return [name for _text, name, _spec, _conversion in parsed if name is not None]


def request_of(actor: Actor) -> dict[str, Any]:
    """What STS is asked for. Blocks: the user's name is looked up."""
    role = actor.role
    values = {
        "user": user_name(actor.uid),
        "uid": str(actor.uid),
        "unit": actor.unit or "none",
        "rule": actor.rule,
        "profile": actor.profile,
    }
    asked: dict[str, Any] = {
        "RoleArn": role.arn,
        "RoleSessionName": _name(role.session_name, values),
        "DurationSeconds": role.duration_s,
    }
    if role.source_identity:
        asked["SourceIdentity"] = _name(role.source_identity, values)
    if role.external_id:
        asked["ExternalId"] = role.external_id
    if role.tags:
        asked["Tags"] = [
            {"Key": name, "Value": _NOT_IN_TAG.sub("-", text.format(**values))[:MAX_TAG_LENGTH]}
            for name, text in role.tags
        ]
    return asked


def assume(client: Any, asked: Mapping[str, Any]) -> Keys:
    """Take a role. client: botocore's, of STS. It blocks. Raises NoKeys."""
    try:
        given = client.assume_role(**asked)["Credentials"]
    except Exception as error:  # noqa: BLE001 - a library's border
        raise NoKeys(f"its role cannot be taken: {words_of(error)}") from None
    return Keys(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        given["SessionToken"],
        given["Expiration"].timestamp(),
        "assume-role",
    )


def role_keys(actor: Actor, base: Keys | None, client_of: Callable[[Keys], Any]) -> Keys:
    """The keys of a role. base: those of its profile; client_of: STS with these. Raises NoKeys."""
    if base is None:
        raise NoKeys(f"its profile, {actor.profile}, has none")
    return assume(client_of(base), request_of(actor))


def user_name(uid: int) -> str:
    """The name of a user, or else the number. Blocks: some ask a directory over the network."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name(template: str, values: Mapping[str, str]) -> str:
    """A session's name; AWS wants two characters at least."""
    name = _NOT_IN_NAME.sub("-", template.format(**values))[:MAX_NAME_LENGTH]
    return name if len(name) > 1 else f"{name}-"
