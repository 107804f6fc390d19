"""The words of SimpleDB's select language: names, constants, keywords and signs. No I/O.

A word that is no keyword is a name; other names stand in backticks. Constants stand in single or
double quotes. A quote inside is doubled.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from botod.daemon.demo.errors import Refused

KEYWORDS = frozenset({
    "and", "asc", "between", "by", "desc", "every", "from", "in", "intersection", "is", "like",
    "limit", "not", "null", "or", "order", "select", "where",
})  # fmt: skip
"""Names that have to stand in backticks."""

SHOWN_CHARACTERS = 20
"""What an error shows of the text that it is about."""

T = TypeVar("T")


def quoted_name(name: str) -> str:
    """A name as it stands in an expression."""
    return "`" + name.replace("`", "``") + "`"


def quoted_text(text: str) -> str:
    """A constant as it stands in an expression."""
    return "'" + text.replace("'", "''") + "'"


def wrong(wanted: str, at: int, found: str) -> Refused:
    """The error for an expression that is none: what was expected where, and what stands there."""
    return Refused(
        "InvalidQueryExpression",
        "The specified query expression syntax is not valid: "
        f"expected {wanted} at position {at}, found {found}.",
    )


@dataclass(frozen=True)
class Token:
    """kind: a group of _TOKEN, or "end"; at: its position in the expression, from 0."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text[:SHOWN_CHARACTERS])


# The repetitions are possessive: an unclosed quote is an error where it opens, at once.
_TOKEN = re.compile(
    r"""
    (?P<quoted>`(?:[^`]|``)*+`)
    | (?P<text>'(?:[^']|'')*+' | "(?:[^"]|"")*+")
    | (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<number>[0-9]+)
    | (?P<sign><=|>=|!=|[=<>(),*])
    | (?P<space>\s+)
    """,
    re.VERBOSE,
)


def tokens(text: str) -> list[Token]:
    """What an expression consists of, and an end after it."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            there = repr(text[at : at + SHOWN_CHARACTERS])
            raise wrong("a word, a name, a constant or an operator", at, there)
        assert match.lastgroup is not None, "each alternative is a group"
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


class Cursor:
    """Goes through the tokens of an expression. What is taken is left behind."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = 0

    @property
    def now(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._next]

    def take(self, kind: str, wanted: str) -> Token:
        """Take the next token; raises Refused if it is of another kind."""
        token = self.now
        if token.kind != kind:
            raise self.expected(wanted)
        self._next += 1
        return token

    def took(self, text: str) -> bool:
        """Take the next token if it is this keyword or sign, and tell whether it was."""
        took = self.now.kind in {"word", "sign"} and self.now.text.lower() == text
        self._next += took
        return took

    def took_call(self, name: str) -> bool:
        """Take `name(`, if that comes next."""
        is_call = self.now.kind == "word" and self._tokens[self._next + 1].text == "("
        took = is_call and self.took(name)
        self._next += took
        return took

    def expect(self, text: str) -> None:
        """Take this keyword or sign; raises Refused if something else comes next."""
        if not self.took(text):
            raise self.expected(repr(text))

    def expected(self, wanted: str) -> Refused:
        return wrong(wanted, self.now.at, str(self.now))

    def name(self, wanted: str) -> str:
        token = self.now
        if token.kind == "word" and token.text.lower() not in KEYWORDS:
            return self.take("word", wanted).text
        return self.take("quoted", wanted).text[1:-1].replace("``", "`")

    def constant(self) -> str:
        text = self.take("text", "a constant in quotes").text
        return text[1:-1].replace(text[0] * 2, text[0])

    def list_of(self, element: Callable[[], T]) -> tuple[T, ...]:
        """One or more, with commas between."""
        found = [element()]
        while self.took(","):
            found.append(element())
        return tuple(found)
