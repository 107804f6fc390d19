"""What one worker tells of itself when somebody asks for metrics: plain numbers, fit for JSON.

No name of a resource is in it. A host pool of a single bucket's host, such as
`photos.s3.eu-central-1.amazonaws.com`, counts as its endpoint's; one that belongs to no endpoint
that is in use, such as that of a bucket in another region, as OTHER.
"""

import asyncio
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pycurl
import tornado

from botod.daemon.control import BOTOD_VERSION
from botod.daemon.gates import Gates
from botod.daemon.merging import merged
from botod.daemon.metrics.job_figures import OTHER, JobFigures
from botod.daemon.metrics.loop_lag import LoopLag
from botod.daemon.metrics.process import process_figures
from botod.daemon.share import Share
from botod.daemon.status import Status
from botod.daemon.upstreams import Upstreams

BUILD = {
    "version": BOTOD_VERSION,
    "python": platform.python_version(),
    "tornado": tornado.version,
    "libcurl": pycurl.version_info()[1],
}

NAMES = ("origin", "profile", "version", "state", "operation", "outcome", "name", "stack")
"""Texts that stay where only counts go: whose a figure is, how a host is, and where in the code a
slow visit was."""


class Snapshot:
    """Takes the figures of a worker, whose share it is.

    gates: what an administrator lets through. has_started: it serves, and does not stop.
    """

    def __init__(
        self,
        status: Status,
        jobs: JobFigures,
        lag: LoopLag,
        upstreams: Upstreams,
        *,
        gates: Gates,
        share: Share,
    ) -> None:
        self._status = status
        self._jobs = jobs
        self._lag = lag
        self._upstreams = upstreams
        self._gates = gates
        self._share = share
        self.has_started = False

    @property
    def is_ready(self) -> bool:
        """Whether jobs can be taken now."""
        return self.has_started and self._gates.takes_jobs

    async def __call__(self) -> dict[str, Any]:
        """The figures of this moment. Reads what the kernel knows in a thread."""
        process = await asyncio.to_thread(process_figures)
        status = self._status.whole()
        peers = status.pop("peers")
        return {
            "worker": self._share.number,
            "workers_num": self._share.workers_num,
            "is_ready": self.is_ready,
            "build": BUILD,
            "process": process,
            "loop_lag": self._lag.lags.plain(),
            "jobs_done": self._jobs.plain(),
            "profile_keys": self._upstreams.profile_keys(),
            "peers_num": len(peers),
            "in_flight_num": sum(peer["in_flight_num"] for peer in peers),
            "unread_bytes": sum(peer["unread_bytes"] for peer in peers),
            "status": status | {"pools": by_endpoint(status["pools"], self._upstreams.hosts())},
        }


def by_endpoint(pools: Sequence[Mapping[str, Any]], hosts: Iterable[str]) -> list[dict[str, Any]]:
    """Figures of host pools, of one endpoint and profile together. hosts: the endpoints', known."""
    known = sorted(hosts, key=len, reverse=True)  # of two that fit, the one that says more
    named = [{**pool, "origin": endpoint_of(pool["origin"], known)} for pool in pools]
    together: list[dict[str, Any]] = merged([{"pools": named}])["pools"]
    return together


def endpoint_of(origin: str, known: Iterable[str]) -> str:
    """Which of the known endpoints, as host:port, a host pool's origin belongs to."""
    host = urlsplit(origin).netloc
    return next((one for one in known if host == one or host.endswith(f".{one}")), OTHER)


def whole_status(snapshots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The status of all workers as that of one, with counts only: for who may not see names."""
    whole = merged([_status(one) for one in snapshots])
    workers = [
        {
            "number": one["worker"],
            "pid": one["status"]["pid"],
            "is_ready": one["is_ready"],
            "uptime_s": one["status"]["uptime_s"],
            "peers_num": one["peers_num"],
            "running_num": one["status"]["jobs"]["running_num"],
        }
        for one in snapshots
    ]
    more = {"workers": workers, "workers_num": max(one["workers_num"] for one in snapshots)}
    counts: dict[str, Any] = counts_only(whole) | more
    return counts


def _status(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    names = ("pid", "worker", "is_leader", "keys")  # of one, or of those who have roles
    kept = {key: value for key, value in snapshot["status"].items() if key not in names}
    more = ("peers_num", "in_flight_num", "unread_bytes", "profile_keys", "process")
    return kept | {key: snapshot[key] for key in more}


def counts_only(figures: Any) -> Any:
    """The same without texts, but for NAMES."""
    if isinstance(figures, Mapping):
        return {
            key: value if key in NAMES else counts_only(value)
            for key, value in figures.items()
            if key in NAMES or not isinstance(value, str)
        }
    if isinstance(figures, (list, tuple)):
        return [counts_only(one) for one in figures if not isinstance(one, str)]
    return figures
