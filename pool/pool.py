"""The pool: a host pool for each host, over one curl client and within one total."""

import asyncio
from collections.abc import Callable

from botod.pool.client import CurlClient
from botod.pool.host_pool import HostPool, HostPoolStats, Lease
from botod.pool.origin import Origin
from botod.pool.queue import QueueState, SlotQueue
from botod.pool.request import Request
from botod.pool.sockets import SocketStats
from botod.pool.terms import current_terms
from botod.pool.total import Total, TotalStats
from botod.pool.traces import Tracing
from botod.pool.transfer import State, Transfer

HOSTS_MAX = 1024
"""Host pools kept: each bucket may have a host name of its own, and a daemon lives for months."""


class Pool:
    """All host pools of one loop.

    client: carries the transfers; the pool owns it from now on and closes it.
    slots_per_host: transfers at once to one scheme, host and port; of these three quarters may be
        polls (see `Terms`).
    max_waiting: greenlets that may wait for a slot of one host, and as many more for one to poll.
    max_waiting_per_key: of these, under one first level of their keys; None: as many as all.
    slot_timeout_s: how long one waits at most; a deadline of the greenlet may end it sooner.
    total_slots: transfers at once to all hosts together; None: as many as the hosts' slots.
    tracing: makes a trace of each transfer; None: nobody keeps account.
    """

    def __init__(
        self,
        client: CurlClient,
        *,
        slots_per_host: int,
        max_waiting: int,
        slot_timeout_s: float,
        total_slots: int | None = None,
        max_waiting_per_key: int | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.client = client
        self._tracing = tracing
        self._slots_per_host = slots_per_host
        self._max_waiting = max_waiting
        self._max_waiting_per_key = max_waiting_per_key
        self._slot_timeout_s = slot_timeout_s
        self._total = Total(total_slots)
        self._state = QueueState.OPEN
        self._hosts: dict[Origin, HostPool] = {}
        self._is_held: Callable[[str], bool] = _is_never

    def lease(self, origin: Origin) -> Lease:
        """A slot for one transfer to `origin`; parks until there is one.

        Who waits does so under the key of its `Terms`. A greenlet that has a slot must not ask for
        another one: all slots could be held by such.
        Raises PoolFull, PoolTimeout, PoolClosed, HostResting, NotInGreenlet.
        """
        return self._host(origin).lease(self._slot_timeout_s, current_terms())

    def start(self, request: Request, *, anew: bool = False) -> Transfer:
        """Begin a transfer on a slot of its own, which it gives back when it ends.

        anew: on a new connection, though there may be an idle one. Parks until there is a slot.
        Raises what `lease` raises, and ValueError for what cannot be sent.
        """
        origin, terms = request.origin, current_terms()
        lease = self._host(origin).lease(self._slot_timeout_s, terms)
        trace = None if self._tracing is None else self._tracing.trace(request.method, origin)
        terms.count_attempt(trace)
        # Not a closure over the transfer: each would be a cycle, and left to the collector.
        transfer = Transfer(
            request, on_end=lease.ended, on_sent=lease.host.health.connected, trace=trace
        )
        try:
            self.client.start(transfer, anew=anew)
        except BaseException:
            transfer.end(State.ABORTED)
            raise
        return transfer

    def overloaded(self, origin: Origin) -> None:
        """Have one slot less to a host that said, in its answer's body, that it has too much to do.

        An answer's status is seen to here: 429 and 503.
        """
        host = self._hosts.get(origin)
        if host is not None:
            host.overloaded()

    def resize(self, *, slots_per_host: int, total_slots: int | None) -> None:
        """Have other bounds from now on.

        Those who wait get the new slots at once. Of slots that are too many nobody is robbed: they
        go as they are given back.
        """
        self._slots_per_host = slots_per_host
        self._total.resize(total_slots, now=asyncio.get_running_loop().time())
        for origin, host in self._hosts.items():
            host.resize(origin.lane.slots or slots_per_host)

    def hold(self, is_held: Callable[[str], bool]) -> None:
        """Begin no transfers on lanes whose name `is_held`, at hosts that come later, too.

        Who asks for a slot there waits, as long as its deadline allows; what runs goes on. Lanes
        that were held before and are not any more go on, those who wait in their turn.
        """
        self._is_held = is_held
        for origin, host in self._hosts.items():
            host.hold(is_held=is_held(origin.lane.name))

    async def quiet(self, lane: str | None) -> None:
        """Return when no transfer runs on lanes of this name, which are held; None: on any."""
        for origin, host in list(self._hosts.items()):
            if lane is None or origin.lane.name == lane:
                await host.quiet()

    def stats(self) -> tuple[HostPoolStats, ...]:
        sockets = self.client.sockets.stats_by_origin()
        none = SocketStats(0, 0, 0)
        return tuple(host.stats(sockets.get(origin, none)) for origin, host in self._hosts.items())

    def total_stats(self) -> TotalStats:
        return self._total.stats()

    async def drain(self, timeout_s: float) -> bool:
        """Refuse newcomers and let those finish who have or wait for a slot; `close` comes next.

        True: all slots came back within `timeout_s`. This is about slots: a job whose next request
        is still to come is refused it, so end the jobs first.
        """
        if self._state is QueueState.OPEN:
            self._state = QueueState.DRAINING
        hosts = list(self._hosts.values())
        for host in hosts:
            host.queue.drain()
        try:
            async with asyncio.timeout(timeout_s):
                for host in hosts:
                    await host.drained()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Refuse all who wait and all who come, abort what runs, close every connection."""
        self._state = QueueState.CLOSED
        for host in self._hosts.values():
            host.close()
        self.client.close()

    def _host(self, origin: Origin) -> HostPool:
        return self._hosts.get(origin) or self._new_host(origin)

    def _new_host(self, origin: Origin) -> HostPool:
        if len(self._hosts) >= HOSTS_MAX:
            for known in [known for known, host in self._hosts.items() if host.queue.idle]:
                del self._hosts[known]
                self.client.sockets.forget_origin(known)
        queue = SlotQueue(
            size=origin.lane.slots or self._slots_per_host,
            max_waiting=self._max_waiting,
            max_waiting_per_key=self._max_waiting_per_key,
            total=self._total,
            state=self._state,
        )
        host = self._hosts[origin] = HostPool(origin, queue)
        host.hold(is_held=self._is_held(origin.lane.name))
        return host


def _is_never(_lane: str) -> bool:
    return False
