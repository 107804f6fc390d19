"""Any order of deeds on several queues under one total, against a naive model of what is fair.

The model writes down, for each queue that claims a permit, each first-level key and each whole key,
when it last had a turn or began to wait. Whoever is granted a slot has to be the one that goes
longest without a turn, at each level; so between two that wait all the time the grants differ by at
most one, nobody is overtaken, and inside one key the first to come is the first to be served.
"""

from collections import Counter
from collections.abc import Hashable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.pool.errors import PoolClosed, PoolFull, PoolTimeout
from botod.pool.queue import QueueState, SlotQueue, Waiter, WaiterState
from botod.pool.total import Total

MAX_WAITING = 8
KEYS = [(1, "a"), (1, "b"), (1, "c"), (2, "a"), (2, "b"), (3, "a"), None]
QUEUES = st.integers(0, 2)
PATIENCE_S = st.floats(0.5, 50)


class Client:
    """One who came to a queue, and what it knows: whether it was woken, and has a slot."""

    def __init__(self, host: "Host", key: Hashable, now: float, patience: float) -> None:
        self.host = host
        self.held_since: float | None = None
        self.waiter = Waiter(self._wake, since=now, deadline=now + patience, key=key)

    @property
    def path(self) -> tuple[Hashable, ...]:
        return self.waiter.path

    def _wake(self) -> None:
        self.host.woken(self)


class Host:
    """A queue beside a model of it in plain lists."""

    def __init__(self, machine: "QueueMachine", size: int) -> None:
        self.machine = machine
        self.queue = SlotQueue(size=size, max_waiting=MAX_WAITING, total=machine.total)
        self.size = size
        self.waiting: list[Client] = []
        self.granted: list[Client] = []
        self.held: list[Client] = []
        self.turns: dict[tuple[Hashable, ...], int] = {}
        self.claims_since: int | None = None
        self.newcomer: Client | None = None
        self.held_s = 0.0
        self.waits_s: list[float] = []
        self.told: Counter[str] = Counter()

    @property
    def leased(self) -> int:
        return len(self.granted) + len(self.held)

    def arrive(self, client: Client) -> None:
        """Take a slot or wait for one, as the pool does."""
        was_free = self.leased < self.size and self.machine.permit_free()
        if self.queue.acquire_nowait(now=self.machine.now):
            assert was_free, "a slot was given that is not there"
            assert not self.waiting, "a newcomer overtook a waiter"
            self.held.append(client)
            client.held_since = self.machine.now
            self.told["leased"] += 1
            return
        assert not was_free, "a free slot was withheld"
        self.newcomer = client
        try:
            self.queue.join(client.waiter)
        except PoolFull:
            self.told["full"] += 1
            assert len(self.waiting) == MAX_WAITING
            assert not self.uneven(client.path), "a key below its share was shut out"
        else:
            self.told["joined"] += 1
            self.waiting.append(client)
            for level in (1, 2):
                self.turns.setdefault(client.path[:level], next(self.machine.clock))
            self.note_claim()
        self.newcomer = None

    def uneven(self, path: tuple[Hashable, ...]) -> bool:
        """Whether some key could give up a place to one more at `path` and still have as many."""
        firsts = Counter(one.path[0] for one in self.waiting)
        siblings = Counter(one.path for one in self.waiting if one.path[0] == path[0])
        return firsts[path[0]] + 1 < max(firsts.values()) or (
            bool(siblings) and siblings[path] + 1 < max(siblings.values())
        )

    def woken(self, client: Client) -> None:
        """Compare who was woken with the model, then bring the model up to date."""
        assert client in self.waiting, "somebody was woken who does not wait"
        if client.waiter.state is WaiterState.GRANTED:
            self.check_turn(client)
            self.granted.append(client)
            client.held_since = self.machine.now
            self.told["leased"] += 1
            self.told["granted"] += 1
            self.claims_since = None
            for level in (1, 2):
                self.turns[client.path[:level]] = next(self.machine.clock)
        else:
            self.check_refusal(client)
        self.no_longer_waits(client)

    def check_turn(self, client: Client) -> None:
        first = client.path[:1]
        rivals = {one.path[:1] for one in self.waiting}
        assert min(rivals, key=self.turns.__getitem__) == first, "a first-level key was overtaken"
        rivals = {one.path for one in self.waiting if one.path[:1] == first}
        assert min(rivals, key=self.turns.__getitem__) == client.path, "a key was overtaken"
        line = [one for one in self.waiting if one.path == client.path]
        assert line[0] is client, "somebody was overtaken by who came later with the same key"
        claims = [host.claims_since for host in self.machine.hosts if host.claims_since is not None]
        assert self.claims_since == min(claims), "a queue was overtaken"

    def check_refusal(self, client: Client) -> None:
        error = client.waiter.error
        assert client.waiter.state is WaiterState.REFUSED
        self.told[type(error).__name__] += 1
        if isinstance(error, PoolTimeout):
            assert client.waiter.deadline <= self.machine.now
        elif isinstance(error, PoolClosed):
            assert self.queue.state is QueueState.CLOSED
        else:
            assert isinstance(error, PoolFull)
            assert self.newcomer is not None, "displaced by nobody"
            self.check_displaced(client, self.newcomer)

    def check_displaced(self, client: Client, newcomer: Client) -> None:
        assert len(self.waiting) == MAX_WAITING
        assert self.uneven(newcomer.path), "displaced though that evens nothing out"
        firsts = Counter(one.path[0] for one in self.waiting)
        lines = Counter(one.path for one in self.waiting)
        if client.path[0] != newcomer.path[0]:
            assert firsts[client.path[0]] == max(firsts.values())
        siblings = [num for path, num in lines.items() if path[0] == client.path[0]]
        assert lines[client.path] == max(siblings)
        line = [one for one in self.waiting if one.path == client.path]
        assert line[-1] is client, "displaced was not the latest"

    def no_longer_waits(self, client: Client) -> None:
        self.waiting.remove(client)
        self.waits_s.append(self.machine.now - client.waiter.since)
        for level in (1, 2):
            if all(one.path[:level] != client.path[:level] for one in self.waiting):
                del self.turns[client.path[:level]]
        self.note_claim()

    def note_claim(self) -> None:
        if not self.waiting or self.leased >= self.size:
            self.claims_since = None
        elif self.claims_since is None:
            self.claims_since = next(self.machine.clock)

    def gives_back(self, client: Client) -> None:
        """Bring the model up to date before the queue hears of it: it hands out at once."""
        assert client.held_since is not None
        self.held_s += self.machine.now - client.held_since
        self.note_claim()

    def check(self) -> None:
        stats = self.queue.stats(now=self.machine.now)
        assert stats.leased_num == self.leased
        assert stats.free_num == max(0, self.size - self.leased)
        assert stats.free_num + stats.leased_num == self.size or self.leased > self.size
        assert stats.waiting_num == len(self.waiting) <= MAX_WAITING
        assert stats.keys_waiting_num == len({one.path for one in self.waiting})
        assert all(one.waiter.state is WaiterState.WAITING for one in self.waiting)
        stuck = self.waiting and self.leased < self.size and self.machine.permit_free()
        assert not stuck, "somebody waits beside a free slot"
        assert stats.leases_total == self.told["leased"]
        assert stats.timeouts_total == self.told["PoolTimeout"]
        assert stats.displaced_total == self.told["PoolFull"]
        assert stats.refused_total == self.told["PoolFull"] + self.told["full"]
        assert stats.cancelled_total == self.told["left"] + self.told["left granted"]
        assert stats.waits_total == self.told["joined"]
        ends = ("granted", "left", "PoolTimeout", "PoolFull", "PoolClosed")
        over = sum(self.told[end] for end in ends)
        assert stats.waits_total == over + len(self.waiting), "somebody was neither served nor told"

    def check_empty(self) -> None:
        """Nothing is left, in the figures and in memory."""
        self.check()
        assert self.queue.idle
        ring = self.queue._turns
        assert (len(ring), len(ring._members), len(ring._keys_by_length)) == (0, 0, 0)
        assert ring._longest == 0
        assert self.queue.next_deadline() is None
        assert not self.queue._deadlines
        stats = self.queue.stats(now=self.machine.now)
        assert stats.held_s_total == pytest.approx(self.held_s)
        assert stats.waited_s_total == pytest.approx(sum(self.waits_s))
        assert stats.longest_wait_s == max(self.waits_s, default=0.0)


class QueueMachine(RuleBasedStateMachine):
    """Three queues under one total, and clients that come, go, hold, give up and run late."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.clock = count()
        self.total_size: int | None = 4
        self.total = Total(4)
        self.hosts = [Host(self, size) for size in (1, 2, 3)]

    def permit_free(self) -> bool:
        leased = sum(host.leased for host in self.hosts)
        return self.total_size is None or leased < self.total_size

    @rule(number=QUEUES, key=st.sampled_from(KEYS), patience=PATIENCE_S, times=st.integers(1, 6))
    def arrive(self, number: int, key: Hashable, patience: float, times: int) -> None:
        """Some come with the same key, or are refused because the queue is ending."""
        host = self.hosts[number]
        for _ in range(times):
            client = Client(host, key, self.now, patience)
            if host.queue.state is QueueState.OPEN:
                host.arrive(client)
            else:
                with pytest.raises(PoolClosed):
                    host.queue.acquire_nowait(now=self.now)
                with pytest.raises(PoolClosed):
                    host.queue.join(client.waiter)

    @precondition(lambda self: any(host.granted for host in self.hosts))
    @rule(data=st.data(), cancelled=st.booleans())
    def take_up(self, data: st.DataObject, cancelled: bool) -> None:
        """Who was granted a slot runs and uses it, or was cancelled meanwhile."""
        host = data.draw(st.sampled_from([host for host in self.hosts if host.granted]))
        client = host.granted.pop(0)
        if cancelled:
            host.told["left granted"] += 1
            host.gives_back(client)
            host.queue.leave(client.waiter, now=self.now)
        else:
            host.held.append(client)

    @precondition(lambda self: any(host.held for host in self.hosts))
    @rule(data=st.data())
    def finish_or_fail(self, data: st.DataObject) -> None:
        """A transfer ends, well or not: the slot comes back."""
        host = data.draw(st.sampled_from([host for host in self.hosts if host.held]))
        host.gives_back(host.held.pop(data.draw(st.integers(0, len(host.held) - 1))))
        host.queue.release(now=self.now)

    @precondition(lambda self: any(host.waiting for host in self.hosts))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Somebody who waits, anywhere in its line, gives up."""
        host = data.draw(st.sampled_from([host for host in self.hosts if host.waiting]))
        client = data.draw(st.sampled_from(host.waiting))
        host.told["left"] += 1
        host.queue.leave(client.waiter, now=self.now)
        host.no_longer_waits(client)

    @rule(step=st.floats(0, 10))
    def pass_time(self, step: float) -> None:
        """Those whose time is up are told, and only those."""
        self.now += step
        for host in self.hosts:
            host.queue.expire(now=self.now)
            assert all(one.waiter.deadline > self.now for one in host.waiting)

    @rule(number=QUEUES, size=st.integers(1, 5))
    def resize(self, number: int, size: int) -> None:
        host = self.hosts[number]
        host.size = size
        host.note_claim()
        host.queue.resize(size, now=self.now)

    @rule(size=st.none() | st.integers(1, 8))
    def resize_total(self, size: int | None) -> None:
        self.total_size = size
        self.total.resize(size, now=self.now)

    @rule(number=QUEUES)
    def drain(self, number: int) -> None:
        """From now on a queue serves only those it has."""
        self.hosts[number].queue.drain()

    @rule(number=QUEUES)
    def close(self, number: int) -> None:
        """Those who wait are told at once."""
        host = self.hosts[number]
        host.queue.close(now=self.now)
        assert not host.waiting

    @precondition(lambda self: any(host.queue.state is not QueueState.OPEN for host in self.hosts))
    @rule()
    def replace(self) -> None:
        """Queues that have ended make place for new ones; nothing of them is left."""
        for number, host in enumerate(self.hosts):
            if host.queue.state is not QueueState.OPEN and host.queue.idle:
                host.check_empty()
                self.hosts[number] = Host(self, host.size)

    @invariant()
    def nothing_is_lost(self) -> None:
        for host in self.hosts:
            host.check()
        stats = self.total.stats()
        assert stats.leased_num == sum(host.leased for host in self.hosts)
        assert stats.claiming_num == sum(host.claims_since is not None for host in self.hosts)

    def teardown(self) -> None:
        """Everybody finishes: then everybody was served or told, and nothing is left."""
        while any(host.leased for host in self.hosts):
            for host in self.hosts:
                host.held += host.granted
                host.granted = []
                while host.held:
                    host.gives_back(host.held.pop())
                    host.queue.release(now=self.now)
        self.nothing_is_lost()
        for host in self.hosts:
            host.check_empty()
        assert repr(self.total) == f"<Total 0/{self.total_size} leased, 0 claiming>"


QueueMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, print_blob=True
)
TestQueueMachine = QueueMachine.TestCase
"""After every step each slot is free, held or granted, and each waiter has its turn or its word."""
