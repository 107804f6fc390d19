"""Blocking style over the event loop: `spawn(fn)` outside, `wait(awaitable)` and `sleep(s)` inside.

How a function can be put aside where it would block is told in `spawned`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import greenlet

from botod.pool.errors import NotInGreenlet
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

    When it passes, `DeadlineExceeded` is raised where the function is parked and at each later
    attempt to park. The earlier of this deadline and the spawning function's counts.
    """
    outer = current_deadline()
    if outer is not None:
        deadline = outer if deadline is None else min(outer, deadline)
    return _spawned(deadline, partial(fn, *args, **kwargs), fn)


def spawn_apart(
    deadline: float,
    fn: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Spawned[T]:
    """`spawn_until` of what outlives the spawning function: that one's deadline does not count.

    For tidying up after a cancel or a deadline, when the function itself can wait for nothing more.
    """
    return _spawned(deadline, partial(fn, *args, **kwargs), fn)


def wait(awaitable: Awaitable[T]) -> T:
    """Park until `awaitable` is done; its result, or its exception raised here."""
    try:
        spawned = _running()
    except NotInGreenlet:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()  # else Python warns that it was never awaited, and hides the cause
        raise
    if not isinstance(awaitable, asyncio.Future):
        awaitable = asyncio.ensure_future(awaitable)
    result: T = spawned.park(awaitable)
    return result


def sleep(seconds: float) -> None:
    """Park for `seconds`; the loop goes on."""
    spawned = _running()
    loop = spawned.get_loop()
    future: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, settle, future)
    try:
        spawned.park(future)
    finally:
        timer.cancel()


def in_thread(call: Callable[[], T]) -> T:
    """`call()`, in a thread while the caller parks; where nothing can park, here and now."""
    if not in_greenlet():
        return call()
    return wait(asyncio.get_running_loop().run_in_executor(None, call))


def require_greenlet() -> None:
    """Raise NotInGreenlet, which says what to do, unless `wait` and `sleep` would work."""
    _running()


def in_greenlet() -> bool:
    """Whether the caller runs inside `spawn`, so that `wait` and `sleep` work."""
    return getattr(greenlet.getcurrent(), "spawned", None) is not None


def current_deadline() -> float | None:
    """The running function's deadline in seconds of the loop's clock; None outside or without."""
    spawned = getattr(greenlet.getcurrent(), "spawned", None)
    return None if spawned is None else cast("Spawned[Any]", spawned).deadline


def _spawned(
    deadline: float | None, call: Callable[[], T], fn: Callable[..., object]
) -> Spawned[T]:
    return Spawned(call, name=getattr(fn, "__qualname__", repr(fn)), deadline=deadline)


def _running() -> Spawned[Any]:
    spawned = getattr(greenlet.getcurrent(), "spawned", None)
    if spawned is None:
        raise NotInGreenlet(
            "blocking style outside a greenlet: run the function by botod.pool.spawn(fn, ...) "
            "and await what it returns; in a coroutine, await directly"
        )
    return cast("Spawned[Any]", spawned)


def settle(future: "asyncio.Future[None]") -> None:
    """Wake whoever waits for `future`; nobody may by now."""
    if not future.done():
        future.set_result(None)
