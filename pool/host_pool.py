"""The pool for one host: its slots, leased to greenlets, and what their transfers tell of it."""

import asyncio
import copy
import math
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from functools import partial

import pycurl

from botod.pool import bridge
from botod.pool.errors import DeadlineExceeded, HostResting, PoolError, PoolFull, PoolTimeout
from botod.pool.failures import is_certificate_failure
from botod.pool.feedback import Feedback
from botod.pool.health import Health, HealthState, HealthStats
from botod.pool.origin import Origin
from botod.pool.parked import SLOT
from botod.pool.queue import SlotQueue
from botod.pool.queue_stats import QueueStats
from botod.pool.sockets import SocketStats
from botod.pool.terms import Terms
from botod.pool.times import Times, clock
from botod.pool.transfer import Transfer
from botod.pool.waiter import Waiter, WaiterState

OVERLOADED = (b"429", b"503")
"""Answers by which a host asks for less: too many requests, and S3's SlowDown."""


@dataclass(frozen=True)
class HostPoolStats:
    """One host pool: its slots and those who wait, and curl's sockets to the host.

    slots_most_num: the slots it has while the host asks for no less. shrinks_total: how often it
    was given one less.
    """

    origin: Origin
    slots: QueueStats
    sockets: SocketStats
    health: HealthStats
    slots_most_num: int
    shrinks_total: int


class Lease:
    """A slot checked out by one greenlet. Releasing it twice is once.

    is_probe: its transfer tells whether a host that rested takes connections again. is_poll: it is
    one of those slots that polls may have. times: those of the job that its transfer belongs to.
    """

    __slots__ = ("_is_poll", "_is_probe", "_is_released", "_times", "host")

    def __init__(self, host: "HostPool", *, is_probe: bool, is_poll: bool, times: Times) -> None:
        self.host = host
        self._times = times
        self._is_probe = is_probe
        self._is_poll = is_poll
        self._is_released = False

    def release(self) -> None:
        if self._is_released:
            return
        self._is_released = True
        if self._is_probe:
            self.host.health.gave_up()  # no-op if it told something
        self.host.give_back(is_poll=self._is_poll)

    def ended(self, transfer: Transfer) -> None:
        """Release it, and take what the transfer tells of the host.

        That it took the connection was told as the request was sent: the answer may take long.
        """
        self.host.judge(transfer)
        self.release()
        self._times.transferred(transfer.began_at, transfer.sent_at, transfer.answered_at, clock())


class HostPool:
    """The slots of one host, on the loop's clock."""

    def __init__(self, origin: Origin, queue: SlotQueue) -> None:
        self.origin = origin
        self.queue = queue
        self.health = Health()
        self.feedback = Feedback(queue.size)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf
        self._awaited: asyncio.Event | None = None

    def lease(self, timeout_s: float, terms: Terms) -> Lease:
        """A slot; parks until one is free. terms: of the job that it is for.

        Raises PoolFull, PoolTimeout, PoolClosed, or HostResting, before the wait or after it.
        """
        if self.health.state is not HealthState.GOOD:
            self._ask_health(self.health.check)
        is_poll = terms.is_poll
        if not self.queue.acquire_nowait(now=self._loop.time(), is_poll=is_poll):
            self._wait_for_slot(timeout_s, terms)
        if self.health.state is HealthState.GOOD:
            return Lease(self, is_probe=False, is_poll=is_poll, times=terms.times)
        try:
            is_probe = self._ask_health(self.health.admit)
        except HostResting:
            self.give_back(is_poll=is_poll)
            raise
        return Lease(self, is_probe=is_probe, is_poll=is_poll, times=terms.times)

    def give_back(self, *, is_poll: bool) -> None:
        """Take a slot back. Called by its lease, once."""
        self.queue.release(now=self._loop.time(), is_poll=is_poll)
        self._changed()

    def judge(self, transfer: Transfer) -> None:
        """Take note of what a transfer that has ended tells of the host."""
        if transfer.answered:
            self.health.answered()
            if transfer.status in OVERLOADED:
                self.overloaded()
            elif self.feedback.good():
                self._fit()
        elif transfer.failure is not None and not is_certificate_failure(transfer):
            now = self._loop.time()
            if not transfer.sent:
                self.health.failed(now=now)
            elif transfer.failure.code == pycurl.E_OPERATION_TIMEDOUT:
                self.overloaded()
            else:
                self.health.broke(now=now)

    def overloaded(self) -> None:
        """The host has too much to do, as it said in other words than by its status, or showed."""
        if self.feedback.bad():
            self._fit()

    async def drained(self) -> None:
        """Return when nobody has or waits for a slot; for a queue that takes no newcomers."""
        while not self.queue.idle:
            await self._change()

    def hold(self, *, is_held: bool) -> None:
        """Give nobody a slot from now on, or give them again."""
        if is_held:
            self.queue.pause(now=self._loop.time())
        else:
            self.queue.resume(now=self._loop.time())
        self._arm()

    async def quiet(self) -> None:
        """Return when nobody has a slot; for a queue that gives none."""
        while self.queue.leased_num:
            await self._change()

    def resize(self, slots: int) -> None:
        self.feedback.resize(slots)
        self._fit()

    def stats(self, sockets: SocketStats) -> HostPoolStats:
        """How it stands now. sockets: curl's to this host."""
        return HostPoolStats(
            self.origin,
            self.queue.stats(now=self._loop.time()),
            sockets,
            self.health.stats(),
            self.feedback.most,
            self.feedback.shrinks_total,
        )

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.queue.close(now=self._loop.time())
        self._changed()

    def _fit(self) -> None:
        """Have as many slots as the feedback says."""
        self.queue.resize(self.feedback.slots, now=self._loop.time())

    def _ask_health(self, ask: Callable[..., bool]) -> bool:
        try:
            return ask(now=self._loop.time())
        except HostResting as error:
            raise HostResting(f"{self.origin}: {error}") from None

    def _wait_for_slot(self, timeout_s: float, terms: Terms) -> None:
        now = self._loop.time()
        spawned, turn = bridge.running(), object()
        waiter = Waiter(
            partial(spawned.wake_soon, turn),
            since=now,
            deadline=now + timeout_s,
            key=terms.key,
            is_poll=terms.is_poll,
        )
        try:
            self.queue.join(waiter)
            self._arm()
            spawned.park_for(turn, SLOT)
        except PoolFull as error:
            raise self._at_origin(error) from None
        except DeadlineExceeded as error:
            self._leave(waiter)
            raise PoolTimeout(f"{self.origin}: no slot became free by the deadline") from error
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            terms.times.queue_s += self._loop.time() - now
        if waiter.state is not WaiterState.GRANTED:
            assert waiter.error is not None, f"{waiter} was woken for no reason"
            raise self._at_origin(waiter.error)

    def _at_origin(self, error: PoolError) -> PoolError:
        """The same, saying where. A copy: a raised error keeps its frames, and they the waiter."""
        named = copy.copy(error)
        named.args = (f"{self.origin}: {error}",)
        return named

    def _leave(self, waiter: Waiter) -> None:
        self.queue.leave(waiter, now=self._loop.time())
        self._changed()

    async def _change(self) -> None:
        """Return when a slot has come back, or somebody waits no more."""
        self._awaited = self._awaited or asyncio.Event()
        await self._awaited.wait()

    def _changed(self) -> None:
        """Tell those who wait for a change; nearly always that is nobody."""
        if self._awaited is not None:
            self._awaited.set()
            self._awaited = None

    def _arm(self) -> None:
        """Have one timer, not later than the first waiter runs out of time.

        One that comes too early finds nobody: to set it anew whenever who waited first is served
        would cost more.
        """
        due = self.queue.next_deadline()
        if due is None or self._timer_due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        # In nobody's context, which would be kept until then.
        self._timer = self._loop.call_at(due, self._expire, due, context=Context())

    def _expire(self, due: float) -> None:
        """The time is `due`, by the loop's word; its clock may be coarser than its timer."""
        self._timer, self._timer_due = None, math.inf
        self.queue.expire(now=max(due, self._loop.time()))
        self._arm()
        self._changed()
