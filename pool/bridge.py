"""Blocking style over the event loop: `spawn(fn)` outside, `wait(awaitable)` and `sleep(s)` inside.

How a function can be put aside where it would block is told in `spawned`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import greenlet

from botod.pool.errors import NotInGreenlet
from botod.pool.parked import PAUSE
from botod.pool.spawned import Spawned

P = ParamSpec("P")
T = TypeVar("T")


def spawn(
    fn: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Spawned[T]:
    """Run `fn(*args, **kwargs)`, a plain function, in a greenlet; await or `wait` the result.

    It starts in the next turn of the loop, in a copy of the caller's context. A function spawned
    by a spawned function inherits its deadline. Raises RuntimeError where no loop runs.
    """
    return spawn_until(None, fn, *args, **kwargs)


def spawn_until(
    deadline: float | None,
    fn: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Spawned[T]:
    """`spawn` with a deadline, in seconds of the loop's clock.

    When it passes, or at most `deadlines.STEP_S` later, `DeadlineExceeded` is raised where the
    function is parked and at each later attempt to park. The earlier of this deadline and the
    spawning function's counts.
    """
    outer = current_deadline()
    if outer is not None:
        deadline = outer if deadline is None else min(outer, deadline)
    return Spawned(partial(fn, *args, **kwargs), name=_name(fn), deadline=deadline)


def spawn_apart(
    deadline: float,
    fn: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Spawned[T]:
    """`spawn_until` of what outlives the spawning function: that one's deadline does not count.

    For tidying up after a cancel or a deadline, when the function itself can wait for nothing more.
    """
    return Spawned(partial(fn, *args, **kwargs), name=_name(fn), deadline=deadline)


def wait(awaitable: Awaitable[T], waits_for: str = "") -> T:
    """Park until `awaitable` is done; its result, or its exception raised here.

    waits_for: in words, for who asks where everything stands; see `parked`.
    """
    try:
        spawned = running()
    except NotInGreenlet:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()  # else Python warns that it was never awaited, and hides the cause
        raise
    if not isinstance(awaitable, asyncio.Future):
        awaitable = asyncio.ensure_future(awaitable)
    result: T = spawned.park(awaitable, waits_for)
    return result


def sleep(seconds: float, waits_for: str = PAUSE) -> None:
    """Park for `seconds`; the loop goes on. waits_for: as for `wait`."""
    spawned, due = running(), object()
    timer = spawned.get_loop().call_later(seconds, spawned.wake, due)
    try:
        spawned.park_for(due, waits_for)
    finally:
        timer.cancel()


def in_thread(call: Callable[[], T]) -> T:
    """`call()`, in a thread while the caller parks; where nothing can park, here and now."""
    if not in_greenlet():
        return call()
    return wait(asyncio.get_running_loop().run_in_executor(None, call))


def require_greenlet() -> None:
    """Raise NotInGreenlet, which says what to do, unless `wait` and `sleep` would work."""
    running()


def in_greenlet() -> bool:
    """Whether the caller runs inside `spawn`, so that `wait` and `sleep` work."""
    return getattr(greenlet.getcurrent(), "spawned", None) is not None


def current_deadline() -> float | None:
    """The running function's deadline in seconds of the loop's clock; None outside or without."""
    spawned: Spawned[Any] | None = getattr(greenlet.getcurrent(), "spawned", None)
    return None if spawned is None else spawned.deadline


def running() -> Spawned[Any]:
    """The spawned function that the caller is in. Raises NotInGreenlet, which says what to do."""
    spawned: Spawned[Any] | None = getattr(greenlet.getcurrent(), "spawned", None)
    if spawned is None:
        raise NotInGreenlet(
            "blocking style outside a greenlet: run the function by botod.pool.spawn(fn, ...) "
            "and await what it returns; in a coroutine, await directly"
        )
    return spawned


def _name(fn: Callable[..., object]) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)


def settle(future: "asyncio.Future[None]") -> None:
    """Wake whoever waits for `future`; nobody may by now."""
    if not future.done():
        future.set_result(None)
