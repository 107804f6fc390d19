"""Signals that end a copy: everything is undone first, then the process dies of the signal.

Of the signal itself, not with a status of its own: a shell tells both as 128 and the number, but
only the first one ends a loop of the shell's when the user presses Ctrl-C. And it waits for no
thread, which may be stuck in a read of a terminal.
"""

import asyncio
import os
import signal
from typing import Any

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Cancels a task when one of the signals comes. number: which one did."""

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self.number: int | None = None
        self._task = task

    def watch(self) -> None:
        """From now on. Those stay ignored that were: by nohup, or by a shell for its background."""
        loop = asyncio.get_running_loop()
        for number in WATCHED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._on, number)

    def _on(self, number: int) -> None:
        if self.number is None:
            self.number = number
            self._task.cancel()


def die_of(number: int) -> None:
    """End this process by a signal, at once."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
