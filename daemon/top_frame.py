"""One screen of `botod top`, as lines of text: what the difference of two statuses tells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from botod.daemon.columns import Column, aligned
from botod.daemon.show_tables import COLUMNS

Status = Mapping[str, Any]

JOBS_MOST = 20
"""Of the oldest jobs, asked for with each status; no more fit beside the rest."""

OVERHEAD = 3
"""Lines of a table beside its rows: its titles, their rule and an empty one."""

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
    tables = [(POOL_COLUMNS, differences.pools()), (PEER_COLUMNS, differences.peers())]
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
