"""What an administrator has done to the way of jobs: of all, and of single profiles.

A gate is open, paused (jobs come and wait, no request goes out) or drained (no jobs come, those
that there are go on). It stands before this process only, and is forgotten with it; a worker that
comes in another's place has those of its colleagues.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from botod.ipc.errors import Code, RpcError
from botod.pool import Pool

COME_AGAIN_MS = 5000
"""When to come back to what is drained: by somebody's hand, and so for minutes."""


class Gate(StrEnum):
    """What becomes of jobs that come there."""

    OPEN = "open"
    PAUSED = "paused"
    DRAINED = "drained"


class Gates:
    """The gate before all jobs, and one before each profile; a job has to pass both.

    are_open: each of them is.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.are_open = True
        self._all = Gate.OPEN
        self._profiles: dict[str, Gate] = {}

    def turn(self, profile: str | None, gate: Gate) -> None:
        """Have a profile's gate be so; None: that of all. To open that opens each profile's."""
        if profile is not None:
            self._profiles[profile] = gate
        else:
            self._all = gate
            if gate is Gate.OPEN:
                self._profiles.clear()
        self.are_open = {self._all, *self._profiles.values()} == {Gate.OPEN}
        self._pool.hold(self.is_paused)

    def told(self) -> dict[str, Any]:
        """All of them, for a colleague to take."""
        return {"all": self._all, "profiles": dict(self._profiles)}

    def take(self, told: Mapping[str, Any]) -> None:
        """Have those that a colleague has turned."""
        turned = {None: told["all"], **told["profiles"]}
        for profile, gate in turned.items():
            if gate != Gate.OPEN:
                self.turn(profile, Gate(gate))

    def check(self, profile: str) -> None:
        """Raise DRAINED if no jobs of a profile are taken."""
        if Gate.DRAINED in self._both(profile):
            what = "no jobs" if self._all is Gate.DRAINED else f"no jobs of profile {profile!r}"
            words = f"{what} are taken: an administrator drained it; nothing was sent"
            data = {"retryable": True, "retry_after_ms": COME_AGAIN_MS}
            raise RpcError(Code.DRAINED, words, data)

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs may come at all: what is paused takes them, and has them wait."""
        return self._all is not Gate.DRAINED

    def is_paused(self, profile: str) -> bool:
        """Whether no requests of a profile go out."""
        return Gate.PAUSED in self._both(profile)

    def of(self, profile: str) -> Gate:
        """What becomes of a profile's jobs; of two the stricter."""
        for gate in (Gate.DRAINED, Gate.PAUSED):
            if gate in self._both(profile):
                return gate
        return Gate.OPEN

    def _both(self, profile: str) -> tuple[Gate, Gate]:
        return self._all, self._profiles.get(profile, Gate.OPEN)
