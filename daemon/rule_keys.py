"""The keys of a rule, `[[policy]]`: what may stand there, and how it is read."""

import grp
import pwd
from collections.abc import Callable, Collection, Mapping
from typing import Any

from botod.daemon.callers import OVERFLOW_ID
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
}

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
    rule = Rule(who, allow, deny, found.get("profiles"), place)
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
    return mistakes


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


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "uid": _number,
    "user": user_id,
    "gid": _number,
    "group": group_id,
    "unit": _unit,
    "cgroup": _cgroup,
    "profiles": _profiles,
}
