"""One who waits for a slot of a host."""

from collections.abc import Callable, Hashable
from enum import Enum
from typing import TYPE_CHECKING

from botod.pool.fairness import path_of
from botod.pool.tracks import poll_path

if TYPE_CHECKING:
    from botod.pool.errors import PoolError


class WaiterState(Enum):
    """How far a waiter has come."""

    NEW = "new"
    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    LEFT = "left"


class Waiter:
    """One who waits for a slot.

    wake: called once when the wait is over, by grant or by refusal; must not run the queue again.
    since: the time at which it began to wait.
    deadline: the time at which it has waited long enough.
    key: for whom; the queue is fair between keys. A pair is (first level, second level), a triple
        (first level, priority, second level): see `fairness`.
    is_poll: it waits in the track of polls: see `tracks`.
    """

    __slots__ = ("deadline", "error", "is_poll", "path", "since", "state", "wake")

    def __init__(
        self,
        wake: Callable[[], None],
        *,
        since: float,
        deadline: float,
        key: Hashable = None,
        is_poll: bool = False,
    ) -> None:
        self.wake = wake
        self.since = since
        self.deadline = deadline
        self.is_poll = is_poll
        self.path = poll_path(path_of(key)) if is_poll else path_of(key)
        self.state = WaiterState.NEW
        self.error: PoolError | None = None

    def __repr__(self) -> str:
        return (
            f"<Waiter {self.state.value} path={self.path} since={self.since} "
            f"deadline={self.deadline}>"
        )
