"""Whether one more job may begin: gates, how many run, of what kind, and whether it is the end."""

import asyncio
from typing import Any

from botod.daemon.gates import Gates
from botod.daemon.job import ROOM_AFTER_MS
from botod.ipc.errors import Code, RpcError
from botod.ipc.limits import Refusals
from botod.pool.tracks import polls_max


class Admission:
    """The jobs that run, and the bounds on them.

    gates: what an administrator lets through. jobs_max: jobs at once, those whose answers are still
    streamed among them; of these polls have a share, as of a host's slots, so that a crowd of them
    keeps nobody else out. refusals: how often a limit refused something. running: what a stop waits
    for; polling: those of them that are long polls. Who begins something adds it to these, and who
    ends it discards it.
    """

    def __init__(self, gates: Gates, *, jobs_max: int) -> None:
        self.jobs_max = jobs_max
        self.refusals = Refusals()
        self.running: set[asyncio.Future[Any]] = set()
        self.polling: set[asyncio.Future[Any]] = set()
        self._gates = gates
        self._is_draining = False

    def check(self, profile: str | None = None, *, is_poll: bool = False) -> None:
        """Raise RpcError if nothing more may begin: DRAINED, SHUTTING_DOWN, or OVERLOADED.

        profile: whose gates it has to pass; None: none yet, its operation is still to be read.
        """
        if profile is not None and not self._gates.are_open:
            self._gates.check(profile)
        if self._is_draining:
            raise RpcError(Code.SHUTTING_DOWN, "the daemon is shutting down", {"retryable": True})
        if len(self.running) >= self.jobs_max:
            words = f"{self.jobs_max} jobs are running already"
            raise self.refusals.error("jobs", words, retry_after_ms=ROOM_AFTER_MS)
        if is_poll and len(self.polling) >= polls_max(self.jobs_max):
            words = f"{len(self.polling)} long polls are running already, of {self.jobs_max} jobs"
            raise self.refusals.error("jobs", words, retry_after_ms=ROOM_AFTER_MS)

    async def drain(self, timeout_s: float) -> None:
        """Let nothing more begin; let what runs finish for up to `timeout_s`, then end it."""
        self._is_draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self.running and (left_s := deadline - loop.time()) > 0:
            await asyncio.wait(self.running, timeout=left_s)
        while self.running:
            for future in list(self.running):
                future.cancel()
            await asyncio.wait(self.running)
