"""How long a client waits for a daemon that is not there. No I/O; the time is an argument."""

from __future__ import annotations

from botod.ipc.reply import NothingDone

TYPE_CHECKING = False

FIRST_PAUSE_S = 0.01
"""A restart takes some tenths of a second: the first pauses are a small part of that."""

LONGEST_PAUSE_S = 0.5


class Retrying:
    """What one request, or one `connect`, still puts up with.

    wait_s: from the first failure on, in seconds; 0: an absent daemon is an error at once.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._deadline: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._may_repeat = True

    def pause_s(self, error: Exception, *, now: float) -> float:
        """How long to pause before another try. Raises the error if there is to be none.

        A request of which nothing was done is tried once more in any case, on a new connection.
        """
        if self._deadline is None:
            self._deadline = now + self._wait_s
        is_nothing_done = isinstance(error, NothingDone)
        if is_nothing_done and self._may_repeat:
            self._may_repeat = False
            return 0.0
        if now >= self._deadline:
            raise error.error if isinstance(error, NothingDone) else error
        pause_s = min(self._pause_s, self._deadline - now)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s
