"""Whether a host takes connections, so that one that does not is asked by one job, not by all.

After a few connections in a row that failed, or some more that broke before they brought an answer,
a host rests: jobs for it fail at once. When the rest is over the next job probes it, alone. If that
works all is well again, if not the next rest is twice as long. No I/O; the time is an argument.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import random

from botod.pool.errors import HostResting

FAILURES_MAX = 3
"""Failed connections in a row before a rest: one may be a restart, two bad luck."""

BREAKS_MAX = 10
"""Requests in a row that were sent and broke off without an answer before a rest: what was in
flight on one server that went down may be several."""

FIRST_REST_S = 1.0
LONGEST_REST_S = 30.0
"""A host that comes back is noticed within this."""


class HealthState(Enum):
    """What is known of the host."""

    GOOD = "good"
    RESTING = "resting"
    PROBED = "probed"


@dataclass(frozen=True)
class HealthStats:
    """The host's health. `rests_total` counts rests, `refused_total` jobs refused meanwhile.

    breaks_in_row_num: of requests that were sent and got no answer.
    """

    state: str
    failures_in_row_num: int
    breaks_in_row_num: int
    rests_total: int
    refused_total: int


class Health:
    """One host's.

    jitter: gives a number from 0 to 1; rests are up to a quarter shorter by it, so that daemons on
    many hosts do not probe in step.
    """

    def __init__(self, *, jitter: Callable[[], float] = random) -> None:
        self.state = HealthState.GOOD
        self._jitter = jitter
        self._failures = 0
        self._breaks = 0
        self._rest_s = FIRST_REST_S
        self._rests_until = 0.0
        self._rests_total = 0
        self._refused_total = 0

    def __repr__(self) -> str:
        return f"<Health {self.state.value}, {self._failures} failures in a row>"

    def check(self, *, now: float) -> bool:
        """Whether the next request would be the probe.

        Raises HostResting if there is no sense in waiting for a slot.
        """
        if self.state is HealthState.GOOD:
            return False
        if self.state is HealthState.PROBED:
            self._refuse("it is being tried")
        if now < self._rests_until:
            self._refuse(f"it is tried again in {self._rests_until - now:.1f} s")
        return True

    def admit(self, *, now: float) -> bool:
        """Let a request go; whether it is the probe, as the first one after a rest is.

        Raises HostResting.
        """
        is_probe = self.check(now=now)
        if is_probe:
            self.state = HealthState.PROBED
        return is_probe

    def connected(self) -> None:
        """A request was sent: the host takes connections. Long polls are answered much later.

        Where that alone meant little of late, an answer is waited for.
        """
        self._failures = 0
        if self.state is not HealthState.GOOD and self._breaks < BREAKS_MAX:
            self._be_good()

    def answered(self) -> None:
        """An answer came, whatever it says; to a request that may be older than a rest."""
        self._breaks = 0
        if self.state is HealthState.PROBED and not self._failures:
            self._be_good()

    def failed(self, *, now: float) -> None:
        """A connection could not be made."""
        self._failures += 1
        if self.state is HealthState.PROBED or self._failures == FAILURES_MAX:
            self._rest(now)

    def broke(self, *, now: float) -> None:
        """A request was sent, and the connection broke before an answer came."""
        self._breaks += 1
        if self.state is HealthState.PROBED or self._breaks == BREAKS_MAX:
            self._rest(now)

    def gave_up(self) -> None:
        """A request ended before it could be told whether the host takes connections."""
        if self.state is HealthState.PROBED:
            self.state = HealthState.RESTING  # its time is over: the next request is the probe

    def stats(self) -> HealthStats:
        return HealthStats(
            self.state.value,
            self._failures,
            self._breaks,
            self._rests_total,
            self._refused_total,
        )

    def _be_good(self) -> None:
        self.state = HealthState.GOOD
        self._rest_s = FIRST_REST_S

    def _rest(self, now: float) -> None:
        self.state = HealthState.RESTING
        self._rests_until = now + self._rest_s * (1 - self._jitter() / 4)
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
        self._rests_total += 1

    def _refuse(self, when: str) -> None:
        self._refused_total += 1
        what = f"{self._failures} connections in a row failed"
        if self._breaks >= BREAKS_MAX:
            what = f"{self._breaks} requests in a row broke off without an answer"
        raise HostResting(f"{what}; {when}")
