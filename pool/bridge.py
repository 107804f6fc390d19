"""Blocking style over the event loop: `spawn(fn)` outside, `wait(awaitable)` and `sleep(s)` inside.

A greenlet is a stack that can be put aside. `spawn` runs a plain function on a stack of its own;
where the function would block, it calls `wait`, which puts the stack aside ("parks") and switches
to the hub, the greenlet in which the event loop runs. When the awaitable is done, a loop callback
switches back. Four rules keep this sound:

- Only a loop callback switches into a greenlet, so the hub is always the one that runs the loop.
- Who parks says for what; a wake for anything else does nothing. Late wakes are therefore harmless.
- An interrupt (cancel, deadline) is a fact stored on the spawned function and raised where it
  parks: it never arrives between two instructions of the function.
- A parked greenlet is held by a strong reference until it ends: a collected one would get
  GreenletExit on whatever stack the collector happens to run.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context, copy_context
from functools import partial
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast

import greenlet

from botod.pool.errors import DeadlineExceeded, NotInGreenlet
from botod.pool.visits import WARN_OVER_S, Visits, VisitStats, Watchdog

P = ParamSpec("P")
T = TypeVar("T")

CHAIN_MAX = 16
"""Chained exceptions whose frames are let go; real chains have two or three."""

NOT_A_CALL = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Code whose frames may go on after an error came through them."""

_visits = Visits()
_live: set["Spawned[Any]"] = set()


class _Stack(greenlet.greenlet):  # type: ignore[misc]
    """The greenlet of one spawned function."""

    __slots__ = ("spawned",)
    spawned: "Spawned[Any] | None"


class Spawned(asyncio.Future[T]):
    """A function running in a greenlet, as an awaitable.

    `cancel()` raises `asyncio.CancelledError` in the function where it is parked, in the next turn
    of the loop; the awaitable is cancelled once the function has ended, as with `asyncio.Task`.
    """

    # Thousands may wait at once: slots save a dictionary each.
    __slots__ = (
        "_cancelled", "_has_expired", "_hub", "_parked_on", "_stack", "_timer", "deadline", "name",
    )  # fmt: skip

    def __init__(self, call: Callable[[], T], *, name: str, deadline: float | None) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.name = name
        self.deadline = deadline
        self._stack: _Stack | None = None
        self._parked_on: asyncio.Future[Any] | None = None
        self._cancelled: asyncio.CancelledError | None = None
        self._has_expired = False
        self._timer: asyncio.TimerHandle | None = None
        _live.add(self)
        self.get_loop().call_soon(self._start, call)

    @property
    def frame(self) -> FrameType | None:
        """Where the function is parked; None: it has not begun, runs, or has ended."""
        return None if self._stack is None else self._stack.gr_frame

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the function to stop. False: it had ended already."""
        if self.done():
            return False
        if self._stack is None:
            _live.discard(self)
            return super().cancel(msg)
        self._cancelled = asyncio.CancelledError(*([] if msg is None else [msg]))
        self._interrupt_park()
        return True

    def _start(self, call: Callable[[], T]) -> None:
        if self.done():  # cancelled before its first visit
            return
        if self.deadline is not None:
            # In nobody's context: a cancelled timer stays in the loop's heap, with its context.
            self._timer = self.get_loop().call_at(self.deadline, self._expire, context=Context())
        self._hub = greenlet.getcurrent()
        stack = self._stack = _Stack(self._run)
        stack.spawned = self
        # A new greenlet starts with an empty context; the loop runs this callback in spawn's.
        stack.gr_context = copy_context()
        self._visit(call)

    def _run(self, call: Callable[[], T]) -> None:
        """The bottom of the stack: every outcome ends here, none reaches the loop's callback."""
        try:
            result = call()
        except (asyncio.CancelledError, greenlet.GreenletExit):
            self._end()
            super().cancel()
        except (KeyboardInterrupt, SystemExit) as error:
            self._end()
            self.set_exception(error)
            raise
        except BaseException as error:  # noqa: BLE001 - a library border: handed to whoever awaits
            self._end()
            self.set_exception(_carried(error))
        else:
            self._end()
            self.set_result(result)
        finally:
            del self, call  # the error's traceback holds this frame, and the future the error

    def _end(self) -> None:
        _live.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._stack is not None:
            self._stack.spawned = None

    def _visit(self, *args: Any) -> None:
        """Run the function until it parks or ends. Called by the loop only."""
        stack = self._stack
        assert stack is not None, "a visit before the start"
        hub = greenlet.getcurrent()
        if hub is not self._hub:
            self._hub = stack.parent = hub
        thread = _visits.begin(self.name)
        try:
            stack.switch(*args)
        finally:
            _visits.end(thread, stack)

    def park(self, future: "asyncio.Future[T]") -> T:
        """Put this stack aside until `future` is done; its result, or its exception raised."""
        self._raise_interrupt(future)
        if not future.done():
            self._parked_on = future
            future.add_done_callback(self._wake)
            while self._parked_on is future:
                self._hub.switch()
            self._raise_interrupt(future)
        return future.result()

    def _wake(self, future: "asyncio.Future[Any]") -> None:
        if self._parked_on is future:
            self._parked_on = None
            self._visit()

    def _expire(self) -> None:
        self._timer = None
        self._has_expired = True
        self._interrupt_park()

    def _interrupt_park(self) -> None:
        """Go on with the function, if it is parked, to raise there what has happened."""
        future, self._parked_on = self._parked_on, None
        if future is not None:
            future.remove_done_callback(self._wake)
            # Cancelled, not waited for: a deadline holds whatever the awaited thing does with it.
            future.cancel()
            self.get_loop().call_soon(self._visit)

    def _raise_interrupt(self, future: "asyncio.Future[Any]") -> None:
        """Raise a cancel, once, or else that the deadline has passed, as often as is parked."""
        cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None:
            future.cancel()
            # A new one: raised, this would hold its traceback, and with it all this function has.
            raise asyncio.CancelledError(*cancelled.args)
        if self._has_expired:
            future.cancel()
            raise DeadlineExceeded(f"{self.name} did not end by its deadline")


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


def live_num() -> int:
    """How many spawned functions have not ended."""
    return len(_live)


def live_stacks() -> Iterator[tuple[str, FrameType | None]]:
    """The name of each spawned function that has not ended, and where it is parked.

    None: it has not begun, or is the one that runs.
    """
    for spawned in list(_live):
        yield spawned.name, spawned.frame


def visit_stats() -> VisitStats:
    """What the visits of this process took so far."""
    return _visits.stats()


@contextlib.contextmanager
def watched_visits(bound_s: float = WARN_OVER_S) -> Iterator[None]:
    """Inside the block, log visits of more than `bound_s` seconds, with their stack as they last.

    Blocking the loop for longer is a mistake of whatever the log names. Blocks do not nest.
    """
    _visits.warn_over_s = bound_s
    watchdog = Watchdog(_visits)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()
        _visits.warn_over_s = WARN_OVER_S


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


def _carried(error: BaseException) -> BaseException:
    """Make an exception fit to be kept: let its frames go, and with them the leases they hold.

    Whoever keeps the exception keeps its traceback, whose frames keep their local variables: a
    connection there would hold its slot until the exception is forgotten. File and line stay.
    """
    link: BaseException | None = error
    for _ in range(CHAIN_MAX):
        if link is None:
            break
        _clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    if isinstance(error, StopIteration):  # a future refuses to hold one
        carried = RuntimeError("the spawned function raised StopIteration")
        carried.__cause__ = error
        return carried
    return error


def _clear_frames(trace: TracebackType | None) -> None:
    """`traceback.clear_frames`, but for coroutines and generators, which it would end if parked."""
    while trace is not None:
        frame = trace.tb_frame
        if not frame.f_code.co_flags & NOT_A_CALL:
            with contextlib.suppress(RuntimeError):  # it still runs
                frame.clear()
        trace = trace.tb_next
