"""What can go wrong in the pool. Imports nothing, so that every module may import it.

Three families, told apart by what boto's retry loop may do with them:

- `NotSent` and `Interrupted` are `ConnectionError`s: boto tries again.
- `OutcomeUnknown` is none of boto's retryable exceptions: the server may have acted.
- all others say that this side refused or gave up: trying again at once is no cure.
"""


class PoolError(Exception):
    """Base of everything the pool raises."""


class NotInGreenlet(PoolError):
    """Blocking style was used where nothing can be parked. Wrap the call in `spawn(...)`."""


class PoolClosed(PoolError):
    """The pool is closing or closed; it starts nothing new."""


class PoolFull(PoolError):
    """So many wait for a slot of this host already that one more was refused.

    At once; or later, to make room for somebody of whose kind (see `Terms.key`) fewer wait, or with
    the same first level but a higher priority.

    limit: the bound that was reached, "max_waiting" or "max_waiting_per_key".
    """

    def __init__(self, message: str, *, limit: str = "max_waiting") -> None:
        super().__init__(message)
        self.limit = limit


class PoolTimeout(PoolError):
    """No slot of this host became free in time. Nothing was sent."""


class DeadlineExceeded(PoolError):
    """The deadline given to `spawn` passed."""


class Unsupported(PoolError):
    """boto asked for something that the pool does not carry."""


class NotSent(PoolError, ConnectionError):
    """The request never left: name not resolved, no connection, no TLS. Safe to try again."""


class ConnectTimeout(NotSent, TimeoutError):
    """Connecting took too long. Nothing was sent."""


class HostResting(NotSent):
    """The host took no connections just now, so it was not asked again. Nothing was sent."""


class Interrupted(PoolError, ConnectionError):
    """An idempotent request broke off after it was sent. Safe to try again."""


class OutcomeUnknown(PoolError):
    """Bytes of the request went out and no full answer came: the server may have acted or not."""
