"""NamedTuple without typing."""

from __future__ import annotations

import copy
from typing import NamedTuple as TypingsOwn

import pytest

from botod.ipc.tuples import NamedTuple


class Ours(NamedTuple):
    """Ours."""

    a: int
    b: str = "b"

    @property
    def both(self) -> str:
        """A method sees the fields."""
        return f"{self.a}{self.b}"


class Theirs(TypingsOwn):
    """Typing's."""

    a: int
    b: str = "b"


def test_it_behaves_as_typing_s() -> None:
    """Fields, defaults, patterns, equality, replacement, copies, and what it shows."""
    assert Ours._fields == Theirs._fields
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours.__match_args__ == Theirs.__match_args__
    assert Ours(1) == Theirs(1) == (1, "b")
    assert Ours(1)._replace(b="c") == (1, "c")
    assert repr(Ours(1)) == "Ours(a=1, b='b')"
    assert Ours(1).both == "1b"
    assert Ours.__doc__ == "Ours."
    assert (Ours.__module__, Ours.__qualname__) == (__name__, "Ours")
    assert isinstance(copy.copy(Ours(1)), Ours)


def test_it_has_no_more_than_its_fields() -> None:
    """Messages are many: none has a dictionary; none is changed."""
    assert not hasattr(Ours(1), "__dict__")
    with pytest.raises(AttributeError):
        Ours(1).a = 2  # type: ignore[misc]


def test_a_field_without_a_default_comes_first() -> None:
    """As everywhere: it could not be told which one was left out."""
    with pytest.raises(TypeError):
        Ours()  # type: ignore[call-arg]
