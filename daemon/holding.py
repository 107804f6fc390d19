"""`botod.pause`, `botod.resume`, `botod.drain`: what becomes of jobs that come."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from botod.daemon.console import Deed
from botod.daemon.gates import Gate, Gates
from botod.daemon.roll import Roll
from botod.daemon.services.operation import Params
from botod.daemon.services.shapes import Number, Struct, Text
from botod.ipc.errors import Code, RpcError
from botod.pool import Pool

WAIT_MAX_S = 3600
"""That a pause or a drain is waited for: the longest that a drain at the end may be set to, too."""

WHICH = {"profile": Text()}
WAITED = Struct({}, {**WHICH, "wait_s": Number(0, WAIT_MAX_S)})


class Holding:
    """Turns the gates. profiles: gives the names of those that there are."""

    def __init__(
        self, gates: Gates, pool: Pool, roll: Roll, profiles: Callable[[], Collection[str]]
    ) -> None:
        self._gates = gates
        self._pool = pool
        self._roll = roll
        self._profiles = profiles

    def deeds(self) -> Mapping[str, Deed]:
        """By method."""
        return {
            "botod.pause": Deed(self._pause, WAITED, takes_s=_wait_s),
            "botod.resume": Deed(self._resume, Struct({}, WHICH)),
            "botod.drain": Deed(self._drain, WAITED, takes_s=_wait_s),
        }

    async def _pause(self, params: Params) -> Mapping[str, Any]:
        profile = self._turn(params, Gate.PAUSED)
        await _bounded(self._pool.quiet(profile), params)
        return self._told(profile)

    async def _resume(self, params: Params) -> Mapping[str, Any]:
        return self._told(self._turn(params, Gate.OPEN))

    async def _drain(self, params: Params) -> Mapping[str, Any]:
        profile = self._turn(params, Gate.DRAINED)
        await _bounded(self._roll.emptied(profile), params)
        return self._told(profile)

    def _turn(self, params: Params, gate: Gate) -> str | None:
        """Which profile it is about; None: all. Raises RpcError if there is no such."""
        profile: str | None = params.get("profile")
        known = self._profiles()
        if profile is not None and profile not in known:
            words = f"no profile {profile!r}; there are: {', '.join(known)}"
            raise RpcError(Code.INVALID_PARAMS, words)
        self._gates.turn(profile, gate)
        return profile

    def _told(self, profile: str | None) -> Mapping[str, Any]:
        """What holds now, and what still runs of what was asked about."""
        hosts = self._pool.stats()
        return {
            "profiles": {name: self._gates.of(name) for name in self._profiles()},
            "running_num": self._roll.number_of(profile),
            "on_the_wire_num": sum(
                host.slots.leased_num
                for host in hosts
                if profile is None or host.origin.lane.name == profile
            ),
        }


def _wait_s(params: Params) -> float:
    return float(params.get("wait_s", 0))


async def _bounded(quiet: Awaitable[None], params: Params) -> None:
    """Wait for as long as was asked for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_wait_s(params)):
            await quiet
