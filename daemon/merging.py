"""The status of several workers as that of one: what `botod status` shows of a host.

A figure's name says how it is merged: `longest_…`, `oldest_…` and `uptime_s` are the greatest of
all, `expires_in_s` and `newest_age_s` are the least, everything else adds up. Host pools are merged
by origin and profile, and so are operations and the like by what they are of; peers stand side by
side.
"""

from collections.abc import Mapping, Sequence
from typing import Any

GREATEST = ("longest_", "oldest_", "uptime_s")

LEAST = ("expires_in_s", "newest_age_s")

SIDE_BY_SIDE = ("peers", "slow_visits", "workers")

OF_ONE = ("pid", "number", "at_s")
"""Figures that are names: they are the first one's."""

IDENTITY = ("origin", "profile", "operation", "outcome", "at_s")

USUAL = ("", "good")
"""Texts that tell of nothing out of the ordinary."""


def merged(statuses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One status out of at least one; it has every key that any of them has."""
    keys = dict.fromkeys(key for status in statuses for key in status)
    return {
        key: _merged(key, [status[key] for status in statuses if key in status]) for key in keys
    }


def _merged(key: str, values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    if not known:
        return None
    kind = known[0]
    if isinstance(kind, Mapping):
        return merged(known)
    if isinstance(kind, (list, tuple)):
        return _merged_lists(key, known)
    if isinstance(kind, bool) or not isinstance(kind, (int, float)) or key in OF_ONE:
        return _telling(known)
    if key in LEAST:
        return min(known)
    return max(known) if key.startswith(GREATEST) else sum(known)


def _telling(values: list[Any]) -> Any:
    """Of texts that differ, such as a host's health, the one that is not the usual."""
    return next((value for value in values if value not in USUAL), values[0])


def _merged_lists(key: str, lists: list[Sequence[Any]]) -> list[Any]:
    everything = [item for one in lists for item in one]
    if key in SIDE_BY_SIDE:
        return everything
    if all(isinstance(item, Mapping) for item in everything):
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for item in everything:
            groups.setdefault(tuple(item.get(name) for name in IDENTITY), []).append(item)
        return [merged(group) for group in groups.values()]
    return [_merged(key, list(column)) for column in zip(*lists, strict=False)]
