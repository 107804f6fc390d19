"""What `botod status` shows of one worker. Counts only."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from botod.daemon.control import who
from botod.daemon.killing import Ids
from botod.daemon.leader import Leader
from botod.daemon.ledger import Ledger
from botod.daemon.metrics.history import History
from botod.daemon.upstreams import Upstreams
from botod.daemon.worker import Worker
from botod.ipc.peer import PeerStats
from botod.ipc.server import Server
from botod.pool import HostPoolStats, Pool, slow_visits, visit_stats


class Status:
    """The figures of one worker. remembered_num: gives the outcomes that are known by their key.

    ids: of its peers. leader: says whether it leads; None: it is alone. history: what was done
    in the last minutes, once it is started.
    """

    def __init__(
        self,
        server: Server,
        worker: Worker,
        ledger: Ledger,
        pool: Pool,
        upstreams: Upstreams,
        *,
        remembered_num: Callable[[], int],
        ids: Ids,
        leader: Leader | None = None,
    ) -> None:
        self._server = server
        self._worker = worker
        self._ledger = ledger
        self._pool = pool
        self._upstreams = upstreams
        self._remembered_num = remembered_num
        self._ids = ids
        self._leader = leader
        self.history = History(ledger.figures)
        self._began = time.monotonic()

    def __call__(self) -> dict[str, Any]:
        return {
            **self._place(),
            **who(),
            "uptime_s": round(time.monotonic() - self._began, 3),
            "peers": [self._peer(peer) for peer in self._server.stats()],
            "jobs": {
                "running_num": self._worker.running_num,
                "polling_num": self._worker.polling_num,
                **dataclasses.asdict(self._ledger.counts),
                "remembered_num": self._remembered_num(),
            },
            "buffered_bytes": self._server.budget.used_bytes,
            "buffered_max_bytes": self._server.budget.total_bytes,
            "refused_by_limit": self._refused_by_limit(),
            "total": dataclasses.asdict(self._pool.total_stats()),
            "pools": [_pool_status(host) for host in self._pool.stats()],
            **self._upstreams.stats(),
            "visits": dataclasses.asdict(visit_stats()),
            "slow_visits": [
                {"worker": self._ids.worker, **dataclasses.asdict(visit)} for visit in slow_visits()
            ],
            "operations": self._ledger.figures.operations(),
            "errors": self._ledger.figures.errors(),
        }

    def whole(self) -> dict[str, Any]:
        """With the last minutes: most of its bytes, and not for who asks each second."""
        return {**self(), "history": self.history.plain()}

    def line(self) -> str:
        """One line for a person."""
        counts = self._ledger.counts
        return (
            f"{self._worker.running_num} jobs running, {counts.jobs_total} so far, "
            f"{counts.failed_total} failed"
        )

    def _place(self) -> Mapping[str, Any]:
        """Which of several workers it is."""
        if self._leader is None:
            return {}
        return {"worker": self._ids.worker, "is_leader": self._leader.leads()}

    def _peer(self, peer: PeerStats) -> Mapping[str, Any]:
        figures = dataclasses.asdict(peer)
        return {"id": self._ids.peer(figures.pop("number")), **figures}

    def _refused_by_limit(self) -> Mapping[str, int]:
        counts = Counter(self._server.refusals.by_limit())
        counts.update(self._worker.refusals.by_limit())
        return dict(sorted(counts.items()))


def _pool_status(host: HostPoolStats) -> Mapping[str, Any]:
    return {
        "origin": str(host.origin),
        "profile": host.origin.lane.name,
        "slots_most_num": host.slots_most_num,
        "shrinks_total": host.shrinks_total,
        **dataclasses.asdict(host.slots),
        "sockets": dataclasses.asdict(host.sockets),
        "health": dataclasses.asdict(host.health),
    }
