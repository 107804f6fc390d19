"""SimpleDB's select language: from text to a Select. No I/O.

    select output from domain [where condition] [order by attribute [asc | desc]] [limit number]

Of the operators `not` binds closest, then `and`, `or` and `intersection`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from botod.daemon.demo.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Intersection,
    IsNull,
    Not,
    Subject,
    constrained,
)
from botod.daemon.demo.errors import Refused
from botod.daemon.demo.tokens import Cursor, wrong

MAX_COMPARISONS = 20
"""SimpleDB's, of one expression; also of the values in one `in` and of the attributes asked for."""

MAX_NESTING = 20
"""Parentheses and `not` inside each other: more than 20 comparisons could use."""

MAX_LIMIT = 2500


class Output(Enum):
    """What a select gives of the items that it finds."""

    EVERYTHING = auto()
    NAMES = auto()
    COUNT = auto()
    ATTRIBUTES = auto()


@dataclass(frozen=True)
class Order:
    """How items are sorted. attribute: None stands for itemName()."""

    attribute: str | None
    descending: bool = False


@dataclass(frozen=True)
class Select:
    """A parsed expression. attributes: those asked for, if output is ATTRIBUTES."""

    text: str
    output: Output
    attributes: tuple[str, ...]
    domain: str
    where: Condition | None
    order: Order | None
    limit: int | None


def parse(text: str) -> Select:
    """The meaning of an expression; raises Refused, saying what was expected where."""
    return _Parser(text).select()


class _Parser:
    """Recursive descent; each method takes the tokens of what it is named after."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._cursor = Cursor(text)
        self._comparisons = 0
        self._depth = 0

    def select(self) -> Select:
        cursor = self._cursor
        cursor.expect("select")
        output, attributes = self._output()
        cursor.expect("from")
        domain = cursor.name("the name of a domain")
        where = self._condition() if cursor.took("where") else None
        order = self._order(where) if cursor.took("order") else None
        limit = self._limit() if cursor.took("limit") else None
        cursor.take("end", "the end")
        return Select(self._text, output, attributes, domain, where, order, limit)

    def _output(self) -> tuple[Output, tuple[str, ...]]:
        cursor = self._cursor
        if cursor.took("*"):
            return Output.EVERYTHING, ()
        if cursor.took_call("itemname"):
            cursor.expect(")")
            return Output.NAMES, ()
        if cursor.took_call("count"):
            cursor.expect("*")
            cursor.expect(")")
            return Output.COUNT, ()
        names = cursor.list_of(lambda: cursor.name("*, itemName(), count(*) or attributes"))
        if len(set(names)) > MAX_COMPARISONS:
            raise Refused("TooManyRequestedAttributes", "Too many attributes requested.")
        return Output.ATTRIBUTES, names

    def _order(self, where: Condition | None) -> Order:
        self._cursor.expect("by")
        attribute = _attribute(self._cursor)
        if where is None or attribute not in constrained(where):
            raise Refused(
                "InvalidSortExpression",
                "The sort attribute must be present in at least one of the predicates, "
                "and the predicate cannot contain the is null operator.",
            )
        return Order(attribute, not self._cursor.took("asc") and self._cursor.took("desc"))

    def _limit(self) -> int:
        token = self._cursor.take("number", "a number")
        # By its length first: int() refuses more than 4,300 digits with an error of its own.
        limit = int(token.text) if len(token.text) <= len(str(MAX_LIMIT)) else 0
        if not 1 <= limit <= MAX_LIMIT:
            raise wrong(f"a limit from 1 to {MAX_LIMIT}", token.at, str(token))
        return limit

    def _condition(self) -> Condition:
        return self._joined("intersection", Intersection, self._disjunction)

    def _disjunction(self) -> Condition:
        return self._joined("or", AnyOf, self._conjunction)

    def _conjunction(self) -> Condition:
        return self._joined("and", AllOf, self._term)

    def _joined(
        self,
        word: str,
        make: Callable[[tuple[Condition, ...]], Condition],
        operand: Callable[[], Condition],
    ) -> Condition:
        parts = [operand()]
        while self._cursor.took(word):
            parts.append(operand())
        return parts[0] if len(parts) == 1 else make(tuple(parts))

    def _term(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self._cursor.expected(f"at most {MAX_NESTING} levels")
        term = self._inner_term()
        self._depth -= 1
        return term

    def _inner_term(self) -> Condition:
        if self._cursor.took("not"):
            return Not(self._term())
        if self._cursor.took("("):
            inner = self._condition()
            self._cursor.expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise Refused("InvalidNumberPredicates", "Too many predicates in the query expression.")
        subject = _subject(self._cursor)
        operator = self._cursor.now.text.lower()
        read = _OPERATORS.get(operator)
        if read is None:
            raise self._cursor.expected("an operator")
        self._cursor.expect(operator)
        return read(self._cursor, subject, operator)


def _subject(cursor: Cursor) -> Subject:
    if not cursor.took_call("every"):
        return Subject(_attribute(cursor))
    attribute = _attribute(cursor)
    cursor.expect(")")
    return Subject(attribute, every=True)


def _attribute(cursor: Cursor) -> str | None:
    if cursor.took_call("itemname"):
        cursor.expect(")")
        return None
    return cursor.name("the name of an attribute")


def _compared(cursor: Cursor, subject: Subject, operator: str) -> Condition:
    return Comparison(subject, operator, (cursor.constant(),))


def _between(cursor: Cursor, subject: Subject, operator: str) -> Condition:
    low = cursor.constant()
    cursor.expect("and")
    return Comparison(subject, operator, (low, cursor.constant()))


def _in(cursor: Cursor, subject: Subject, operator: str) -> Condition:
    cursor.expect("(")
    values = cursor.list_of(cursor.constant)
    cursor.expect(")")
    if len(values) > MAX_COMPARISONS:
        raise Refused(
            "InvalidNumberValueTests",
            "Too many value tests per predicate in the query expression.",
        )
    return Comparison(subject, operator, values)


def _is(cursor: Cursor, subject: Subject, _operator: str) -> Condition:
    negated = cursor.took("not")
    cursor.expect("null")
    return IsNull(subject, negated)


def _not_like(cursor: Cursor, subject: Subject, operator: str) -> Condition:
    cursor.expect("like")
    return _like(cursor, subject, operator)


def _like(cursor: Cursor, subject: Subject, operator: str) -> Condition:
    at = cursor.now.at
    # A backslash takes a per cent sign, or another backslash, literally.
    pieces = re.findall(r"\\[\\%]|.", cursor.constant(), re.DOTALL)
    first, last = pieces[:1] == ["%"], pieces[-1:] == ["%"]
    inner = pieces[first : len(pieces) - last]
    if "%" in inner:
        raise wrong("% only at the start and at the end", at, repr("".join(pieces)))
    text = "".join(piece[-1] for piece in inner)
    return Comparison(subject, _PATTERNS[first, last], (text,), negated=operator == "not")


_OPERATORS: Mapping[str, Callable[[Cursor, Subject, str], Condition]] = {
    **dict.fromkeys(("=", "!=", ">", ">=", "<", "<="), _compared),
    "between": _between,
    "in": _in,
    "is": _is,
    "like": _like,
    "not": _not_like,
}

_PATTERNS: Mapping[tuple[bool, bool], str] = {
    (False, False): "=",
    (False, True): "starts with",
    (True, False): "ends with",
    (True, True): "contains",
}
"""What a pattern means, by whether it has a % at its start and at its end."""
