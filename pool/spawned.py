"""A plain function on a stack of its own, as an awaitable; `bridge` is how it is used.

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

A stack whose function has ended runs the next one. A new greenlet has Python map memory for its
frames, and unmap it at the end: 9 us, of 410 that a job takes. What changes often, as a transfer
does, wakes who is parked for it by `wake_soon`: a future for each wait costs 2 us more.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from types import FrameType
from typing import Any, NoReturn, TypeVar

import greenlet

from botod.pool.carrying import carried
from botod.pool.deadlines import Deadlines, Expiring
from botod.pool.errors import DeadlineExceeded
from botod.pool.visits import VISITS

T = TypeVar("T")

_live: set["Spawned[Any]"] = set()


IDLE_STACKS = 64
"""That wait for a function, in each thread: of some 20 KiB each. More are made for a burst."""


class _Stack(greenlet.greenlet):  # type: ignore[misc]
    """The greenlet of one spawned function after another; spawned: the one that it is at."""

    __slots__ = ("spawned",)
    spawned: "Spawned[Any] | None"


def _serve(spawned: "Spawned[T]", call: Callable[[], T]) -> None:
    """What a stack does: what each first switch from the loop brings, one after another.

    It does not hold the stack, which could then never be let go of.
    """
    while True:
        spawned.run(call)
        del spawned, call
        spawned, call = greenlet.getcurrent().parent.switch()


class _Kept(threading.local):
    """What a thread keeps for the next function; no greenlet can go to another thread.

    stacks: that wait for one. deadlines: of the loop that ran last.
    """

    def __init__(self) -> None:
        self.stacks: list[_Stack] = []
        self.deadlines: Deadlines | None = None


_kept = _Kept()


def _deadlines(loop: asyncio.AbstractEventLoop) -> Deadlines:
    known = _kept.deadlines
    if known is None or known.loop is not loop:
        known = _kept.deadlines = Deadlines(loop)
    return known


def _put_by(stack: _Stack) -> None:
    """Keep a stack whose function has ended for the next one."""
    stacks = _kept.stacks
    if not stack.dead and len(stacks) < IDLE_STACKS:
        stack.gr_context = None  # it would hold what the last one had
        stacks.append(stack)


class Spawned(asyncio.Future[T]):
    """A function running in a greenlet, as an awaitable.

    `cancel()` raises `asyncio.CancelledError` in the function where it is parked, in the next turn
    of the loop; the awaitable is cancelled once the function has ended, as with `asyncio.Task`.
    """

    # Thousands may wait at once: slots save a dictionary each.
    __slots__ = (
        "_cancelled", "_due", "_has_expired", "_hub", "_is_interrupted", "_parked_for", "_stack",
        "_waits_for", "deadline", "name",
    )  # fmt: skip

    def __init__(self, call: Callable[[], T], *, name: str, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop=loop)
        self.name = name
        self.deadline = deadline
        self._stack: _Stack | None = None
        self._parked_for: object = None
        self._waits_for = ""
        self._is_interrupted = False
        self._cancelled: asyncio.CancelledError | None = None
        self._has_expired = False
        self._due: set[Expiring] | None = None
        _live.add(self)
        loop.call_soon(self._start, call)

    @property
    def frame(self) -> FrameType | None:
        """Where the function is parked; None: it has not begun, runs, or has ended."""
        return None if self._stack is None else self._stack.gr_frame

    @property
    def waits_for(self) -> str | None:
        """What it said that it parks for; "": nothing; None: it is not parked."""
        return None if self._parked_for is None else self._waits_for

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the function to stop. False: it had ended already."""
        if self.done():
            return False
        if self._stack is None:
            _live.discard(self)
            return super().cancel(msg)
        self._cancelled = asyncio.CancelledError(*([] if msg is None else [msg]))
        self._interrupt()
        return True

    def _start(self, call: Callable[[], T]) -> None:
        if self.done():  # cancelled before its first visit
            return
        if self.deadline is not None:
            self._due = _deadlines(self.get_loop()).at(self.deadline)
            self._due.add(self)
        idle = _kept.stacks
        stack = self._stack = idle.pop() if idle else _Stack(_serve)
        stack.spawned = self
        self._hub = stack.parent
        # A stack has a context of its own; the loop runs this callback in spawn's.
        stack.gr_context = copy_context()
        self._visit(self, call)

    def run(self, call: Callable[[], T]) -> None:
        """Called at the bottom of the stack: every outcome ends here, none reaches the loop."""
        try:
            result = call()
        except asyncio.CancelledError:
            self._end()
            super().cancel()
        except greenlet.GreenletExit:
            self._end()
            super().cancel()
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            self._end()
            self.set_exception(error)
            raise
        except BaseException as error:  # noqa: BLE001 - a library border: handed to whoever awaits
            self._end()
            self.set_exception(carried(error))
        else:
            self._end()
            self.set_result(result)
        finally:
            del self, call  # the error's traceback holds this frame, and the future the error

    def _end(self) -> None:
        _live.discard(self)
        if self._due is not None:
            self._due.discard(self)
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.spawned = None

    def _visit(self, *args: Any) -> None:
        """Run the function until it parks or ends. Called by the loop only."""
        stack = self._stack
        assert stack is not None, "a visit before the start"
        hub = greenlet.getcurrent()
        if hub is not self._hub:
            self._hub = stack.parent = hub
        thread = VISITS.begin(self.name)
        try:
            stack.switch(*args)
        finally:
            VISITS.end(thread, self)
            if self._stack is None:
                _put_by(stack)

    def park(self, future: "asyncio.Future[T]", waits_for: str) -> T:
        """Put this stack aside until `future` is done; its result, or its exception raised."""
        try:
            if not future.done():
                future.add_done_callback(self.wake)
                self.park_for(future, waits_for)
            elif self._is_interrupted:
                self._raise_interrupt()
        except (asyncio.CancelledError, DeadlineExceeded):
            future.remove_done_callback(self.wake)
            # Cancelled, not waited for: a deadline holds whatever the awaited thing does with it.
            future.cancel()
            raise
        return future.result()

    def park_for(self, reason: object, waits_for: str = "") -> None:
        """Put this stack aside until it is woken for this very reason.

        waits_for: the same in words, see `parked`.
        """
        if not self._is_interrupted:
            self._parked_for, self._waits_for = reason, waits_for
            while self._parked_for is reason:
                self._hub.switch()
        if self._is_interrupted:
            self._raise_interrupt()

    def wake_soon(self, reason: object) -> None:
        """Have the loop go on with the function, if it is parked for this reason then."""
        self.get_loop().call_soon(self.wake, reason)

    def wake(self, reason: object) -> None:
        """Go on with the function, if it is parked for this reason. Called by the loop only."""
        if self._parked_for is reason:
            self._parked_for = None
            self._visit()

    def expire(self) -> None:
        """The deadline has passed: `DeadlineExceeded`, from now on wherever it parks."""
        self._has_expired = True
        self._interrupt()

    def _interrupt(self) -> None:
        """Go on with the function, if it is parked, to raise there what has happened."""
        self._is_interrupted = True
        if self._parked_for is not None:
            self._parked_for = None
            self.get_loop().call_soon(self._visit)

    def _raise_interrupt(self) -> NoReturn:
        """Raise a cancel, once, or else that the deadline has passed, as often as is parked."""
        cancelled, self._cancelled = self._cancelled, None
        self._is_interrupted = self._has_expired
        if cancelled is not None:
            # A new one: raised, this would hold its traceback, and with it all this function has.
            raise asyncio.CancelledError(*cancelled.args)
        raise DeadlineExceeded(f"{self.name} did not end by its deadline")


def live_num() -> int:
    """How many spawned functions have not ended."""
    return len(_live)


def live_stacks() -> Iterator[tuple[str, FrameType | None]]:
    """The name of each spawned function that has not ended, and where it is parked.

    None: it has not begun, or is the one that runs.
    """
    for spawned in list(_live):
        yield spawned.name, spawned.frame
