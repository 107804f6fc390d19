"""The jobs under way, each with a number that no other job of this worker ever has."""

import asyncio
from collections.abc import Iterator

from botod.daemon.runs import Run


class Roll:
    """Jobs from their start to the end of their answer's stream, the oldest first."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._numbered = 0
        self._one_ended: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs.values())

    def add(self, run: Run) -> None:
        """Give a job its number."""
        self._numbered += 1
        run.number = self._numbered
        self._runs[run.number] = run

    def remove(self, run: Run) -> None:
        del self._runs[run.number]
        if self._one_ended is not None:
            self._one_ended.set()
            self._one_ended = None

    def find(self, number: int) -> Run | None:
        return self._runs.get(number)

    def number_of(self, profile: str | None) -> int:
        """How many jobs of a profile run; None: of all."""
        if profile is None:
            return len(self._runs)
        return sum(run.job.options.profile == profile for run in self)

    async def emptied(self, profile: str | None) -> None:
        """Return when no job of a profile runs; None: of any."""
        while self.number_of(profile):
            if self._one_ended is None:
                self._one_ended = asyncio.Event()
            await self._one_ended.wait()
