"""Where rules of policy stand: in the configuration, and in `botod.d/*.toml` beside it.

Each application's package brings a file of its own there. Who may write one decides what is
allowed, so a file that others than its owner may write is none. All mistakes are named at once.
"""

import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from botod.daemon.rule_keys import read_rule
from botod.daemon.rules import Line, Place, Rule, Who

FOLDER = "botod.d"

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of a drop-in: more than anybody writes, and no device without an end."""

_HEADER = re.compile(r"""[ \t]*\[\[[ \t]*(?:policy|"policy"|'policy')[ \t]*\]\]""")


def load_rules(
    path: str, data: Mapping[str, Any], text: str, profiles: Collection[str]
) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules of a configuration that was read, then those beside it, and all mistakes."""
    mistakes: list[str] = []
    rules = list(_rules(path, data.get("policy", []), text, profiles, mistakes))
    for file in _drop_ins(path, mistakes):
        found = _read_drop_in(file, _owners(path), mistakes)
        if found is not None:
            rules += _rules(str(file), *found, profiles, mistakes)
    return tuple(rules), mistakes + list(conflicts(rules))


def conflicts(rules: Sequence[Rule]) -> Iterator[str]:
    """Rules that say again what an earlier one says to the same, or the contrary."""
    said: dict[tuple[Who, frozenset[str] | None, Line], tuple[bool, Place]] = {}
    for rule in rules:
        lines = [(False, line) for line in rule.deny] + [(True, line) for line in rule.allow]
        repeated = None
        is_new = False
        for is_allow, line in lines:
            key = (rule.who, rule.profiles, line)
            earlier = said.setdefault(key, (is_allow, rule.place))
            if earlier == (is_allow, rule.place):
                is_new = True
            elif earlier[0] != is_allow:
                yield f'{rule.place}: "{line}" contradicts {earlier[1]}'
                is_new = True
            else:
                repeated = earlier[1]
        if not is_new and repeated is not None:
            yield f"{rule.place}: can never match: {repeated} says the same to the same"


def lines_of_rules(text: str, number: int) -> list[int]:
    """The line of each `[[policy]]`, from 1; noughts where a text inside looks like one."""
    lines = [line for line, words in enumerate(text.split("\n"), 1) if _HEADER.match(words)]
    return lines if len(lines) == number else [0] * number


def _rules(
    file: str, tables: Any, text: str, profiles: Collection[str], mistakes: list[str]
) -> Iterator[Rule]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        mistakes.append(f"{file}: policy: write [[policy]], once for each rule")
        return
    lines = lines_of_rules(text, len(tables))
    for number, (table, line) in enumerate(zip(tables, lines, strict=True), 1):
        place = Place(file, number, line)
        rule, wrong = read_rule(table, place, profiles)
        mistakes += [f"{place}: {words}" for words in wrong]
        if not wrong:
            yield rule


def _drop_ins(path: str, mistakes: list[str]) -> list[Path]:
    folder = Path(path).parent / FOLDER
    try:
        if folder.stat().st_mode & OTHERS_WRITE:
            mistakes.append(f"{folder}: others than its owner may write it")
            return []
        names = sorted(file.name for file in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        mistakes.append(f"{folder}: {error.strerror}")
        return []
    return [folder / name for name in names if name.endswith(".toml") and name[0] != "."]


def _owners(path: str) -> frozenset[int]:
    """Whose files are believed: root's, ours, and those of who wrote the configuration."""
    return frozenset({0, os.geteuid(), Path(path).stat().st_uid})


def _read_drop_in(
    file: Path, owners: Collection[int], mistakes: list[str]
) -> tuple[Any, str] | None:
    """Its rules as they stand there, and its text."""
    try:
        text = _read(file, owners)
        data = tomllib.loads(text)
    except OSError as error:
        mistakes.append(f"{file}: {error.strerror}")
        return None
    except PermissionDoubt as error:
        mistakes.append(f"{file}: {error}")
        return None
    except (ValueError, RecursionError) as error:
        mistakes.append(f"{file}: not TOML: {error}")
        return None
    mistakes += [
        f"{file}: [{name}]: only [[policy]] may stand here" for name in data if name != "policy"
    ]
    return data.get("policy", []), text


class PermissionDoubt(Exception):
    """Somebody may write a file who should not make rules."""


def _read(file: Path, owners: Collection[int]) -> str:
    """A file's text. What is looked at and what is read is one file, whatever its name becomes."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor), owners)
        with open(descriptor, "rb", closefd=False) as opened:
            return opened.read(MAX_FILE_BYTES).decode()
    finally:
        os.close(descriptor)


def _check(status: os.stat_result, owners: Collection[int]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PermissionDoubt("is no regular file")
    if status.st_mode & OTHERS_WRITE:
        raise PermissionDoubt("others than its owner may write it")
    if status.st_uid not in owners:
        raise PermissionDoubt(f"belongs to user {status.st_uid}, who may not make rules")
