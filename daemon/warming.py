"""The tasks that keep sockets warm: one a host, made and ended as the profiles change."""

import asyncio
from collections.abc import Mapping

from botod.pool import Pool
from botod.pool.origin import Origin
from botod.pool.warmth import keep_warm


class Warming:
    """All hosts of a pool that are to be kept warm."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._tasks: dict[tuple[Origin, int], asyncio.Task[None]] = {}

    def keep(self, sockets: Mapping[Origin, int]) -> None:
        """From now on so many to each of these, and to no others."""
        for gone in self._tasks.keys() - sockets.items():
            self._tasks.pop(gone).cancel()
        for origin, number in sockets.items() - self._tasks.keys():
            warming = keep_warm(self._pool, origin, number)
            task = asyncio.create_task(warming, name=f"keep_warm {origin}")
            self._tasks[origin, number] = task

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        self.keep({})
        if tasks:
            await asyncio.wait(tasks)
