"""The configuration that holds, as tables, and as the TOML that says the same.

Passwords are left out: who reads it need not be who may use them.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from botod.daemon.config import Config
from botod.daemon.rules import Rule
from botod.daemon.settings import SECTIONS
from botod.daemon.toml_text import key_text, table_lines

HIDDEN = "***"


def tables_of(config: Config) -> dict[str, Any]:
    """By section, as in botod.toml; rules by `policy`, those of drop-ins among them."""
    return {
        **{name: asdict(getattr(config, name)) for name in SECTIONS},
        "profile": {
            name: asdict(profile) | {"proxy": without_password(profile.proxy)}
            for name, profile in config.profiles.items()
        },
        "policy": [_rule(rule) for rule in config.rules],
    }


def toml_of(config: Config) -> Iterator[str]:
    """botod.toml, line by line; each rule says where it stands."""
    tables = tables_of(config)
    for name in SECTIONS:
        yield f"[{name}]"
        yield from table_lines(tables[name])
        yield ""
    for name, profile in tables["profile"].items():
        yield f"[profile.{key_text(name)}]"
        yield from table_lines(profile)
        yield ""
    for rule, table in zip(config.rules, tables["policy"], strict=True):
        place = str(rule.place).encode("unicode_escape").decode()  # no line may end in a comment
        yield f"# {place}"
        yield "[[policy]]"
        yield from table_lines(table)
        yield ""


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    password = urlsplit(url).password
    return url if password is None else url.replace(f":{password}@", f":{HIDDEN}@", 1)


def _rule(rule: Rule) -> dict[str, Any]:
    """The keys that say the same; users and groups by number."""
    who = {name: value for name, value in asdict(rule.who).items() if value not in (None, "")}
    table: dict[str, Any] = who or {"user": "*"}
    table["allow"] = [str(line) for line in rule.allow]
    table["deny"] = [str(line) for line in rule.deny]
    if rule.profiles is not None:
        table["profiles"] = sorted(rule.profiles)
    if rule.role is not None:
        about = asdict(rule.role) | {"tags": dict(rule.role.tags)}
        table |= {f"role_{key}": value for key, value in about.items() if value not in ("", {})}
    return table
