"""Threads in which peers' files are read and written: a disk may take its time."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from botod.daemon.job_states import JobState
from botod.pool import wait

P = ParamSpec("P")
T = TypeVar("T")

THREADS_MAX = 16
"""Reads and writes at once. A disk is at full speed with about so many under way; and what hangs,
a file on a server that is gone, holds a thread for as long."""

USER_THREADS_MAX = 4
"""Of these for one user: whose files hang leaves the others theirs. A disk is fast with four."""


class FileThreads(Executor):
    """Up to `threads_max` threads, made as they are needed.

    Not the loop's own, which hash and resolve: slow files would starve those. And not the standard
    library's, which are joined at exit: a file that hangs would keep the daemon from ending.
    """

    def __init__(self, threads_max: int = THREADS_MAX) -> None:
        self._threads_max = threads_max
        self._threads_num = 0
        self._growing = threading.Lock()
        self._users: WeakValueDictionary[int, UserThreads] = WeakValueDictionary()
        self._idle = threading.Semaphore(0)
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def run(self, call: Callable[[], T]) -> T:
        """`call()`, while the calling greenlet parks. Cancelled, it is left to itself."""
        return wait(asyncio.get_running_loop().run_in_executor(self, call), JobState.FILE)

    def of(self, uid: int) -> "UserThreads":
        """One user's share of them."""
        threads = self._users.get(uid)
        if threads is None:
            threads = self._users[uid] = UserThreads(self)
        return threads

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        future: Future[T] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        with self._growing:
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


class UserThreads:
    """A few of the threads at a time, for the calls of one user in their order.

    Gone when no job of the user's is left that could use it.
    """

    def __init__(self, threads: FileThreads) -> None:
        self._threads = threads
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._taken_num = 0
        self._lock = threading.Lock()

    def run(self, call: Callable[[], T]) -> T:
        """As `FileThreads.run`."""
        future: Future[T] = Future()
        with self._lock:
            self._calls.append((future, call))
            if self._taken_num < USER_THREADS_MAX:
                self._taken_num += 1
                self._threads.submit(self._do_next)
        return wait(asyncio.wrap_future(future), JobState.FILE)

    def _do_next(self) -> None:
        """In a thread: one call; the next one goes behind those of other users."""
        with self._lock:
            future, call = self._calls.popleft()
        if future.set_running_or_notify_cancel():
            _settle(future, call)
        with self._lock:
            if self._calls:
                self._threads.submit(self._do_next)
            else:
                self._taken_num -= 1


def _settle(future: "Future[Any]", call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - a library border: handed to whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)
