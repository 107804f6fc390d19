"""What one job holds of the bytes that all peers may have in memory together."""

from collections.abc import Callable
from contextvars import ContextVar

from botod.ipc.limits import Budget, Refusals
from botod.pool.during import During


class Held:
    """Some bytes of a budget, given back at the end."""

    __slots__ = ("_budget", "_refusals", "_size")

    def __init__(self, budget: Budget, refusals: Refusals) -> None:
        self._budget = budget
        self._refusals = refusals
        self._size = 0

    def take(self, size: int) -> None:
        """Hold `size` bytes more. Raises RpcError, OVERLOADED, if they are not there."""
        if not self.try_take(size):
            limit = self._budget.limit_of(size)
            words = f"{size} bytes more would be over {limit}; descriptors and streams take less"
            raise self._refusals.error(limit, words)

    def try_take(self, size: int) -> bool:
        """Hold `size` bytes more, if they are there."""
        is_there = self._budget.reserve(size)
        self._size += size if is_there else 0
        return is_there

    def apart(self) -> "Held":
        """None yet of the same budget, to be given back by themselves."""
        return Held(self._budget, self._refusals)

    def take_some(self, size: int, most: int) -> int:
        """Hold `size` bytes up to `most` times, once at least; how often. Raises RpcError."""
        self.take(size)
        taken = 1
        while taken < most and self.try_take(size):
            taken += 1
        return taken

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less; nothing once all were given back."""
        size = min(size, self._size)
        self._size -= size
        self._budget.release(size)

    def force(self, size: int) -> None:
        """Hold `size` bytes more, there or not: for what has to be read whatever it takes."""
        self._budget.force(size)
        self._size += size

    def release(self) -> None:
        """Give all of them back."""
        if self._size:
            size, self._size = self._size, 0
            self._budget.release(size)


_current: ContextVar[Held | None] = ContextVar("botod_held", default=None)


def holding(held: Held) -> During[Held]:
    """Make `held` what every function spawned in a block holds its bytes in."""
    return During(_current, held)


hold_in: Callable[[Held], object] = _current.set
"""The same for the function that runs, from here to the end of its greenlet."""


def current_held() -> Held | None:
    """That of the job that runs here; None outside of one."""
    return _current.get()
