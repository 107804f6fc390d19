"""The tries of one job, in its greenlet: the one owner of retries in the daemon.

What is tried is a unit: a function that makes one request and reads its answer. Most operations are
one; those that make several requests give `attempt` a unit for each, so that what was done is not
done again because something after it failed.
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from botod.daemon.budget import Budget
from botod.daemon.refresher import Refresher
from botod.daemon.retries import (
    BASE_S,
    SKEW_S,
    TOO_MANY,
    Cause,
    Patience,
    cause_of,
    pause_s,
    skew_s,
)
from botod.pool import Terms, bridge, current_terms, sleep
from botod.pool.terms import Hints

from boto.exception import BotoServerError

T = TypeVar("T")

CanRepeat = Callable[[], bool]
"""Whether what is sent is still there, and nothing was written that would be written twice."""


class Attempts:
    """How requests to one upstream are tried.

    connection: boto's. keys: who has what they are signed with. budget: the host's. patience: the
    profile's.
    """

    def __init__(
        self, connection: Any, *, keys: Refresher, budget: Budget, patience: Patience
    ) -> None:
        self.connection = connection
        self._keys = keys
        self._budget = budget
        self._patience = patience

    def run(self, unit: Callable[[], T], terms: Terms, can_repeat: CanRepeat) -> T:
        """What `unit` gives, tried as often as is safe and allowed. Parks between tries."""
        self._budget.earn()
        mended: set[Cause] = set()
        tried = 0
        while True:
            version = self._keys.version
            try:
                return unit()
            except Exception as error:
                cause = cause_of(error, idempotent=terms.idempotent)
                if cause is None or not can_repeat():
                    raise
                self._tell_pool(cause, error)
                if cause in BASE_S:
                    wait_s = self._pause_s(cause, tried, terms.hints)
                elif cause in mended or not self._mend(cause, version, terms.hints):
                    raise
                else:
                    mended.add(cause)
                    self._budget.by_cause[cause.name.lower()] += 1
                    continue
                if wait_s is None:
                    raise
                self._budget.by_cause[cause.name.lower()] += 1
            tried += 1
            sleep(wait_s)

    def _pause_s(self, cause: Cause, tried: int, hints: Hints) -> float | None:
        """How long to wait before the next try; None: there is none."""
        if tried >= self._patience.tries_max:
            return None
        wait_s = pause_s(cause, tried, hints, self._patience, now=time.time())
        now = asyncio.get_running_loop().time()
        deadline = bridge.current_deadline()
        if deadline is not None and now + wait_s >= deadline:
            return None
        return wait_s if self._budget.spend(now=now) else None

    def _mend(self, cause: Cause, version: int, hints: Hints) -> bool:
        """Do something about what would be refused again; whether there was something to do."""
        if cause is Cause.KEYS:
            return self._keys.renew(version)
        late_s = skew_s(hints, now=time.time())
        keys = self.connection.provider
        if late_s is None or abs(late_s - keys.clock_offset_s) < SKEW_S:
            return False
        keys.clock_offset_s = late_s
        return True

    def _tell_pool(self, cause: Cause, error: Exception) -> None:
        """Tell it of what it cannot see: it looks at an answer's status only."""
        is_answer = isinstance(error, BotoServerError) and error.status not in TOO_MANY
        if cause is Cause.THROTTLED and is_answer:
            connection = self.connection
            origin = connection.origin_of(connection.host, connection.port, connection.is_secure)
            connection.pool.overloaded(origin)


_current: ContextVar[tuple[Attempts, CanRepeat] | None] = ContextVar("botod_attempts", default=None)


def use(attempts: Attempts, can_repeat: CanRepeat) -> None:
    """Have the running job's units tried so, from here to the end of its greenlet."""
    _current.set((attempts, can_repeat))


def attempt(unit: Callable[[], T]) -> T:
    """One request of an operation that makes several, with tries of its own."""
    current = _current.get()
    if current is None:
        return unit()
    attempts, can_repeat = current
    return attempts.run(unit, current_terms(), can_repeat)
