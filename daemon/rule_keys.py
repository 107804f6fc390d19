"""The keys of a rule, `[[policy]]`: what may stand there, and how it is read."""

import grp
import pwd
from collections.abc import Callable, Collection, Mapping
from typing import Any

from botod.daemon.callers import OVERFLOW_ID
from botod.daemon.roles import ARN, MAX_TAG_NAME_LENGTH, MAX_TAGS, Role, fields_of
from botod.daemon.rules import EVERYTHING, Line, Place, Rule, Who, read_line

WHO_KEYS: Mapping[str, str] = {
    "uid": "the sender's user, by number",
    "user": 'the same by name; "*": everybody',
    "gid": "a group of the sender, by number",
    "group": "the same by name",
    "unit": "the systemd unit that the sender runs in; * may stand in it",
    "cgroup": "the path of its control group; * may stand in it",
}

KEYS: Mapping[str, str] = {
    **WHO_KEYS,
    "allow": 'what they may: "operation on resource"',
    "deny": "what they may not; it goes before what the same rule allows",
    "profiles": "the profiles that it is about; all if it names none",
    "role_arn": "the role that what it allows is done under, taken with the profile's keys",
    "role_session_name": "the session's name, from a template",
    "role_source_identity": "its source identity, from a template",
    "role_tags": "its tags: a table of templates",
    "role_external_id": "what the role's owner has agreed upon",
    "role_duration_s": "how long its keys are good, in seconds",
}

DURATIONS_S = (900, 43_200)
"""AWS's bounds; a role has its own upper one."""

MAX_ID = 2**32 - 2
"""The largest number of a user or a group; the one above means none."""


class Wrong(ValueError):
    """A key of a rule whose value cannot be."""


def read_rule(
    table: Mapping[str, Any], place: Place, profiles: Collection[str]
) -> tuple[Rule, list[str]]:
    """The rule, and what is wrong with it; if anything is, the rule is not to be used."""
    mistakes = [
        f"{key}: unknown key; there are: {', '.join(KEYS)}" for key in table if key not in KEYS
    ]
    found: dict[str, Any] = {}
    for key, read in _READERS.items():
        if key in table:
            try:
                found[key] = read(table[key])
            except Wrong as error:
                mistakes.append(f"{key} = {table[key]!r}: {error}")
    mistakes += _together(table)
    unknown = sorted(found.get("profiles", frozenset()) - set(profiles))
    mistakes += [f"profiles: there is no [profile.{name}]" for name in unknown]
    allow, wrong_allow = _lines("allow", table)
    deny, wrong_deny = _lines("deny", table)
    who = Who(
        uid=found.get("uid", found.get("user")),
        gid=found.get("gid", found.get("group")),
        unit=found.get("unit", ""),
        cgroup=found.get("cgroup", ""),
    )
    rule = Rule(who, allow, deny, found.get("profiles"), _role(found), place)
    return rule, mistakes + wrong_allow + wrong_deny


def user_id(name: Any) -> int | None:
    """A user's number; None: any. Raises Wrong."""
    if name == EVERYTHING:
        return None
    try:
        return _number(pwd.getpwnam(_text(name)).pw_uid)
    except KeyError:
        raise Wrong("there is no such user") from None


def group_id(name: Any) -> int:
    """A group's number. Raises Wrong."""
    try:
        return _number(grp.getgrnam(_text(name)).gr_gid)
    except KeyError:
        raise Wrong("there is no such group") from None


def _together(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the keys that are there, whatever their values."""
    mistakes = []
    if not table.keys() & WHO_KEYS.keys():
        names = ", ".join(WHO_KEYS)
        mistakes.append(f'for whom? one of {names} is needed; user = "*" is everybody')
    for number, name in (("uid", "user"), ("gid", "group")):
        if number in table and name in table:
            mistakes.append(f"{number} and {name}: one of them is enough")
    if not (table.get("allow") or table.get("deny")):
        mistakes.append("allow or deny is needed")
    about_role = [key for key in table if key.startswith("role_")]
    if about_role and "role_arn" not in table:
        mistakes.append(f"{', '.join(about_role)}: of which role? role_arn is needed")
    if about_role and not table.get("allow"):
        mistakes.append("role_arn: needs allow; nothing else is done under it")
    return mistakes


def _role(found: Mapping[str, Any]) -> Role | None:
    if "role_arn" not in found:
        return None
    names = {
        "session_name": "role_session_name",
        "source_identity": "role_source_identity",
        "tags": "role_tags",
        "external_id": "role_external_id",
        "duration_s": "role_duration_s",
    }
    given = {name: found[key] for name, key in names.items() if key in found}
    return Role(found["role_arn"], **given)


def _lines(key: str, table: Mapping[str, Any]) -> tuple[tuple[Line, ...], list[str]]:
    texts = table.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return (), [f'{key} = {texts!r}: has to be a list of texts, like ["sqs.* on orders"]']
    lines, mistakes = [], []
    for text in texts:
        try:
            lines.append(read_line(text))
        except ValueError as error:
            mistakes.append(f"{key} {text!r}: {error}")
    return tuple(lines), mistakes


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_ID:
        raise Wrong(f"has to be a number from 0 to {MAX_ID}")
    if value == OVERFLOW_ID:
        raise Wrong(f"{OVERFLOW_ID} is what any stranger looks like, and is always refused")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise Wrong("has to be a text in quotes")
    return value


def _unit(value: Any) -> str:
    unit = _text(value)
    if "/" in unit or not ("." in unit or "*" in unit):
        raise Wrong('has to be the whole name of a unit, like "web.service"')
    return unit


def _cgroup(value: Any) -> str:
    cgroup = _text(value)
    if not cgroup.startswith(("/", "*")):
        raise Wrong('has to be a path as in /proc/PID/cgroup, like "/system.slice/web.service"')
    return cgroup


def _profiles(value: Any) -> frozenset[str]:
    is_good = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if not is_good:
        raise Wrong('has to be a list of profiles, like ["default"]')
    return frozenset(value)


def _arn(value: Any) -> str:
    arn = _text(value)
    if not ARN.fullmatch(arn):
        raise Wrong('has to be a role\'s name, like "arn:aws:iam::123456789012:role/shop"')
    return arn


def _template(value: Any) -> str:
    template = _text(value)
    try:
        fields_of(template)
    except ValueError as error:  # of ours, or of braces that do not match
        raise Wrong(str(error)) from None
    return template


def _tags(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not 0 < len(value) <= MAX_TAGS:
        raise Wrong(f'has to be a table of at most {MAX_TAGS}, like {{ caller = "{{user}}" }}')
    for name in value:
        if not 0 < len(name) <= MAX_TAG_NAME_LENGTH:
            raise Wrong(f"a tag's name has 1 to {MAX_TAG_NAME_LENGTH} characters")
    return tuple((name, _template(text)) for name, text in value.items())


def _duration_s(value: Any) -> int:
    low, high = DURATIONS_S
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Wrong(f"has to be a whole number of seconds from {low} to {high}")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "uid": _number,
    "user": user_id,
    "gid": _number,
    "group": group_id,
    "unit": _unit,
    "cgroup": _cgroup,
    "profiles": _profiles,
    "role_arn": _arn,
    "role_session_name": _template,
    "role_source_identity": _template,
    "role_tags": _tags,
    "role_external_id": _text,
    "role_duration_s": _duration_s,
}
