"""How late the loop is with what is due: what each peer waits on top, whatever it asks for."""

import asyncio

from botod.daemon.metrics.histogram import Histogram

TICK_S = 0.5
"""Two wakes a second, 20 us each: nothing of a core, and one stall of a second is seen twice."""


class LoopLag:
    """Has the loop call it now and then, and counts how late it does."""

    def __init__(self) -> None:
        self.lags = Histogram()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        assert self._timer is not None, "a tick that nobody started"
        # The loop calls a timer up to its clock's resolution too early.
        self.lags.observe(max(0.0, self._loop.time() - self._timer.when()))
        self.start()
