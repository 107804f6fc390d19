"""A lock between greenlets, where boto has one between threads."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

from botod.pool import bridge


class GreenletLock:
    """threading.Semaphore's face, for greenlets of one loop; first come, first served.

    A lock of threads would stop the loop in the second greenlet that wants it, and with the loop
    the first one, which has it.
    """

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def acquire(self, *_args: Any) -> bool:
        """Have the lock; parks until it is free."""
        if not self._is_held:
            self._is_held = True
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            bridge.wait(turn)
        except BaseException:
            # Handed over in the turn in which the waiter was ended: it goes to the next.
            if turn.done() and not turn.cancelled():
                self.release()
            raise
        return True

    def release(self) -> None:
        """Give it to whoever waits longest, else free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_held = False

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
