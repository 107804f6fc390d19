"""Threads in which peers' files are read and written: a disk may take its time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from botod.pool import wait

P = ParamSpec("P")
T = TypeVar("T")

THREADS_MAX = 16
"""Reads and writes at once. A disk is at full speed with about so many under way; and what hangs,
a file on a server that is gone, holds a thread for as long."""


class FileThreads(Executor):
    """Up to `threads_max` threads, made as they are needed.

    Not the loop's own, which hash and resolve: slow files would starve those. And not the standard
    library's, which are joined at exit: a file that hangs would keep the daemon from ending.
    """

    def __init__(self, threads_max: int = THREADS_MAX) -> None:
        self._threads_max = threads_max
        self._threads_num = 0
        self._idle = threading.Semaphore(0)
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def run(self, call: Callable[[], T]) -> T:
        """`call()`, while the calling greenlet parks. Cancelled, it is left to itself."""
        return wait(asyncio.get_running_loop().run_in_executor(self, call))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        future: Future[T] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._threads_num < self._threads_max:
            self._threads_num += 1
            threading.Thread(target=self._work, name="files", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Have the threads end when they have nothing more to do; waits for none."""
        for _ in range(self._threads_num):
            self._calls.put(None)

    def _work(self) -> None:
        while (one := self._calls.get()) is not None:
            future, call = one
            del one
            if future.set_running_or_notify_cancel():
                _settle(future, call)
            del future, call  # else it holds a block until the next one comes
            self._idle.release()


def _settle(future: "Future[Any]", call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - a library border: handed to whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)
