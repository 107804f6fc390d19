"""botod.pool: boto 2 over one event loop. Blocking style in greenlets, connections from a pool."""

import botod.pool.old_boto  # noqa: F401 - before the first import of boto
from botod.pool.boto import connect, pooled
from botod.pool.bridge import (
    in_greenlet,
    sleep,
    slow_visits,
    spawn,
    spawn_apart,
    spawn_until,
    visit_stats,
    wait,
    watched_visits,
)
from botod.pool.client import CurlClient
from botod.pool.crew import Crew
from botod.pool.errors import (
    ConnectTimeout,
    DeadlineExceeded,
    HostResting,
    Interrupted,
    NotInGreenlet,
    NotSent,
    OutcomeUnknown,
    PoolClosed,
    PoolError,
    PoolFull,
    PoolTimeout,
    Unsupported,
)
from botod.pool.failures import CertificateError
from botod.pool.keys import HeldKeys
from botod.pool.pool import HostPoolStats, Pool
from botod.pool.terms import Terms, current_terms, on_terms

__all__ = [
    "CertificateError",
    "ConnectTimeout",
    "Crew",
    "CurlClient",
    "DeadlineExceeded",
    "HeldKeys",
    "HostPoolStats",
    "HostResting",
    "Interrupted",
    "NotInGreenlet",
    "NotSent",
    "OutcomeUnknown",
    "Pool",
    "PoolClosed",
    "PoolError",
    "PoolFull",
    "PoolTimeout",
    "Terms",
    "Unsupported",
    "connect",
    "current_terms",
    "in_greenlet",
    "on_terms",
    "pooled",
    "sleep",
    "slow_visits",
    "spawn",
    "spawn_apart",
    "spawn_until",
    "visit_stats",
    "wait",
    "watched_visits",
]
