"""What of a new configuration holds at once."""

import dataclasses

from botod.daemon.config import Config
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.reloading import AFTER_RESTART, changed, effective, needs_restart
from botod.daemon.rules import Rule, Who, read_line
from botod.daemon.settings import (
    SECTIONS,
    DaemonSettings,
    LimitSettings,
    PoolSettings,
)

OLD = Config()
RULES = (Rule(Who(uid=33), allow=(read_line("s3.*"),)),)
NEW = Config(
    daemon=DaemonSettings(socket="/x", drain_timeout_s=5),
    limits=LimitSettings(jobs=9),
    pool=PoolSettings(slot_timeout_s=7, slots_per_host=3),
    profiles={"default": ProfileSettings(retries=0), "other": ProfileSettings()},
    rules=RULES,
)


def test_nothing_changed() -> None:
    """Then nothing is said."""
    assert changed(OLD, OLD) == needs_restart(OLD, OLD) == []
    assert effective(OLD, OLD) == OLD


def test_what_changed() -> None:
    """By the names of the file."""
    assert changed(OLD, NEW) == [
        "[daemon] socket",
        "[daemon] drain_timeout_s",
        "[limits] jobs",
        "[pool] slots_per_host",
        "[pool] slot_timeout_s",
        "[profile.default]",
        "[profile.other]",
        "[[policy]]",
    ]


def test_what_needs_a_restart_stays() -> None:
    """All else is as in the new one."""
    assert needs_restart(OLD, NEW) == ["[daemon] socket", "[pool] slot_timeout_s"]
    held = effective(OLD, NEW)
    assert (held.daemon.socket, held.daemon.drain_timeout_s) == ("", 5)
    assert (held.pool.slot_timeout_s, held.pool.slots_per_host) == (60, 3)
    assert (held.limits.jobs, held.rules, held.profiles) == (9, RULES, NEW.profiles)


def test_the_names_are_settings() -> None:
    """None of them was renamed."""
    known = {
        (section, field.name)
        for section, kind in SECTIONS.items()
        for field in dataclasses.fields(kind)
    }
    assert known >= AFTER_RESTART
