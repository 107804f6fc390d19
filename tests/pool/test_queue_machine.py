"""Any order of deeds on several queues under one total, against a naive model of what is fair.

The model writes down, for each first-level key and each whole key, when it last had a turn or began
to wait: in each queue, where turns elsewhere count while that queue claims a permit, and over all
queues. Whoever is granted a slot has to be of the first level that goes longest without a turn, of
the highest priority in it, and of the key with that priority that goes longest without a turn:
first in its queue and then among those whose turn it is in the queues that claim. Inside one key
the first to come is the first to be served, and nobody is overtaken by a job of its own peer whose
priority is not higher.

A client's polls count as another client's: their first level is their own, and their track may be
closed while the other is open, because polls have their share of a queue's slots. Nobody may wait
for whom there is a slot and a permit; who polls has neither while polls have their share, and
nobody has a slot at a queue that is paused, where no time passes.

Apart from that model it counts: while a key waits in a track that is open, and the total has
permits of its kind, each other key, of the same first level and priority or another first level,
has at most one turn, wherever, before that key has its own.
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from botod.pool.errors import PoolClosed, PoolFull, PoolTimeout
from botod.pool.fairness import Levels, Path
from botod.pool.queue import QueueState, SlotQueue
from botod.pool.total import Total
from botod.pool.tracks import Polls
from botod.pool.waiter import Waiter, WaiterState

MAX_WAITING = 8
KEYS = [
    (1, "a"),
    (1, "b"),
    (1, 0, "c"),
    (1, 10, "a"),
    (1, 10, "b"),
    (1, -1, "a"),
    (2, "a"),
    (2, 3, "a"),
    (2, 3, "b"),
    (3, "a"),
    None,
]
SIZES = (1, 2, 3, 5)
MAX_WAITING_PER_KEY = (None, 5, None, 5)
QUEUES = st.integers(0, len(SIZES) - 1)
PATIENCE_S = st.floats(0.5, 50)


def levels(path: Path) -> tuple[Levels, ...]:
    """The first-level key alone, and the whole one."""
    return path[:1], path


def may_poll(leased: int, polls: int, size: int | None) -> bool:
    """Whether one more poll is within three quarters, rounded down, of which one is always."""
    return size is None or (leased < size and polls < max(1, size * 3 // 4))


def rank(path: Path, turns: Mapping[Levels, int]) -> tuple[int, int, int]:
    """The lower, the sooner it is the turn of a key, by when it and its first level had theirs."""
    return turns[path[:1]], -path.priority, turns[path]


class Client:
    """One who came to a queue, and what it knows: whether it was woken, and has a slot."""

    def __init__(
        self, host: "Host", key: Hashable, now: float, patience: float, *, is_poll: bool
    ) -> None:
        self.host = host
        self.is_poll = is_poll
        self.held_since: float | None = None
        self.deadline = now + patience
        self.waiter = Waiter(
            self._wake, since=now, deadline=self.deadline, key=key, is_poll=is_poll
        )

    @property
    def path(self) -> Path:
        return self.waiter.path

    def _wake(self) -> None:
        self.host.woken(self)


class Host:
    """A queue beside a model of it in plain lists."""

    def __init__(self, machine: "QueueMachine", size: int, per_key: int | None) -> None:
        self.machine = machine
        self.per_key = per_key
        self.queue = SlotQueue(
            size=size,
            max_waiting=MAX_WAITING,
            max_waiting_per_key=per_key,
            total=machine.total,
        )
        self.size = size
        self.paused_at: float | None = None
        self.waiting: list[Client] = []
        self.granted: list[Client] = []
        self.held: list[Client] = []
        self.turns: dict[Levels, int] = {}
        self.passed: dict[Levels, Counter[Levels]] = {}
        self.newcomer: Client | None = None
        self.held_s = 0.0
        self.waits_s: list[float] = []
        self.told: Counter[str] = Counter()

    @property
    def leased(self) -> int:
        return len(self.granted) + len(self.held)

    @property
    def polls(self) -> int:
        return sum(one.is_poll for one in self.granted + self.held)

    def is_open(self, *, is_poll: bool) -> bool:
        """Whether this host has a slot for one of a track."""
        if self.paused_at is not None:
            return False
        if is_poll:
            return may_poll(self.leased, self.polls, self.size)
        return self.leased < self.size

    def in_track(self, *, is_poll: bool) -> list[Client]:
        return [one for one in self.waiting if one.is_poll is is_poll]

    @property
    def claims(self) -> bool:
        return any(self.is_open(is_poll=one.is_poll) for one in self.waiting)

    @property
    def servable(self) -> list[Client]:
        """Those who wait for whom there is a slot here and a permit of the total."""
        return [
            one
            for one in self.waiting
            if self.is_open(is_poll=one.is_poll) and self.machine.permit_free(is_poll=one.is_poll)
        ]

    @property
    def head(self) -> Client:
        """Whose turn it is here."""
        path = min((one.path for one in self.servable), key=lambda path: rank(path, self.turns))
        return next(one for one in self.servable if one.path == path)

    @property
    def rank(self) -> tuple[float, ...]:
        """The lower, the sooner it is this queue's turn under the total."""
        head = self.head
        return (*rank(head.path, self.machine.turns), head.waiter.since)

    def arrive(self, client: Client) -> None:
        """Take a slot or wait for one, as the pool does."""
        is_poll = client.is_poll
        was_free = self.is_open(is_poll=is_poll) and self.machine.permit_free(is_poll=is_poll)
        if self.queue.acquire_nowait(now=self.machine.now, is_poll=is_poll):
            assert was_free, "a slot was given that is not there"
            assert not self.in_track(is_poll=is_poll), "a newcomer overtook a waiter"
            assert is_poll or not self.servable, "a newcomer overtook a poll"
            self.held.append(client)
            client.held_since = self.machine.now
            self.told["leased"] += 1
            return
        assert not was_free, "a free slot was withheld"
        self.newcomer = client
        limit = self.limit(client)
        try:
            self.queue.join(client.waiter)
        except PoolFull as error:
            self.told["full"] += 1
            self.check_shut_out(client, error, limit)
        else:
            self.told["joined"] += 1
            self.waiting.append(client)
            for level in levels(client.path):
                self.turns.setdefault(level, next(self.machine.clock))
                self.machine.turns.setdefault(level, next(self.machine.clock))
        self.newcomer = None

    def check_shut_out(self, client: Client, error: PoolFull, limit: str | None) -> None:
        assert error.limit == limit
        assert not self.is_for(client, limit), "a key below its share was shut out"

    def limit(self, client: Client) -> str | None:
        """Which bound leaves no place for one more in a track."""
        siblings_num = sum(one.path.first == client.path.first for one in self.waiting)
        if siblings_num == self.per_key:
            return "max_waiting_per_key"
        in_track_num = len(self.in_track(is_poll=client.is_poll))
        return "max_waiting" if in_track_num == MAX_WAITING else None

    def is_for(self, client: Client, limit: str | None) -> bool:
        """Whether somebody in its track should give up a place to one more."""
        path = client.path
        firsts = Counter(one.path.first for one in self.in_track(is_poll=client.is_poll))
        if limit == "max_waiting" and firsts[path.first] + 1 < max(firsts.values()):
            return True
        siblings = [one.path for one in self.waiting if one.path.first == path.first]
        lowest = min((sibling.priority for sibling in siblings), default=path.priority)
        alike = Counter(sibling for sibling in siblings if sibling.priority == path.priority)
        fullest = max(alike.values(), default=0)
        return lowest < path.priority or (lowest == path.priority and alike[path] + 1 < fullest)

    def woken(self, client: Client) -> None:
        """Compare who was woken with the model, then bring the model up to date."""
        assert client in self.waiting, "somebody was woken who does not wait"
        if client.waiter.state is WaiterState.GRANTED:
            self.check_turn(client)
            self.machine.note_turn(client.path)
            self.granted.append(client)
            client.held_since = self.machine.now
            self.told["leased"] += 1
            self.told["granted"] += 1
        else:
            self.check_refusal(client)
        self.no_longer_waits(client)

    def check_turn(self, client: Client) -> None:
        assert client in self.servable, "a slot was granted that is not there"
        servable = self.servable
        firsts = {one.path[:1] for one in servable}
        first = min(firsts, key=self.turns.__getitem__)
        assert client.path[:1] == first, "a first-level key was overtaken"
        own = [one for one in servable if one.path.first == client.path.first]
        priority = max(one.path.priority for one in own)
        assert client.path.priority == priority, "a higher priority was overtaken by a lower one"
        rivals = {one.path for one in own if one.path.priority == priority}
        assert min(rivals, key=self.turns.__getitem__) == client.path, "a key was overtaken"
        for one in own[: own.index(client)]:
            is_same = one.path.second == client.path.second
            is_higher = client.path.priority > one.path.priority
            assert is_higher or not is_same, "somebody was overtaken by its own peer"
        ranks = [host.rank for host in self.machine.hosts if host.servable]
        assert self.rank == min(ranks), "a key was overtaken by one at another queue"

    def check_refusal(self, client: Client) -> None:
        error = client.waiter.error
        assert client.waiter.state is WaiterState.REFUSED
        self.told[type(error).__name__] += 1
        if isinstance(error, PoolTimeout):
            assert self.paused_at is None
            assert client.deadline <= self.machine.now
        elif isinstance(error, PoolClosed):
            assert self.queue.state is QueueState.CLOSED
        else:
            assert isinstance(error, PoolFull)
            assert self.newcomer is not None, "displaced by nobody"
            limit = self.limit(self.newcomer)
            assert error.limit == limit
            assert self.is_for(self.newcomer, limit), "displaced though that is of no use"
            self.check_displaced(client, self.newcomer, limit)

    def check_displaced(self, client: Client, newcomer: Client, limit: str | None) -> None:
        assert client.is_poll is newcomer.is_poll, "displaced by one who waits elsewhere"
        if client.path.first != newcomer.path.first:
            firsts = Counter(one.path.first for one in self.in_track(is_poll=client.is_poll))
            assert limit == "max_waiting", "displaced by another's own crowd"
            assert firsts[client.path.first] == max(firsts.values())
        siblings = [one.path for one in self.waiting if one.path.first == client.path.first]
        lowest = min(sibling.priority for sibling in siblings)
        assert client.path.priority == lowest, "displaced though there is a lower priority"
        lines = Counter(sibling for sibling in siblings if sibling.priority == lowest)
        assert lines[client.path] == max(lines.values())
        line = [one for one in self.waiting if one.path == client.path]
        assert line[-1] is client, "displaced was not the latest"

    def no_longer_waits(self, client: Client) -> None:
        self.waiting.remove(client)
        self.waits_s.append(self.machine.now - client.waiter.since)
        for level in levels(client.path):
            if all(level not in levels(one.path) for one in self.waiting):
                del self.turns[level]
                self.passed.pop(level, None)
            if all(level not in host.turns for host in self.machine.hosts):
                del self.machine.turns[level]
        self.machine.note_closed()

    def is_claiming(self, *, is_poll: bool) -> bool:
        """Whether those in a track could be served, whichever way the total gives its permits."""
        return self.is_open(is_poll=is_poll) and not (is_poll and self.machine.polls_have_theirs())

    def note_closed(self) -> None:
        """Who cannot be served now, whoever's turn it is, is delayed by nobody's turns."""
        for level in list(self.passed):
            if not self.is_claiming(is_poll=isinstance(level[0], Polls)):
                del self.passed[level]

    def note_turn(self, level: Levels) -> None:
        """A key has a turn, here or elsewhere, while this queue claims."""
        self.passed.pop(level, None)
        if level in self.turns:
            self.turns[level] = next(self.machine.clock)
        claiming = [one for one in self.waiting if self.is_claiming(is_poll=one.is_poll)]
        for rival in {level for one in claiming for level in levels(one.path)}:
            if rival != level and rival[:-1] == level[:-1]:
                passed = self.passed.setdefault(rival, Counter())
                passed[level] += 1
                assert passed[level] == 1, f"{rival} was delayed by two turns of {level}"

    def resume(self) -> None:
        if self.paused_at is not None:
            for one in self.waiting:
                one.deadline += self.machine.now - max(self.paused_at, one.waiter.since)
        self.paused_at = None
        self.queue.resume(now=self.machine.now)

    def gives_back(self, client: Client) -> None:
        """Bring the model up to date before the queue hears of it: it hands out at once."""
        assert client.held_since is not None
        self.held_s += self.machine.now - client.held_since

    def check(self) -> None:
        stats = self.queue.stats(now=self.machine.now)
        assert stats.leased_num == self.leased
        assert stats.free_num == max(0, self.size - self.leased)
        assert stats.free_num + stats.leased_num == self.size or self.leased > self.size
        assert stats.polls_leased_num == self.polls
        assert stats.polls_slots_num == max(1, self.size * 3 // 4)
        assert stats.waiting_num == len(self.waiting)
        assert stats.polls_waiting_num == len(self.in_track(is_poll=True)) <= MAX_WAITING
        assert len(self.in_track(is_poll=False)) <= MAX_WAITING
        firsts = Counter(one.path.first for one in self.waiting)
        assert self.per_key is None or max(firsts.values(), default=0) <= self.per_key
        assert stats.keys_waiting_num == len({one.path for one in self.waiting})
        assert all(one.waiter.state is WaiterState.WAITING for one in self.waiting)
        assert not self.servable, "somebody waits beside a free slot"
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
        for is_poll in (False, True):
            ring = self.queue._tracks.ring(is_poll=is_poll)
            assert (len(ring), len(ring._members), len(ring._keys_by_length)) == (0, 0, 0)
            assert ring._longest == 0
        assert not len(self.queue._tracks._turns)
        assert self.queue.next_deadline() is None
        assert not self.queue._deadlines
        stats = self.queue.stats(now=self.machine.now)
        assert stats.held_s_total == pytest.approx(self.held_s)
        assert stats.waited_s_total == pytest.approx(sum(self.waits_s))
        assert stats.longest_wait_s == max(self.waits_s, default=0.0)


class QueueMachine(RuleBasedStateMachine):
    """Queues under one scarce total, and clients that come, go, hold, give up and run late."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.clock = count()
        self.turns: dict[Levels, int] = {}
        self.total_size: int | None = 3
        self.total = Total(3)
        self.hosts = [
            Host(self, size, per_key)
            for size, per_key in zip(SIZES, MAX_WAITING_PER_KEY, strict=True)
        ]

    def permit_free(self, *, is_poll: bool) -> bool:
        leased = sum(host.leased for host in self.hosts)
        if is_poll:
            return may_poll(leased, sum(host.polls for host in self.hosts), self.total_size)
        return self.total_size is None or leased < self.total_size

    def polls_have_theirs(self) -> bool:
        """Whether polls have their share of the total."""
        return not may_poll(0, sum(host.polls for host in self.hosts), self.total_size)

    def note_closed(self) -> None:
        for host in self.hosts:
            host.note_closed()

    def note_turn(self, path: Path) -> None:
        for level in levels(path):
            self.turns[level] = next(self.clock)
            for host in self.hosts:
                if host.claims:
                    host.note_turn(level)

    @rule(
        number=QUEUES,
        key=st.sampled_from(KEYS),
        patience=PATIENCE_S,
        times=st.integers(1, 6),
        is_poll=st.booleans(),
    )
    def arrive(
        self, number: int, key: Hashable, patience: float, times: int, is_poll: bool
    ) -> None:
        """Some come with the same key, or are refused because the queue is ending."""
        self.arrive_at(self.hosts[number], key, patience, times, is_poll=is_poll)

    @rule(
        key=st.sampled_from(KEYS),
        patience=PATIENCE_S,
        times=st.integers(1, 3),
        is_poll=st.booleans(),
    )
    def arrive_everywhere(self, key: Hashable, patience: float, times: int, is_poll: bool) -> None:
        """Somebody wants much, of every host."""
        for host in self.hosts:
            self.arrive_at(host, key, patience, times, is_poll=is_poll)

    def arrive_at(
        self, host: Host, key: Hashable, patience: float, times: int, *, is_poll: bool
    ) -> None:
        for _ in range(times):
            client = Client(host, key, self.now, patience, is_poll=is_poll)
            if host.queue.state is QueueState.OPEN:
                host.arrive(client)
            else:
                with pytest.raises(PoolClosed):
                    host.queue.acquire_nowait(now=self.now, is_poll=is_poll)
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
        client = host.held.pop(data.draw(st.integers(0, len(host.held) - 1)))
        host.gives_back(client)
        host.queue.release(now=self.now, is_poll=client.is_poll)

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
            if host.paused_at is None:
                assert all(one.deadline > self.now for one in host.waiting)
                assert all(one.deadline == one.waiter.deadline for one in host.waiting)

    @rule(number=QUEUES, size=st.integers(1, 5))
    def resize(self, number: int, size: int) -> None:
        host = self.hosts[number]
        host.size = size
        host.queue.resize(size, now=self.now)

    @rule(size=st.none() | st.integers(1, 8))
    def resize_total(self, size: int | None) -> None:
        self.total_size = size
        self.total.resize(size, now=self.now)

    @rule(number=QUEUES)
    def pause(self, number: int) -> None:
        """Nobody gets a slot, and nobody's time runs out."""
        host = self.hosts[number]
        if host.paused_at is None:
            host.paused_at = self.now
        host.queue.pause(now=self.now)

    @rule(number=QUEUES)
    def resume(self, number: int) -> None:
        """It is as if the pause had taken no time."""
        self.hosts[number].resume()

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
                host.resume()
                host.check_empty()
                self.hosts[number] = Host(self, host.size, host.per_key)

    @invariant()
    def nothing_is_lost(self) -> None:
        self.note_closed()
        for host in self.hosts:
            host.check()
        stats = self.total.stats()
        assert stats.leased_num == sum(host.leased for host in self.hosts)
        assert stats.polls_leased_num == sum(host.polls for host in self.hosts)
        assert stats.claiming_num == sum(host.claims for host in self.hosts)

    def teardown(self) -> None:
        """Everybody finishes: then everybody was served or told, and nothing is left."""
        for host in self.hosts:
            host.resume()
        while any(host.leased for host in self.hosts):
            for host in self.hosts:
                host.held += host.granted
                host.granted = []
                while host.held:
                    client = host.held.pop()
                    host.gives_back(client)
                    host.queue.release(now=self.now, is_poll=client.is_poll)
        self.nothing_is_lost()
        for host in self.hosts:
            host.check_empty()
        assert repr(self.total) == f"<Total 0/{self.total_size} leased, 0 claiming>"
        assert not len(self.total._turns)


QueueMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, print_blob=True
)
TestQueueMachine = QueueMachine.TestCase
"""After every step each slot is free, held or granted, and each waiter has its turn or its word."""
