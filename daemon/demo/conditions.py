"""The conditions of SimpleDB's select language: whether an item satisfies a `where`. No I/O.

An attribute has a set of values, and a comparison looks at one value at a time. Comparisons of one
attribute that are joined by `and` and `or` form one predicate, which is put to each value by
itself: `k = 'a' and k = 'b'` asks for one value that equals both, and so finds nothing. It is
`intersection` that joins predicates item by item. A predicate holds if any value satisfies it;
with `every`, if all do and there is one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

Attributes = Mapping[str, tuple[str, ...]]
"""An item's values by attribute, each once and in order."""


@dataclass(frozen=True)
class Subject:
    """What a comparison looks at.

    attribute: None stands for itemName()
    every: whether all values have to satisfy the predicate, not just any
    """

    attribute: str | None
    every: bool = False

    def values(self, name: str, attributes: Attributes) -> Sequence[str]:
        return (name,) if self.attribute is None else attributes.get(self.attribute, ())

    def satisfied(self, name: str, attributes: Attributes, test: Callable[[str], bool]) -> bool:
        """Whether the item's values pass the test, as this subject counts them."""
        passed = [test(value) for value in self.values(name, attributes)]
        return (all(passed) and bool(passed)) if self.every else any(passed)


class Condition(ABC):
    """A node of the tree that a `where` is parsed into."""

    @property
    def subject(self) -> Subject | None:
        """What this looks at, if it is a predicate of one subject, or a part of one."""
        return None

    @property
    def parts(self) -> "tuple[Condition, ...]":
        return ()

    def test(self, value: str) -> bool:
        """Whether one value satisfies this; only for those that have a subject."""
        raise NotImplementedError

    @abstractmethod
    def holds(self, name: str, attributes: Attributes) -> bool:
        """Whether the item satisfies this."""


TESTS: Mapping[str, Callable[[str, tuple[str, ...]], bool]] = {
    "=": lambda value, operands: value == operands[0],
    "!=": lambda value, operands: value != operands[0],
    ">": lambda value, operands: value > operands[0],
    ">=": lambda value, operands: value >= operands[0],
    "<": lambda value, operands: value < operands[0],
    "<=": lambda value, operands: value <= operands[0],
    "between": lambda value, operands: operands[0] <= value <= operands[1],
    "in": lambda value, operands: value in operands,
    "starts with": lambda value, operands: value.startswith(operands[0]),
    "ends with": lambda value, operands: value.endswith(operands[0]),
    "contains": lambda value, operands: operands[0] in value,
}
"""By operator. Order is that of code points, which is also that of the bytes in UTF-8."""


@dataclass(frozen=True)
class Comparison(Condition):
    """One value against constants, by one of TESTS."""

    of: Subject
    operator: str
    operands: tuple[str, ...]
    negated: bool = False

    @property
    def subject(self) -> Subject:
        return self.of

    def test(self, value: str) -> bool:
        return TESTS[self.operator](value, self.operands) is not self.negated

    def holds(self, name: str, attributes: Attributes) -> bool:
        return self.of.satisfied(name, attributes, self.test)


@dataclass(frozen=True)
class IsNull(Condition):
    """The item has no value of the attribute; negated: it has one."""

    of: Subject
    negated: bool = False

    def holds(self, name: str, attributes: Attributes) -> bool:
        return bool(self.of.values(name, attributes)) is self.negated


@dataclass(frozen=True)
class Not(Condition):
    """The items that do not satisfy a condition."""

    inner: Condition

    @property
    def parts(self) -> tuple[Condition, ...]:
        return (self.inner,)

    def holds(self, name: str, attributes: Attributes) -> bool:
        return not self.inner.holds(name, attributes)


@dataclass(frozen=True)
class _Joined(Condition):
    """Several conditions joined by one word; of one subject if all of them are."""

    joined: tuple[Condition, ...]

    @property
    def subject(self) -> Subject | None:
        subjects = {part.subject for part in self.joined}
        return subjects.pop() if len(subjects) == 1 else None

    @property
    def parts(self) -> tuple[Condition, ...]:
        return self.joined


class AnyOf(_Joined):
    """`or`."""

    def test(self, value: str) -> bool:
        return any(part.test(value) for part in self.joined)

    def holds(self, name: str, attributes: Attributes) -> bool:
        if self.subject is not None:
            return self.subject.satisfied(name, attributes, self.test)
        return any(part.holds(name, attributes) for part in self.joined)


class AllOf(_Joined):
    """`and`: neighbours of one subject are one predicate, put to each value by itself."""

    def test(self, value: str) -> bool:
        return all(part.test(value) for part in self.joined)

    def holds(self, name: str, attributes: Attributes) -> bool:
        if self.subject is not None:
            return self.subject.satisfied(name, attributes, self.test)
        return all(part.holds(name, attributes) for part in self._predicates())

    def _predicates(self) -> Iterator[Condition]:
        for subject, run in groupby(self.joined, key=lambda part: part.subject):
            if subject is None:
                yield from run
            else:
                yield AllOf(tuple(run))


class Intersection(_Joined):
    """`intersection`: the items that satisfy each of the conditions, whatever values do it."""

    @property
    def subject(self) -> None:
        return None

    def holds(self, name: str, attributes: Attributes) -> bool:
        return all(part.holds(name, attributes) for part in self.joined)


def constrained(condition: Condition) -> Iterator[str | None]:
    """The attributes that some predicate asks to be there; None stands for itemName()."""
    if isinstance(condition, Comparison) or (isinstance(condition, IsNull) and condition.negated):
        yield condition.of.attribute
    for part in condition.parts:
        yield from constrained(part)
