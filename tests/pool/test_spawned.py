"""A spawned function: how it is parked, woken, interrupted, held and ended."""

import asyncio
import contextvars
import gc
import threading
import traceback
import weakref
from typing import Any

import greenlet
import pytest

from botod.pool import (
    DeadlineExceeded,
    sleep,
    spawn,
    spawn_apart,
    spawn_until,
    wait,
)
from botod.pool.bridge import running
from botod.pool.parked import PAUSE
from botod.pool.spawned import IDLE_STACKS, live_num, live_stacks
from botod.pool.visits import visit_stats
from support.spawning import value


def test_cancel_before_the_first_visit_runs_nothing() -> None:
    """A function that was cancelled before it began never runs."""
    seen: list[str] = []

    async def scenario() -> None:
        spawned = spawn(seen.append, "ran")
        assert spawned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawned
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert seen == []
    assert live_num() == 0


def test_cancel_cancels_what_is_awaited() -> None:
    """The coroutine for which the function is parked is cancelled with it, not left running."""
    inner: list[asyncio.Task[None]] = []

    def work() -> None:
        inner.append(asyncio.ensure_future(asyncio.sleep(60)))
        wait(inner[0])

    async def scenario() -> None:
        spawned = spawn(work)
        await asyncio.sleep(0)
        spawned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawned
        await asyncio.sleep(0)
        assert inner[0].cancelled()

    asyncio.run(scenario())


def test_a_cancelled_function_may_go_on() -> None:
    """A cancel is told once: code that catches it may still wait for its own cleanup."""

    def work() -> str:
        try:
            sleep(60)
        except asyncio.CancelledError:
            return str(wait(value("cleaned up by waiting")))
        return "not cancelled"

    async def scenario() -> None:
        spawned = spawn(work)
        await asyncio.sleep(0)
        spawned.cancel()
        assert await spawned == "cleaned up by waiting"

    asyncio.run(scenario())


def test_a_late_wake_does_nothing() -> None:
    """A future that is done after its waiter has moved on, or is dead, wakes nobody."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        first: asyncio.Future[str] = loop.create_future()
        second: asyncio.Future[str] = loop.create_future()

        def work() -> str:
            try:
                wait(asyncio.shield(first))
            except asyncio.CancelledError:
                return wait(second)
            return "not cancelled"

        spawned = spawn(work)
        await asyncio.sleep(0)
        spawned.cancel()
        await asyncio.sleep(0)
        first.set_result("late")
        for _ in range(3):
            await asyncio.sleep(0)
        assert not spawned.done()
        second.set_result("right")
        assert await spawned == "right"

    asyncio.run(scenario())


def test_it_tells_what_it_waits_for() -> None:
    """In the words of who parks, and nothing while it is not parked."""

    async def scenario() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def call() -> str | None:
            sleep(0)
            wait(future, "the milk")
            return running().waits_for

        spawned = spawn(call)
        assert spawned.waits_for is None
        await asyncio.sleep(0)
        assert spawned.waits_for == PAUSE
        while spawned.waits_for == PAUSE:
            await asyncio.sleep(0)
        assert spawned.waits_for == "the milk"
        future.set_result(None)
        assert await spawned is None
        assert spawned.waits_for is None

    asyncio.run(scenario())


def test_only_the_reason_it_is_parked_for_wakes_it() -> None:
    """Through the loop: not before the next turn."""

    async def scenario() -> None:
        reason = object()
        spawned = spawn(lambda: running().park_for(reason))
        await asyncio.sleep(0)
        spawned.wake_soon(object())
        await asyncio.sleep(0)
        assert not spawned.done()
        spawned.wake_soon(reason)
        assert not spawned.done()
        await spawned

    asyncio.run(scenario())


def test_an_interrupt_comes_before_any_wait() -> None:
    """Of a function that was cancelled while it ran: it parks for nothing any more."""

    async def scenario() -> None:
        def work() -> None:
            running().cancel()
            running().park_for("what never comes")

        with pytest.raises(asyncio.CancelledError):
            await spawn(work)

    asyncio.run(scenario())


def test_a_wake_that_a_cancel_overtook_does_nothing() -> None:
    """Done and cancelled in one turn of the loop: the wake that is under way finds nobody."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        first: asyncio.Future[str] = loop.create_future()
        second: asyncio.Future[str] = loop.create_future()

        def work() -> str:
            try:
                wait(first)
            except asyncio.CancelledError:
                return wait(second)
            return "not cancelled"

        for steps in (("done", "cancel"), ("cancel", "done")):
            first, second = loop.create_future(), loop.create_future()
            spawned = spawn(work)
            await asyncio.sleep(0)
            for step in steps:
                if step == "cancel":
                    spawned.cancel()
                elif not first.done():
                    first.set_result("too late")
            for _ in range(5):
                await asyncio.sleep(0)
            assert not spawned.done(), "it went on without what it waits for"
            second.set_result("in time")
            assert await spawned == "in time"

    asyncio.run(scenario())


def test_the_loop_may_move_to_another_greenlet() -> None:
    """A function ends to where the loop runs now, not to where it ran when the function began."""
    loop = asyncio.new_event_loop()
    future: asyncio.Future[str] = loop.create_future()
    spawned: list[asyncio.Future[str]] = []

    async def begin() -> None:
        spawned.append(spawn(wait, future))
        await asyncio.sleep(0)

    async def end() -> str:
        future.set_result("ended")
        return await spawned[0]

    elsewhere = greenlet.greenlet(lambda: loop.run_until_complete(begin()))
    try:
        elsewhere.switch()
        assert elsewhere.dead
        assert loop.run_until_complete(end()) == "ended"
        again: asyncio.Future[str] = loop.create_future()
        future = again
        loop.run_until_complete(begin())
        inside = greenlet.greenlet(lambda: loop.run_until_complete(spawn_end()))

        async def spawn_end() -> str:
            again.set_result("ended")
            return await spawned[1]

        assert inside.switch() == "ended"
    finally:
        loop.close()


def test_a_foreign_switch_does_not_end_a_wait() -> None:
    """Somebody who switches into a parked greenlet finds it parked again: its wait goes on."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        stacks: list[Any] = []

        def work() -> str:
            stacks.append(greenlet.getcurrent())
            return wait(future)

        spawned = spawn(work)
        await asyncio.sleep(0)
        stacks.pop().switch()
        assert not spawned.done()
        future.set_result("its own")
        assert await spawned == "its own"

    asyncio.run(scenario())


def test_the_deadline_timer_goes_with_the_function() -> None:
    """A function that ended in time leaves no timer behind to hold it."""

    class Payload:
        pass

    async def scenario() -> None:
        payload = Payload()
        gone = weakref.ref(payload)
        await spawn_until(asyncio.get_running_loop().time() + 1000, id, payload)
        del payload
        await asyncio.sleep(0)
        gc.collect()
        assert gone() is None

    asyncio.run(scenario())


def test_a_parked_function_is_held_until_it_ends() -> None:
    """Though nobody holds the function, nor what it waits for: the collector leaves it alone."""
    done: list[str] = []

    async def scenario() -> None:
        awaited: list[weakref.ref[asyncio.Future[str]]] = []

        def work() -> None:
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            awaited.append(weakref.ref(future))
            done.append(wait(future))

        spawn(work)
        await asyncio.sleep(0)
        gc.collect()
        future = awaited[0]()
        assert future is not None, "the parked function was collected"
        future.set_result("ended well")
        while not done:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scenario(), 5))
    assert done == ["ended well"]


def test_system_exit_reaches_the_loop() -> None:
    """SystemExit is not swallowed by the greenlet: it ends the loop, as in a callback."""

    def leave() -> None:
        raise SystemExit(3)

    async def scenario() -> None:
        spawned = spawn(leave)
        with pytest.raises(SystemExit):
            await spawned

    with pytest.raises(SystemExit):
        asyncio.run(scenario())
    assert live_num() == 0


def test_two_loops_in_two_threads_do_not_mix() -> None:
    """Each thread's loop parks and wakes its own functions."""
    results: dict[int, Any] = {}
    both = threading.Barrier(2)

    def in_thread(number: int) -> None:
        both.wait(10)  # a thread that begins after the other's end may have its number

        async def scenario() -> None:
            results[number] = await asyncio.gather(
                *(spawn(lambda: wait(value(threading.get_ident()))) for _ in range(20))
            )

        asyncio.run(scenario())

    threads = [threading.Thread(target=in_thread, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert {len(set(result)) for result in results.values()} == {1}
    assert results[0][0] != results[1][0]


def test_each_visit_is_counted() -> None:
    """A function that parks twice makes three visits."""

    def work() -> None:
        wait(value(None))
        wait(value(None))

    async def scenario() -> None:
        before = visit_stats().visits_num
        await spawn(work)
        assert visit_stats().visits_num == before + 3

    asyncio.run(scenario())


def test_a_cancel_does_not_wipe_a_deadline_that_has_passed() -> None:
    """Both in one turn of the loop: the cancel is raised first, and a later wait ends at once."""

    async def scenario() -> None:
        ends: list[str] = []

        def work() -> None:
            try:
                sleep(60)
            except asyncio.CancelledError:
                ends.append("cancelled")
                sleep(60)

        deadline = asyncio.get_running_loop().time() + 0.01
        spawned = spawn_until(deadline, work)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(deadline, spawned.cancel)
        with pytest.raises(DeadlineExceeded):
            await spawned
        assert ends == ["cancelled"]

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_where_greenlets_stand() -> None:
    """Each with its name; one that has not begun stands nowhere yet."""

    async def scenario() -> None:
        async def never() -> None:
            await asyncio.Event().wait()

        def parked() -> None:
            wait(never())

        spawned = spawn(parked)
        ((name, frame),) = live_stacks()
        assert (name.rpartition(".")[2], frame) == ("parked", None)
        await asyncio.sleep(0)
        ((name, frame),) = live_stacks()
        assert "parked" in "".join(traceback.format_stack(frame))
        spawned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawned

    asyncio.run(scenario())
    assert list(live_stacks()) == []


def test_a_deadline_that_was_not_met_keeps_no_context() -> None:
    """Its timer stays in the loop's heap, cancelled, until it would have been due."""

    class Terms:
        pass

    terms: contextvars.ContextVar[Terms] = contextvars.ContextVar("terms")

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        earlier = loop.call_later(30, print)  # the first in the heap is taken off when cancelled
        value = Terms()
        gone = weakref.ref(value)
        token = terms.set(value)
        spawned = spawn_apart(loop.time() + 60, sleep, 0.001)
        terms.reset(token)
        del value, token
        await spawned
        del spawned
        await asyncio.sleep(0)
        gc.collect()
        assert gone() is None
        earlier.cancel()

    asyncio.run(scenario())


def test_a_stack_serves_one_function_after_another() -> None:
    """A new one for each would map memory; what one function had in its context is gone then."""
    own: contextvars.ContextVar[str] = contextvars.ContextVar("own", default="")

    def work() -> tuple[greenlet.greenlet, str]:
        before = own.get()
        own.set("mine")
        sleep(0)
        return greenlet.getcurrent(), before

    async def scenario() -> None:
        first, _before = await spawn(work)
        assert first.gr_context is None
        with pytest.raises(ZeroDivisionError):
            await spawn(lambda: 1 // 0)
        again, before = await spawn(work)
        assert (again is first, before) == (True, "")

    asyncio.run(scenario())


def test_stacks_beyond_those_that_are_kept_end() -> None:
    """After a burst."""

    def work() -> "weakref.ref[greenlet.greenlet]":
        sleep(0)
        return weakref.ref(greenlet.getcurrent())

    async def scenario() -> None:
        stacks = await asyncio.gather(*(spawn(work) for _ in range(IDLE_STACKS + 9)))
        await asyncio.sleep(0)
        gc.collect()
        assert sum(stack() is not None for stack in stacks) == IDLE_STACKS

    asyncio.run(scenario())


def test_a_stack_that_is_ended_serves_nobody_more() -> None:
    """GreenletExit ends a greenlet, whatever it was to do next."""

    def work() -> greenlet.greenlet:
        return greenlet.getcurrent()

    def exits() -> None:
        raise greenlet.GreenletExit

    async def scenario() -> None:
        stack = await spawn(work)
        with pytest.raises(asyncio.CancelledError):
            await spawn(exits)
        assert stack.dead
        assert await spawn(work) is not stack

    asyncio.run(scenario())


def test_idle_stacks_end_with_their_thread() -> None:
    """Nobody else could use them."""
    ended: list[weakref.ref[greenlet.greenlet]] = []

    async def scenario() -> None:
        await spawn(lambda: ended.append(weakref.ref(greenlet.getcurrent())))

    thread = threading.Thread(target=lambda: asyncio.run(scenario()))
    thread.start()
    thread.join()
    gc.collect()
    (stack,) = ended
    assert stack() is None
