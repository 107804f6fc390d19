"""Whose turn it is: turns between keys at two levels, first come first served inside one key.

A key is a triple, as (uid, priority, peer), or a pair, as (uid, peer), whose priority is 0; any
other one counts as (key, 0, None). Those with the same key stand in one line. The lines of one
first level and one priority form a ring and take turns, and the rings of all first levels take
turns in an outer one. Who had a turn goes to the back, and so does a key that comes anew: a key
with a thousand waiters delays one with a single waiter by one turn, however many peers it has.

A priority orders those of one first level only: the higher is served before the lower, and where
somebody has to make room the lower does so before the higher. When it is the turn of a first level,
and which one makes room, is the same whatever the priorities in it.

One ring is one host's. `Turns` compares keys over all hosts, for where a bound over them is scarce.

Every step costs the same however many wait. OrderedDict, not dict: a dict finds its first entry by
passing over all those that were deleted before it. What becomes empty is deleted.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)

Levels = tuple[Any, ...]
"""The way to one line: what the path has for each level from here on."""


class Path(NamedTuple):
    """A key as all of its levels."""

    first: Hashable
    priority: int
    second: Hashable


def path_of(key: Hashable) -> Path:
    """The levels of a key, whatever it has of them."""
    match key:
        case (first, int(priority), second):
            return Path(first, priority, second)
        case (first, second):
            return Path(first, 0, second)
        case _:
            return Path(key, 0, None)


class Line(Generic[T]):
    """First come first served; who stands in the middle can leave."""

    def __init__(self) -> None:
        self._items: OrderedDict[T, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def push(self, _path: Levels, item: T) -> None:
        self._items[item] = None

    def first(self) -> T:
        return next(iter(self._items))

    def pop(self) -> T:
        return self._items.popitem(last=False)[0]

    def defer(self, _path: Levels) -> None:
        """Nothing: in one line the first to come stays the first."""

    def remove(self, _path: Levels, item: T) -> None:
        del self._items[item]

    def latest(self) -> T:
        return next(reversed(self._items))

    def crowded_out_by(self, _path: Levels) -> T | None:
        """None: in one line nobody makes room for who comes later."""
        return None

    def lines_num(self) -> int:
        return 1


class Ring(Generic[T]):
    """Lines, or what else is kept for a key, that take turns. None of them is empty.

    make: a new one, for a key that comes anew.
    """

    def __init__(self, make: Callable[[], "Line[T] | Ranks[T]"]) -> None:
        self._make = make
        self._members: OrderedDict[Hashable, Line[T] | Ranks[T]] = OrderedDict()
        self._length = 0
        self._keys_by_length: dict[int, OrderedDict[Hashable, None]] = {}
        self._longest = 0

    def __len__(self) -> int:
        return self._length

    def push(self, path: Levels, item: T) -> None:
        """Stand at the end of the line at `path`."""
        key, *_ = path
        if key not in self._members:
            self._members[key] = self._make()
        member = self._members[key]
        member.push(path[1:], item)
        self._changed(key, len(member) - 1, len(member))

    def first(self) -> T:
        """Whose turn it is."""
        return next(iter(self._members.values())).first()

    def pop(self) -> T:
        """Take out whose turn it is; the key goes to the back."""
        key, member = next(iter(self._members.items()))
        item = member.pop()
        self._members.move_to_end(key)
        self._changed(key, len(member) + 1, len(member))
        return item

    def defer(self, path: Levels) -> None:
        """Count a turn that the key had elsewhere: if it waits here, it goes to the back."""
        key, *_ = path
        if key in self._members:
            self._members.move_to_end(key)
            self._members[key].defer(path[1:])

    def remove(self, path: Levels, item: T) -> None:
        """Take out one who stands in the line at `path`; the turns stay as they are."""
        key, *_ = path
        member = self._members[key]
        member.remove(path[1:], item)
        self._changed(key, len(member) + 1, len(member))

    def waiting_num(self, path: Levels) -> int:
        """How many there are with the first key of `path`."""
        key, *_ = path
        return len(self._members.get(key, ()))

    def latest(self) -> T:
        """The last with the key that has most, of which it is the one least worth keeping."""
        key = next(iter(self._keys_by_length[self._longest]))
        return self._members[key].latest()

    def crowded_out_by(self, path: Levels) -> T | None:
        """Who should make room for one more at `path`; None if that evens nothing out.

        The key with most waiting gives one up, unless the newcomer's would then have as many: two
        keys would take the place from each other in turn.
        """
        if self.waiting_num(path) + 1 < self._longest:
            return self.latest()
        key, *_ = path
        member = self._members.get(key)
        return None if member is None else member.crowded_out_by(path[1:])

    def lines_num(self) -> int:
        return sum(member.lines_num() for member in self._members.values())

    def _changed(self, key: Hashable, before: int, after: int) -> None:
        """Keep count: the length of the member of `key` went up or down by one."""
        self._length += after - before
        if before:
            alike = self._keys_by_length[before]
            del alike[key]
            if not alike:
                del self._keys_by_length[before]
        if after:
            self._keys_by_length.setdefault(after, OrderedDict())[key] = None
        else:
            del self._members[key]
        if after > self._longest or self._longest not in self._keys_by_length:
            self._longest = after


class Ranks(Generic[T]):
    """The rings of all priorities of one key: the higher before the lower. None of them is empty.

    A step looks at each priority there is, of which few are meant: 21 cost half a µs more than one.
    """

    def __init__(self) -> None:
        self._rings: dict[int, Ring[T]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, path: Levels, item: T) -> None:
        priority, *_ = path
        if priority not in self._rings:
            self._rings[priority] = Ring(Line)
        self._rings[priority].push(path[1:], item)
        self._length += 1

    def first(self) -> T:
        return self._rings[max(self._rings)].first()

    def pop(self) -> T:
        priority = max(self._rings)
        item = self._rings[priority].pop()
        self._shrunk(priority)
        return item

    def defer(self, path: Levels) -> None:
        """Count a turn elsewhere in the ring of its priority; the others have their own turns."""
        priority, *_ = path
        if priority in self._rings:
            self._rings[priority].defer(path[1:])

    def remove(self, path: Levels, item: T) -> None:
        priority, *_ = path
        self._rings[priority].remove(path[1:], item)
        self._shrunk(priority)

    def latest(self) -> T:
        return self._rings[min(self._rings)].latest()

    def crowded_out_by(self, path: Levels) -> T | None:
        """Who has the lowest priority, if the newcomer's is higher; among equals as in a ring."""
        priority, *_ = path
        lowest = min(self._rings)
        if lowest < priority:
            return self.latest()
        return self._rings[lowest].crowded_out_by(path[1:]) if lowest == priority else None

    def lines_num(self) -> int:
        return sum(ring.lines_num() for ring in self._rings.values())

    def _shrunk(self, priority: int) -> None:
        self._length -= 1
        if not self._rings[priority]:
            del self._rings[priority]


def two_level_ring() -> Ring[T]:
    """For paths as `path_of` makes them."""
    return Ring(Ranks)


class Turns:
    """Which key goes longest without a turn, over many rings; at each level for itself.

    Between the levels, and so inside one first level, the higher priority comes first.

    Of each key that waits anywhere: how many do, and when it had its last turn, or began to wait.
    """

    def __init__(self) -> None:
        self._waiting: Counter[Levels] = Counter()
        self._last: dict[Levels, int] = {}
        self._clock = count()

    def __len__(self) -> int:
        return len(self._last)

    def joined(self, path: Path) -> None:
        """One more waits at `path`."""
        for level in _levels(path):
            self._waiting[level] += 1
            self._last.setdefault(level, next(self._clock))

    def left(self, path: Path) -> None:
        """One fewer waits at `path`."""
        for level in _levels(path):
            self._waiting[level] -= 1
            if not self._waiting[level]:
                del self._waiting[level], self._last[level]

    def had(self, path: Path) -> None:
        """The key at `path` has a turn now; it counts at those levels where somebody waits."""
        for level in _levels(path):
            if level in self._last:
                self._last[level] = next(self._clock)

    def rank(self, path: Path) -> tuple[int, int, int]:
        """The lower, the sooner it is the turn of the key at `path`."""
        return self._last[path[:1]], -path.priority, self._last[path]


def _levels(path: Path) -> tuple[Levels, ...]:
    return path[:1], path
