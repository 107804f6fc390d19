"""Some greenlets at once that do one thing together."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Self

from botod.pool import bridge
from botod.pool.parked import PARTS
from botod.pool.spawned import Spawned

P = ParamSpec("P")


class Crew:
    """Runs functions in greenlets, at most `at_once` of them, for the length of a block.

    at_once may be set anew; what runs stays.

    One that fails ends the block: its error is raised where the block waits next. What still runs
    at the end of the block is cancelled; it ends before anything that is spawned later begins.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._running: set[Spawned[Any]] = set()
        self._error: BaseException | None = None
        self._changed: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._error = None
        for future in self._running:
            future.cancel()

    @property
    def running_num(self) -> int:
        return len(self._running)

    def start(self, fn: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have `fn` run in a greenlet; parks while as many run as may. Raises what one raised."""
        while self.running_num >= self.at_once:
            self.join_one()
        self._raise_error()
        future = bridge.spawn(fn, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._ended)

    def join(self) -> None:
        """Park until all have ended. Raises what one raised."""
        while self._running:
            self.join_one()
        self._raise_error()

    def join_one(self) -> None:
        """Park until one more has ended. Raises what one raised."""
        self._raise_error()
        self._changed = asyncio.get_running_loop().create_future()
        bridge.wait(self._changed, PARTS)
        self._raise_error()

    def _ended(self, future: "asyncio.Future[Any]") -> None:
        assert isinstance(future, Spawned), "not what was started"
        self._running.discard(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        self._error = self._error or error
        if self._changed is not None:
            bridge.settle(self._changed)

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
