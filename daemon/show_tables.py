"""The tables of `botod show`: which columns, and which rows of an answer."""

import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from botod.daemon.columns import Column
from botod.daemon.share import HOST_LIMITS, HOST_POOL, HOST_PROFILE

Row = Mapping[str, Any]

OF_STATUS = ("pools", "peers")
"""What `botod.status` has; all else needs an administrator."""


def _plain(*names: str) -> list[Column]:
    return [(name, itemgetter(name)) for name in names]


COLUMNS: Mapping[str, Sequence[Column]] = {
    "pools": [
        *_plain("origin", "profile"),
        ("slots", itemgetter("slots_num")),
        ("leased", itemgetter("leased_num")),
        ("waiting", itemgetter("waiting_num")),
        ("oldest_s", itemgetter("oldest_wait_s")),
        ("polls", itemgetter("polls_leased_num")),
        ("requests", itemgetter("leases_total")),
        ("sockets", lambda row: row["sockets"]["open_num"]),
        ("opened", lambda row: row["sockets"]["opened_total"]),
        ("health", lambda row: row["health"]["state"]),
    ],
    "peers": [
        *_plain("id", "pid", "uid"),
        ("in_flight", itemgetter("in_flight_num")),
        ("requests", itemgetter("requests_total")),
        ("streams", itemgetter("streams_num")),
        ("unread", itemgetter("unread_bytes")),
    ],
    "jobs": [
        *_plain("id", "operation", "profile", "uid", "pid", "peer", "age_s", "state", "attempts"),
        ("sent", itemgetter("sent_bytes")),
        ("received", itemgetter("received_bytes")),
    ],
    "profiles": [
        *_plain("worker", "profile", "gate", "region", "keys", "expires_in_s"),
        ("jobs", itemgetter("running_num")),
        ("hosts", itemgetter("hosts_num")),
        ("leased", itemgetter("leased_num")),
        ("waiting", itemgetter("waiting_num")),
        ("failure", itemgetter("failure")),
    ],
    "config": [
        ("section", itemgetter("section")),
        ("name", itemgetter("name")),
        ("value", lambda row: json.dumps(row["value"])),
        (
            "waits_for",
            lambda row: row["waits_for"] and f"{row['waits_for']}: {json.dumps(row['in_file'])}",
        ),
    ],
    "limits": [
        *_plain("worker", "limit", "value", "used"),
        ("refused", itemgetter("refused_total")),
    ],
}


def rows_of(what: str, answer: Mapping[str, Any]) -> list[Row]:
    """The rows that an answer has, of all workers; a setting once, for the host."""
    if what in OF_STATUS:
        return list(answer[what])
    rows: list[Row] = [
        {"worker": one["worker"], **row} for one in answer["workers"] for row in one["rows"]
    ]
    return _settings(rows) if what == "config" else rows


def columns_of(what: str, answer: Mapping[str, Any]) -> list[Column]:
    """Without that of the worker, where there is one only."""
    is_one = len(answer.get("workers", ())) + len(answer.get("silent", ())) <= 1
    return [column for column in COLUMNS[what] if not (is_one and column[0] == "worker")]


def _settings(rows: Sequence[Row]) -> list[Row]:
    """Shares of what is meant a host are added up; of all else the first worker's is told."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["section"], row["name"])
        first = found.get(key)
        if first is None:
            found[key] = dict(row)
        elif _is_shared(*key):
            first["value"] += row["value"]
            first["in_file"] += row["in_file"]
    return list(found.values())


def _is_shared(section: str, name: str) -> bool:
    if section.startswith("profile."):
        return name in HOST_PROFILE
    return (section == "limits" and name in HOST_LIMITS) or (
        section == "pool" and name in HOST_POOL
    )
