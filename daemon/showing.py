"""`botod.show`: rows of what is inside, for an administrator. Never keys, bodies or params."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from itertools import islice
from operator import itemgetter
from typing import Any

from botod.daemon.config import Config, ConfigError
from botod.daemon.config_text import tables_of
from botod.daemon.console import Deed
from botod.daemon.gates import Gates
from botod.daemon.job_states import JobState, state_of
from botod.daemon.killing import Ids
from botod.daemon.loads import Loading
from botod.daemon.reloading import AFTER_RESTART
from botod.daemon.runs import Run
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Number, Struct, Text
from botod.daemon.settings import SECTIONS, LimitSettings
from botod.daemon.upstreams import Profile, Upstreams
from botod.daemon.worker import Worker
from botod.ipc.exchange import Sender
from botod.ipc.server import Server
from botod.pool import Pool

JOBS_MAX = 500
"""Jobs of one worker that are told, the oldest: a row takes some 10 µs with its JSON, 5 ms for all,
and nobody reads more."""

SHAPE = Struct(
    {"what": Text(choices=("jobs", "profiles", "config", "limits"))},
    {"most": Number(1, JOBS_MAX)},
)

Row = dict[str, Any]


class Showing:
    """What one worker shows.

    ids: of its jobs and peers. config: gives what holds; read_config: the file as it is now, and
    may block.
    """

    def __init__(
        self,
        *,
        ids: Ids,
        worker: Worker,
        server: Server,
        pool: Pool,
        upstreams: Upstreams,
        gates: Gates,
        config: Callable[[], Config],
        read_config: Callable[[], Config],
    ) -> None:
        self._ids = ids
        self._worker = worker
        self._server = server
        self._pool = pool
        self._upstreams = upstreams
        self._gates = gates
        self._config = config
        self._read_config = read_config

    def deed(self) -> Deed:
        return Deed(self._show, SHAPE, is_change=False)

    async def _show(self, params: Params) -> Mapping[str, Any]:
        what = params["what"]
        if what == "jobs":
            return self._jobs(params.get("most", JOBS_MAX))
        if what == "profiles":
            return {"rows": [self._profile(*one) for one in self._upstreams.profiles.items()]}
        if what == "limits":
            return {"rows": list(self._limits())}
        return await self._settings()

    def _jobs(self, most: int) -> Mapping[str, Any]:
        """The oldest first; `left_out_num`: how many more there are."""
        now, roll, loads = asyncio.get_running_loop().time(), self._worker.roll, self._worker.loads
        rows = [self._job(run, now) for run in islice(roll, most)]
        rows += [self._loading(one, now) for one in islice(loads.values(), most)]
        rows = sorted(rows, key=itemgetter("age_s"), reverse=True)[:most]
        return {"rows": rows, "left_out_num": len(roll) + len(loads) - len(rows)}

    def _whose(self, method: str, profile: str, sender: Sender, age_s: float) -> Row:
        """What was asked for, by whom, and how long ago."""
        return {
            "operation": method,
            "profile": profile,
            "uid": sender.uid,
            "pid": sender.pid,
            "peer": self._ids.peer(sender.connection_id),
            "age_s": round(age_s, 3),
        }

    def _loading(self, one: Loading, now: float) -> Row:
        """What is no job yet, and so has no id."""
        method, profile = one.exchange.request.method, one.options.profile
        return {
            "id": None,
            **self._whose(method, profile, one.exchange.sender, now - one.began),
            "state": JobState.MODEL,
            "attempts": 0,
            "sent_bytes": 0,
            "received_bytes": 0,
        }

    def _job(self, run: Run, now: float) -> Row:
        job, profile = run.job, run.job.options.profile
        return {
            "id": self._ids.job(run.number),
            **self._whose(job.method, profile, run.sender, now - run.began),
            "state": state_of(run, is_paused=self._gates.is_paused(profile)),
            "attempts": job.terms.attempts_num,
            "sent_bytes": run.moved.sent_bytes,
            "received_bytes": run.moved.received_bytes,
        }

    def _profile(self, name: str, profile: Profile) -> Row:
        keys = profile.keys.stats()
        hosts = [one for one in self._pool.stats() if one.origin.lane.name == name]
        return {
            "profile": name,
            "gate": self._gates.of(name),
            "region": profile.settings.region,
            "keys": keys.source if profile.keys.has_keys else "none",
            "expires_in_s": keys.expires_in_s,
            "failure": keys.failure,
            "running_num": self._worker.roll.number_of(name),
            "hosts_num": len(hosts),
            "leased_num": sum(one.slots.leased_num for one in hosts),
            "waiting_num": sum(one.slots.waiting_num for one in hosts),
        }

    def _limits(self) -> Iterator[Row]:
        """Each limit: its share of it, how much is in use, how often it refused something.

        used: of a limit that is one user's, peer's or host's, by the one who has most; None: it is
        none of which there is more or less.
        """
        config, used = self._config(), self._used()
        refused = Counter(self._server.refusals.by_limit())
        refused.update(self._worker.refusals.by_limit())
        known = [
            (field.name, getattr(config.limits, field.name)) for field in fields(LimitSettings)
        ]
        known += [(name, getattr(config.pool, name)) for name in _POOL_LIMITS]
        for name, limit in known:
            yield {
                "limit": name,
                "value": limit,
                "used": used.get(name),
                "refused_total": refused[name],
            }

    def _used(self) -> Mapping[str, int]:
        hosts = [one.slots for one in self._pool.stats()]
        return {
            **self._server.used(),
            "jobs": self._worker.running_num,
            "slots_per_host": max((one.leased_num for one in hosts), default=0),
            "total_slots": self._pool.total_stats().leased_num,
            "max_waiting": max((one.waiting_num for one in hosts), default=0),
        }

    async def _settings(self) -> Mapping[str, Any]:
        """Each setting: what holds, what the file has now, and what makes that hold.

        file_error: why the file cannot be had as it is now.
        """
        held = _values(self._config())
        try:
            there, error = _values(await asyncio.to_thread(self._read_config)), ""
        except ConfigError as found:
            there, error = held, str(found)
        rows = [_setting(key, held.get(key), there.get(key)) for key in held | there]
        return {"rows": rows, "file_error": error}


_POOL_LIMITS = (
    "slots_per_host", "total_slots", "max_waiting", "max_waiting_per_uid", "slot_timeout_s",
)  # fmt: skip
"""Of `[pool]`, those that refuse somebody something."""


def _values(config: Config) -> dict[tuple[str, str], Any]:
    """By section and name; passwords are hidden, rules are one value."""
    tables = tables_of(config)
    found = {(name, key): value for name in SECTIONS for key, value in tables[name].items()}
    for profile, table in tables["profile"].items():
        found |= {(f"profile.{profile}", key): value for key, value in table.items()}
    found["policy", "rules"] = tables["policy"]
    return found


def _setting(key: tuple[str, str], held: Any, there: Any) -> Row:
    waits = "" if held == there else "restart" if key in AFTER_RESTART else "reload"
    section, name = key
    return {"section": section, "name": name, "value": held, "in_file": there, "waits_for": waits}
