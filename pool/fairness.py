"""Whose turn it is: turns between keys at two levels, first come first served inside one key.

A key is a pair, as (uid, peer); whatever is no pair counts as (key, None). Those with the same key
stand in one line. The lines of one first level form a ring and take turns, and these rings take
turns in an outer one. Who had a turn goes to the back, and so does a key that comes anew: a key
with a thousand waiters delays one with a single waiter by one turn, however many peers it has.

Every step costs the same however many wait. OrderedDict, not dict: a dict finds its first entry by
passing over all those that were deleted before it. What becomes empty is deleted.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

Path = tuple[Hashable, ...]
"""The way to one line: a key for each level of rings from here on."""


def path_of(key: Hashable) -> Path:
    """The two levels of a key."""
    return key if isinstance(key, tuple) and len(key) == 2 else (key, None)  # noqa: PLR2004


class Line(Generic[T]):
    """First come first served; who stands in the middle can leave."""

    def __init__(self) -> None:
        self._items: OrderedDict[T, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def push(self, _path: Path, item: T) -> None:
        self._items[item] = None

    def pop(self) -> T:
        return self._items.popitem(last=False)[0]

    def remove(self, _path: Path, item: T) -> None:
        del self._items[item]

    def latest(self) -> T:
        return next(reversed(self._items))

    def crowded_out_by(self, _path: Path) -> T | None:
        """None: in one line nobody makes room for who comes later."""
        return None

    def lines_num(self) -> int:
        return 1


class Ring(Generic[T]):
    """Lines, or rings again, that take turns. None of them is empty.

    make: a new one, for a key that comes anew.
    """

    def __init__(self, make: Callable[[], "Line[T] | Ring[T]"]) -> None:
        self._make = make
        self._members: OrderedDict[Hashable, Line[T] | Ring[T]] = OrderedDict()
        self._length = 0
        self._keys_by_length: dict[int, OrderedDict[Hashable, None]] = {}
        self._longest = 0

    def __len__(self) -> int:
        return self._length

    def push(self, path: Path, item: T) -> None:
        """Stand at the end of the line at `path`."""
        key, *_ = path
        if key not in self._members:
            self._members[key] = self._make()
        member = self._members[key]
        member.push(path[1:], item)
        self._changed(key, len(member) - 1, len(member))

    def pop(self) -> T:
        """Take out whose turn it is; the key goes to the back."""
        key, member = next(iter(self._members.items()))
        item = member.pop()
        self._members.move_to_end(key)
        self._changed(key, len(member) + 1, len(member))
        return item

    def remove(self, path: Path, item: T) -> None:
        """Take out one who stands in the line at `path`; the turns stay as they are."""
        key, *_ = path
        member = self._members[key]
        member.remove(path[1:], item)
        self._changed(key, len(member) + 1, len(member))

    def latest(self) -> T:
        """The last of the longest line of the longest ring."""
        key = next(iter(self._keys_by_length[self._longest]))
        return self._members[key].latest()

    def crowded_out_by(self, path: Path) -> T | None:
        """Who should make room for one more at `path`; None if that evens nothing out.

        The key with most waiting gives one up, unless the newcomer's would then have as many: two
        keys would take the place from each other in turn.
        """
        key, *_ = path
        member = self._members.get(key)
        if (0 if member is None else len(member)) + 1 < self._longest:
            return self.latest()
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


def two_level_ring() -> Ring[T]:
    """For paths as `path_of` makes them."""
    return Ring(lambda: Ring(Line))
