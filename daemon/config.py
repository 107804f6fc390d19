"""The configuration, and how a file of it is read.

Reading names every mistake in a file at once, with file, key and what is allowed.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from botod.daemon.endpoints import look_up
from botod.daemon.profile_settings import ProfileSettings
from botod.daemon.rule_files import load_rules
from botod.daemon.rules import Rule
from botod.daemon.setting_checks import mistake_in, profile_mistakes, shown
from botod.daemon.settings import (
    SECTIONS,
    AuditSettings,
    DaemonSettings,
    LimitSettings,
    LogSettings,
    MetricsSettings,
    PoolSettings,
)


class ConfigError(Exception):
    """A configuration that cannot be used; one line a mistake."""


@dataclass(frozen=True)
class Config:
    """Everything that can be set."""

    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    log: LogSettings = field(default_factory=LogSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    profiles: Mapping[str, ProfileSettings] = field(
        default_factory=lambda: {"default": ProfileSettings()}
    )
    rules: tuple[Rule, ...] = ()


def load(path: str) -> Config:
    """Read a file. Raises ConfigError, which names every mistake."""
    try:
        text = Path(path).read_bytes().decode()
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # numbers too long, lists too deep, and the rest
        raise ConfigError(f"{path}: not TOML: {error}") from None
    config, mistakes = _read(data)
    rules, wrong_rules = load_rules(path, data, text, config.profiles)
    if mistakes or wrong_rules:
        raise ConfigError("\n".join([*(f"{path}: {words}" for words in mistakes), *wrong_rules]))
    for profile in config.profiles.values():
        look_up(profile)
    return replace(config, rules=rules)


def _read(data: dict[str, Any]) -> tuple[Config, list[str]]:
    mistakes: list[str] = []
    for name in sorted(data.keys() - SECTIONS.keys() - {"profile", "policy"}):
        known = ", ".join([*SECTIONS, "profile.NAME", "[[policy]]"])
        mistakes.append(f"[{name}]: unknown section; there are: {known}")
    sections = {
        name: _read_section(name, kind, data.get(name, {}), mistakes)
        for name, kind in SECTIONS.items()
    }
    profiles = _read_profiles(data.get("profile", {}), mistakes)
    daemon = sections["daemon"]
    if daemon.job_timeout_s > daemon.job_timeout_max_s:
        mistakes.append(
            f"[daemon] job_timeout_s = {daemon.job_timeout_s!r}: "
            f"has to be at most job_timeout_max_s, {daemon.job_timeout_max_s:g}"
        )
    for name, profile in profiles.items():
        together = profile_mistakes(profile, sections["pool"].slots_per_host)
        mistakes += [f"[profile.{name}] {words}" for words in together]
    limits = sections["limits"]
    if limits.inline_bytes > limits.buffered_bytes:
        mistakes.append(
            f"[limits] inline_bytes = {limits.inline_bytes}: "
            f"has to be at most buffered_bytes, {limits.buffered_bytes}"
        )
    return Config(**sections, profiles=profiles), mistakes


def _read_profiles(data: Any, mistakes: list[str]) -> dict[str, ProfileSettings]:
    profiles = {"default": ProfileSettings()}
    if not isinstance(data, dict):
        mistakes.append("profile: write [profile.NAME]")
        return profiles
    for name, values in data.items():
        profiles[name] = _read_section(f"profile.{name}", ProfileSettings, values, mistakes)
    return profiles


def _read_section(section: str, kind: type, values: Any, mistakes: list[str]) -> Any:
    if not isinstance(values, dict):
        mistakes.append(f"{section}: has to be a section, [{section}]")
        return kind()
    known = {setting.name: setting for setting in fields(kind)}
    good: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            names = ", ".join(known)
            mistakes.append(f"[{section}] {key}: unknown setting; there are: {names}")
            continue
        mistake = mistake_in(known[key], value)
        if mistake:
            mistakes.append(f"[{section}] {key} = {shown(known[key], value)}: {mistake}")
        else:
            good[key] = float(value) if isinstance(known[key].default, float) else value
    return kind(**good)
