"""One screen of `botod top`, as lines of text: what the difference of two statuses tells."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from botod.daemon.columns import Column, aligned
from botod.daemon.metrics.histogram import bound_of
from botod.daemon.show_tables import COLUMNS

Status = Mapping[str, Any]

JOBS_MOST = 20
"""Of the oldest jobs, asked for with each status; no more fit beside the rest."""

OVERHEAD = 3
"""Lines of a table beside its rows: its titles, their rule and an empty one."""

MOST = 0.95
"""Of an operation's jobs: how long so many took at most."""

SLOW_MOST = 3
"""Of the slow visits, the last: `botod status --json` has more, with their stacks."""

JOB_COLUMNS = [column for column in COLUMNS["jobs"] if column[0] not in {"peer", "sent"}]


@dataclass(frozen=True)
class Sample:
    """What the daemon said at a time. jobs: the oldest; None: who asks may not see them."""

    at_s: float
    status: Status
    jobs: Sequence[Mapping[str, Any]] | None = None


class Differences:
    """What happened from one sample to the next, a second each."""

    def __init__(self, before: Sample, now: Sample) -> None:
        self._passed_s = max(now.at_s - before.at_s, 0.001)
        self._before = before.status
        self._now = now.status

    def rate(self, section: str, name: str) -> float:
        """Of a figure that is counted, in a section of the status."""
        return self._per_s(self._now[section][name], self._before[section][name])

    def refused(self) -> float:
        """Refusals by limits."""
        now, before = (sum(one["refused_by_limit"].values()) for one in (self._now, self._before))
        return self._per_s(now, before)

    def pools(self) -> list[dict[str, Any]]:
        """Each host pool, with its rates; the busiest first. A time of None: of nothing."""
        old = {_name(pool): pool for pool in self._before["pools"]}
        pools = [self._pool(pool, old.get(_name(pool), {})) for pool in self._now["pools"]]
        return sorted(pools, key=itemgetter("per_s", "leased_num"), reverse=True)

    def peers(self) -> list[dict[str, Any]]:
        """Each connection, with its rate; the busiest first."""
        old = {peer["id"]: peer["requests_total"] for peer in self._before["peers"]}
        peers = [
            {**peer, "per_s": self._per_s(peer["requests_total"], old.get(peer["id"], 0))}
            for peer in self._now["peers"]
        ]
        return sorted(peers, key=itemgetter("per_s", "in_flight_num"), reverse=True)

    def operations(self) -> list[dict[str, Any]]:
        """Each operation of which a job ended meanwhile; the one that took most time first."""
        old = {one["operation"]: one for one in self._before["operations"]}
        rows = [
            self._operation(one, old.get(one["operation"], {})) for one in self._now["operations"]
        ]
        busy = [row for row in rows if row["per_s"]]
        return sorted(busy, key=itemgetter("took_s", "per_s"), reverse=True)

    def _operation(self, now: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
        took = Counter(now["took_by_s"])
        took.subtract(old.get("took_by_s", {}))
        took = +took  # without those that are none, or by another worker fewer
        took_s = max(0.0, now["took_s_total"] - old.get("took_s_total", 0.0))
        most_s = bound_of(took, MOST)
        return {
            "operation": now["operation"],
            "per_s": self._per_s(now["jobs_total"], old.get("jobs_total", 0)),
            "failed_per_s": self._per_s(now["failed_total"], old.get("failed_total", 0)),
            "took_s": took_s,
            "mean_ms": took_s / took.total() * 1000 if took else None,
            "most_ms": most_s if most_s is None else most_s * 1000,
        }

    def _pool(self, pool: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
        def more(name: str) -> float:
            return max(0.0, float(pool[name]) - float(old.get(name, 0)))

        leases = more("leases_total")
        return {
            **pool,
            "per_s": leases / self._passed_s,
            "wire_ms": more("held_s_total") / leases * 1000 if leases else None,
            "wait_ms": more("waited_s_total") / leases * 1000 if leases else None,
        }

    def _per_s(self, now: float, before: float) -> float:
        """A worker that came in another's place has counted less: no negative rates."""
        return max(0.0, now - before) / self._passed_s


POOL_COLUMNS: Sequence[Column] = [
    ("pool", itemgetter("origin")),
    ("profile", itemgetter("profile")),
    ("slots", itemgetter("slots_num")),
    ("leased", itemgetter("leased_num")),
    ("waiting", itemgetter("waiting_num")),
    ("requests/s", itemgetter("per_s")),
    ("wire ms", itemgetter("wire_ms")),
    ("wait ms", itemgetter("wait_ms")),
    ("sockets", lambda row: row["sockets"]["open_num"]),
    ("health", lambda row: row["health"]["state"]),
]

OPERATION_COLUMNS: Sequence[Column] = [
    ("operation", itemgetter("operation")),
    ("jobs/s", itemgetter("per_s")),
    ("failed/s", itemgetter("failed_per_s")),
    ("mean ms", itemgetter("mean_ms")),
    ("95 % within ms", itemgetter("most_ms")),
]

SLOW_COLUMNS: Sequence[Column] = [
    ("slow visit", itemgetter("name")),
    ("at", lambda row: time.strftime("%H:%M:%S", time.localtime(row["at_s"]))),
    ("ms", lambda row: row["wall_s"] * 1000),
    ("cpu ms", lambda row: row["cpu_s"] * 1000),
    ("where", lambda row: row["stack"][-1] if row["stack"] else ""),
]

PEER_COLUMNS: Sequence[Column] = [
    ("peer", itemgetter("id")),
    ("pid", itemgetter("pid")),
    ("uid", itemgetter("uid")),
    ("in flight", itemgetter("in_flight_num")),
    ("requests/s", itemgetter("per_s")),
    ("unread", itemgetter("unread_bytes")),
]


def frame(before: Sample, now: Sample, *, columns: int, lines: int) -> list[str]:
    """At most so many lines of at most so many columns."""
    differences = Differences(before, now)
    head = list(_head(now.status, differences))
    tables = [
        (POOL_COLUMNS, differences.pools()),
        (OPERATION_COLUMNS, differences.operations()),
        (PEER_COLUMNS, differences.peers()),
    ]
    if slow := sorted(now.status["slow_visits"], key=itemgetter("at_s"), reverse=True):
        tables.insert(2, (SLOW_COLUMNS, [dict(visit) for visit in slow[:SLOW_MOST]]))
    if now.jobs is not None:
        tables.append((JOB_COLUMNS, [dict(job) for job in now.jobs]))
    room = max(0, lines - len(head) - OVERHEAD * len(tables))
    heights = shares([len(rows) for _columns, rows in tables], room)
    for (wanted, rows), height in zip(tables, heights, strict=True):
        head.append("")
        head += list(aligned(wanted, rows[:height]))[:-1]
    return [line[:columns] for line in head[:lines]]


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """How many lines each of some tables has: what it wants, or else an equal part of the room."""
    given = [0] * len(wanted)
    left, open_ones = room, list(range(len(wanted)))
    while open_ones and left >= len(open_ones):
        part = left // len(open_ones)
        for one in open_ones:
            more = min(part, wanted[one] - given[one])
            given[one] += more
            left -= more
        open_ones = [one for one in open_ones if given[one] < wanted[one]]
    for one in open_ones[:left]:
        given[one] += 1
    return given


def _head(status: Status, differences: Differences) -> Iterator[str]:
    jobs, visits, total = status["jobs"], status["visits"], status["total"]
    workers = len(status.get("workers", ())) or 1
    yield (
        f"botod {status['version']}, up {status['uptime_s']:.0f} s, {workers} "
        f"{'worker' if workers == 1 else 'workers'}, {len(status['peers'])} peers"
    )
    for one in status.get("silent", ()):
        yield f"worker {one['worker']} does not answer: {one['why']}"
    yield (
        f"jobs    {jobs['running_num']} running, {jobs['polling_num']} of them polls; "
        f"{differences.rate('jobs', 'jobs_total'):.1f}/s, "
        f"{differences.rate('jobs', 'failed_total'):.1f}/s failed, "
        f"{differences.refused():.1f}/s refused"
    )
    yield (
        f"visits  {differences.rate('visits', 'visits_num'):.1f}/s, "
        f"{differences.rate('visits', 'over_10ms_num'):.1f}/s over 10 ms; "
        f"longest ever {visits['longest_s'] * 1000:.1f} ms"
    )
    bound = "no bound" if total["slots_num"] is None else f"{total['slots_num']} at most"
    yield (
        f"slots   {total['leased_num']} in use, {bound}; "
        f"{status['buffered_bytes']} bytes held for peers"
    )


def _name(pool: Mapping[str, Any]) -> tuple[str, str]:
    return pool["origin"], pool["profile"]
