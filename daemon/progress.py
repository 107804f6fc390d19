"""Tells peers how far their job is, every now and then."""

import asyncio
from collections.abc import Callable
from typing import Any

PERIOD_S = 0.5
"""Between two messages: often enough for a bar that a person looks at."""

Value = dict[str, Any]


class Progress:
    """A clock that tells what has changed.

    look: gives how far the job is. tell: is given that, where it is not what was told before.
    """

    def __init__(self, look: Callable[[], Value], tell: Callable[[Value], None]) -> None:
        self._look = look
        self._tell = tell
        self._told = look()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on."""
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._tick)

    def stop(self) -> None:
        """Nothing more is told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        value = self._look()
        if value != self._told:
            self._told = value
            self._tell(value)
        self.start()
