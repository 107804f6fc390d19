"""botod.pool: boto 2 over one event loop. Blocking style in greenlets, connections from a pool."""

import botod.pool.old_boto  # noqa: F401 - before the first import of boto
from botod.pool.boto import connect, pooled
from botod.pool.bridge import in_greenlet, sleep, spawn, spawn_apart, spawn_until, wait
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
from botod.pool.host_pool import HostPoolStats
from botod.pool.keys import HeldKeys
from botod.pool.pool import Pool
from botod.pool.terms import Terms, current_terms, on_terms, use_terms
from botod.pool.visits import slow_visits, visit_stats, watched_visits

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
    "use_terms",
    "visit_stats",
    "wait",
    "watched_visits",
]
