"""Threads for files: bounded, lazy, and left behind when one hangs."""

import asyncio
import subprocess
import sys
import threading
from functools import partial
from typing import Any

import pytest

from botod.daemon.file_threads import USER_THREADS_MAX, FileThreads
from botod.pool import spawn
from support.loops import BOUND_S


def test_a_greenlet_parks_while_a_thread_works() -> None:
    """The loop goes on; the result and errors come back."""

    async def main() -> None:
        threads = FileThreads()
        release = threading.Event()
        future = spawn(threads.run, lambda: release.wait(BOUND_S))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        release.set()
        assert await future is True
        with pytest.raises(ZeroDivisionError):
            await spawn(threads.run, lambda: 1 // 0)

    asyncio.run(main())


def test_no_more_work_at_once_than_there_may_be_threads() -> None:
    """The rest waits; a thread that is idle is used again."""
    threads = FileThreads(2)
    together = threading.Barrier(3)
    futures = [threads.submit(together.wait, BOUND_S) for _ in range(2)]
    third = threads.submit(threading.get_ident)
    assert not third.done()
    together.wait(BOUND_S)
    for future in futures:
        future.result(BOUND_S)
    idents = {third.result(BOUND_S)}
    for _ in range(50):
        idents.add(threads.submit(threading.get_ident).result(BOUND_S))
    assert len(idents) <= 2
    threads.shutdown()


def test_what_was_cancelled_before_it_began_is_not_done() -> None:
    """Nobody waits for it any more."""
    threads = FileThreads(1)
    release = threading.Event()
    done: list[Any] = []
    first = threads.submit(release.wait, BOUND_S)
    second = threads.submit(done.append, 1)
    assert second.cancel()
    release.set()
    assert first.result(BOUND_S)
    assert threads.submit(len, done).result(BOUND_S) == 0
    threads.shutdown()


def test_one_user_s_files_that_hang_leave_the_others_theirs() -> None:
    """However many it has; its own go on in their order when one comes back."""

    async def main() -> None:
        threads = FileThreads(USER_THREADS_MAX + 1)
        hang, done = threading.Event(), threading.Event()
        reads = [
            spawn(threads.of(7).run, lambda: hang.wait(BOUND_S)) for _ in range(USER_THREADS_MAX)
        ]
        behind = spawn(threads.of(7).run, done.set)
        assert await spawn(threads.of(8).run, lambda: b"read") == b"read"
        assert not done.is_set()
        hang.set()
        assert await asyncio.gather(*reads, behind) == [True] * USER_THREADS_MAX + [None]
        threads.shutdown()

    asyncio.run(main())


def test_a_user_s_call_that_is_cancelled_behind_others_is_not_done() -> None:
    """Those behind it are."""

    async def main() -> None:
        threads = FileThreads()
        hang = threading.Event()
        reads = [
            spawn(threads.of(7).run, lambda: hang.wait(BOUND_S)) for _ in range(USER_THREADS_MAX)
        ]
        calls: list[int] = []
        gone, last = (spawn(threads.of(7).run, partial(calls.append, number)) for number in (1, 2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        hang.set()
        await asyncio.gather(*reads, last)
        assert calls == [2]
        threads.shutdown()

    asyncio.run(main())


def test_shut_down_they_end() -> None:
    """As soon as each is idle."""
    threads = FileThreads(1)
    mine = threads.submit(threading.current_thread).result(BOUND_S)
    threads.shutdown()
    mine.join(BOUND_S)
    assert not mine.is_alive()


def test_a_process_ends_though_one_hangs() -> None:
    """As a read of a file whose server is gone would."""
    script = """
import threading
from botod.daemon.file_threads import FileThreads
began = threading.Event()
FileThreads().submit(lambda: (began.set(), threading.Event().wait()))
began.wait()
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=BOUND_S)
    assert done.returncode == 0
