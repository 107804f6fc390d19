"""etc/botod.toml shows every setting at its default."""

import dataclasses
import re
from pathlib import Path

from botod.daemon.config import Config, load
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.rule_keys import KEYS
from botod.daemon.rules import read_line
from botod.daemon.settings import SECTIONS

EXAMPLE = Path(__file__).parents[2] / "etc" / "botod.toml"
RULE = re.compile(r"^#     (.*)$", re.MULTILINE)
SETTING = re.compile(r"^# (\w+ = .*)$", re.MULTILINE)


def test_as_it_is_it_changes_nothing() -> None:
    """All settings are comments."""
    assert load(str(EXAMPLE)) == Config()


def test_each_setting_stands_there_at_its_default(tmp_path: Path) -> None:
    """Uncommented, every line is valid and what holds anyway; none is missing."""
    uncommented = tmp_path / "botod.toml"
    text, count = SETTING.subn(r"\1", EXAMPLE.read_text(encoding="utf-8"))
    uncommented.write_text(text, encoding="utf-8")
    assert load(str(uncommented)) == Config()
    kinds = [*SECTIONS.values(), ProfileSettings]
    names = [field.name for kind in kinds for field in dataclasses.fields(kind)]
    assert sorted(re.findall(r"^(\w+) = ", text, re.MULTILINE)) == sorted(names)
    assert count == len(names)


def test_each_setting_s_bounds_stand_beside_it() -> None:
    """What is allowed is said where it is set."""
    whole = EXAMPLE.read_text(encoding="utf-8")
    for section, kind in {**SECTIONS, "profile.default": ProfileSettings}.items():
        text = whole.partition(f"\n[{section}]\n")[2]
        for field in dataclasses.fields(kind):
            if field.metadata["bounds"] is None:
                continue
            low, high = (f"{bound:.10g}" for bound in field.metadata["bounds"])
            block = text.partition(f"\n# {field.name} = ")[0].rpartition("\n\n")[2]
            assert f"({low} to {high})" in " ".join(block.split()), field.name


def test_each_key_of_a_rule_stands_there(tmp_path: Path) -> None:
    """Uncommented, the rules are valid; each key that there is occurs."""
    text = "\n".join(RULE.findall(EXAMPLE.read_text(encoding="utf-8")))
    uncommented = tmp_path / "botod.toml"
    uncommented.write_text(text, encoding="utf-8")
    first, second = load(str(uncommented)).rules
    assert set(re.findall(r"^(\w+) = ", text, re.MULTILINE)) == set(KEYS)
    assert first.deny == (read_line("s3.* on logs/2026/private/*"),)
    assert second.place.line == text.partition("[[policy]]\nuid")[0].count("\n") + 1
