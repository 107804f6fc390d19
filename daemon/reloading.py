"""A new configuration for a running daemon: what of it holds at once, and what after a restart."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from botod.daemon.config import Config
from botod.daemon.settings import SECTIONS

AFTER_RESTART = frozenset({
    ("daemon", "socket"),
    ("daemon", "socket_mode"),
    ("daemon", "workers"),
    ("daemon", "remember_s"),  # all workers of one keys file have the same
    ("daemon", "keys_file"),
    ("daemon", "state_dir"),
    ("daemon", "visit_warn_s"),
    ("log", "file"),  # a new one of the same name is SIGUSR1's
    ("audit", "path"),
    ("limits", "inline_bytes"),  # of jobs, whose bodies have begun to come
    ("pool", "max_waiting"),
    ("pool", "max_waiting_per_uid"),
    ("pool", "slot_timeout_s"),
    ("metrics", "port"),
    ("metrics", "address"),
})  # fmt: skip
"""Settings that a running daemon keeps. All others, rules and profiles hold from a reload on."""


def changed(old: Config, new: Config) -> list[str]:
    """The settings that differ, as `[section] name`, `[profile.NAME]` and `[[policy]]`."""
    names = [f"[{section}] {name}" for section, name in _changed(old, new)]
    names += [
        f"[profile.{name}]"
        for name in sorted(old.profiles.keys() | new.profiles.keys())
        if old.profiles.get(name) != new.profiles.get(name)
    ]
    return names + ["[[policy]]"] * (old.rules != new.rules)


def needs_restart(old: Config, new: Config) -> list[str]:
    """Those of the settings that differ which a reload does not change."""
    return [
        f"[{section}] {name}"
        for section, name in _changed(old, new)
        if (section, name) in AFTER_RESTART
    ]


def effective(old: Config, new: Config) -> Config:
    """What holds after a reload: the new one, with the old settings that need a restart."""
    kept: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for section, name in AFTER_RESTART:
        kept[section][name] = getattr(getattr(old, section), name)
    sections = {
        section: dataclasses.replace(getattr(new, section), **values)
        for section, values in kept.items()
    }
    return dataclasses.replace(new, **sections)


def _changed(old: Config, new: Config) -> Iterator[tuple[str, str]]:
    for section, kind in SECTIONS.items():
        for field in dataclasses.fields(kind):
            before, after = (getattr(getattr(one, section), field.name) for one in (old, new))
            if before != after:
                yield section, field.name
