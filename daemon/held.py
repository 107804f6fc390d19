"""What one job holds of the bytes that all peers may have in memory together."""

from botod.ipc.limits import Budget, Refusals


class Held:
    """Some bytes of a budget, given back at the end."""

    def __init__(self, budget: Budget, refusals: Refusals) -> None:
        self._budget = budget
        self._refusals = refusals
        self._size = 0

    def take(self, size: int) -> None:
        """Hold `size` bytes more. Raises RpcError, OVERLOADED, if they are not there."""
        if not self._budget.reserve(size):
            raise self._refusals.error(
                "buffered_bytes",
                f"{size} bytes more would be over the {self._budget.total_bytes} that all peers "
                "may have in memory; descriptors and streams take less",
            )
        self._size += size

    def release(self) -> None:
        """Give all of them back."""
        size, self._size = self._size, 0
        self._budget.release(size)
