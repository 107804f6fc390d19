"""The pool: one queue of slots a host over one curl client, and leases for greenlets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from botod.pool import bridge
from botod.pool.client import CurlClient
from botod.pool.errors import DeadlineExceeded, PoolFull, PoolTimeout
from botod.pool.queue import QueueStats, SlotQueue, Waiter, WaiterState
from botod.pool.sockets import SocketStats
from botod.pool.transfer import Origin

HOSTS_MAX = 1024
"""Host pools kept: each bucket may have a host name of its own, and a daemon lives for months."""


@dataclass(frozen=True)
class HostPoolStats:
    """One host pool: its slots and those who wait, and curl's sockets to the host."""

    origin: Origin
    slots: QueueStats
    sockets: SocketStats


class Lease:
    """A slot checked out by one greenlet. Releasing it twice is once."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


class HostPool:
    """The slots of one host, on the loop's clock."""

    def __init__(self, origin: Origin, *, slots: int, max_waiting: int) -> None:
        self.origin = origin
        self.queue = SlotQueue(size=slots, max_waiting=max_waiting)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def lease(self, timeout_s: float) -> Lease:
        """A slot; parks until one is free. Raises PoolFull, PoolTimeout or PoolClosed."""
        if not self.queue.acquire_nowait():
            self._wait_for_slot(timeout_s)
        return Lease(self._give_back)

    def idle(self) -> bool:
        """Whether nobody has or waits for a slot."""
        stats = self.queue.stats(now=0.0)
        return stats.leased_num == 0 and stats.waiting_num == 0

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.queue.close(now=self._loop.time())

    def _wait_for_slot(self, timeout_s: float) -> None:
        now = self._loop.time()
        granted: asyncio.Future[None] = self._loop.create_future()
        waiter = Waiter(lambda: _settle(granted), since=now, deadline=now + timeout_s)
        try:
            self.queue.join(waiter)
            self._arm()
            bridge.wait(granted)
        except PoolFull as error:
            raise PoolFull(f"{self.origin}: {error}") from None
        except DeadlineExceeded as error:
            self.queue.leave(waiter, now=self._loop.time())
            raise PoolTimeout(f"{self.origin}: no slot became free by the deadline") from error
        except BaseException:
            self.queue.leave(waiter, now=self._loop.time())
            raise
        if waiter.state is not WaiterState.GRANTED:
            assert waiter.error is not None, f"{waiter} was woken for no reason"
            raise type(waiter.error)(f"{self.origin}: {waiter.error}")

    def _give_back(self) -> None:
        self.queue.release(now=self._loop.time())

    def _arm(self) -> None:
        """Have one timer, for the waiter that runs out of time first."""
        due = self.queue.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._expire)

    def _expire(self) -> None:
        self.queue.expire(now=self._loop.time())
        self._arm()


class Pool:
    """All host pools of one loop.

    client: carries the transfers; the pool owns it from now on and closes it.
    slots_per_host: transfers at once to one scheme, host and port.
    max_waiting: greenlets that may wait for a slot of one host.
    slot_timeout_s: how long one waits at most; a deadline of the greenlet may end it sooner.
    """

    def __init__(
        self, client: CurlClient, *, slots_per_host: int, max_waiting: int, slot_timeout_s: float
    ) -> None:
        self.client = client
        self._slots_per_host = slots_per_host
        self._max_waiting = max_waiting
        self._slot_timeout_s = slot_timeout_s
        self._hosts: dict[Origin, HostPool] = {}

    def lease(self, origin: Origin) -> Lease:
        """A slot for one transfer to `origin`; parks until there is one.

        Raises PoolFull, PoolTimeout, PoolClosed, NotInGreenlet.
        """
        return self._host(origin).lease(self._slot_timeout_s)

    def stats(self) -> tuple[HostPoolStats, ...]:
        now = asyncio.get_running_loop().time()
        return tuple(
            HostPoolStats(origin, host.queue.stats(now=now), self.client.socket_stats(origin))
            for origin, host in self._hosts.items()
        )

    def close(self) -> None:
        """Refuse all who wait, abort what runs, close every connection."""
        for host in self._hosts.values():
            host.close()
        self.client.close()

    def _host(self, origin: Origin) -> HostPool:
        if origin not in self._hosts:
            if len(self._hosts) >= HOSTS_MAX:
                self._hosts = {
                    known: host for known, host in self._hosts.items() if not host.idle()
                }
            self._hosts[origin] = HostPool(
                origin, slots=self._slots_per_host, max_waiting=self._max_waiting
            )
        return self._hosts[origin]


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
