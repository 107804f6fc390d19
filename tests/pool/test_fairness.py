"""Turns between keys at two levels, and who makes room in a crowd."""

from collections.abc import Hashable

import pytest

from botod.pool.fairness import Ring, path_of, two_level_ring


def ring_of(*items: str) -> Ring[str]:
    """A ring in which "1a-x" stands under the key (1, "a")."""
    ring: Ring[str] = two_level_ring()
    for item in items:
        ring.push((item[0], item[1]), item)
    return ring


def popped(ring: Ring[str]) -> list[str]:
    """All, in the order of their turns."""
    return [ring.pop() for _ in range(len(ring))]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ((1000, "peer"), (1000, "peer")),
        (None, (None, None)),
        ("a key", ("a key", None)),
        ((1, 2, 3), ((1, 2, 3), None)),
        (("one",), (("one",), None)),
    ],
)
def test_a_pair_is_two_levels_and_all_else_one(key: Hashable, path: tuple[Hashable, ...]) -> None:
    """Only a pair says what the second level is."""
    assert path_of(key) == path


def test_with_one_key_the_first_come_is_the_first_served() -> None:
    """One line is a queue as everyone knows it."""
    assert popped(ring_of("1a-1", "1a-2", "1a-3")) == ["1a-1", "1a-2", "1a-3"]


def test_first_levels_take_turns_and_their_second_levels_inside() -> None:
    """Three peers of user 1 have together as many turns as the only peer of user 2."""
    ring = ring_of("1a-1", "1a-2", "1b-1", "1c-1", "2a-1", "2a-2", "2a-3", "2a-4")
    order = popped(ring)
    assert order == ["1a-1", "2a-1", "1b-1", "2a-2", "1c-1", "2a-3", "1a-2", "2a-4"]


def test_who_comes_again_goes_to_the_back() -> None:
    """A key that was served and comes at once anew is behind those that wait."""
    ring = ring_of("1a-1", "2a-1", "3a-1")
    assert ring.pop() == "1a-1"
    ring.push(("1", "a"), "1a-2")
    assert popped(ring) == ["2a-1", "3a-1", "1a-2"]


def test_who_leaves_changes_nobodys_turn() -> None:
    """One in the middle of a line goes, and one that was a line of its own."""
    ring = ring_of("1a-1", "1a-2", "1a-3", "2a-1", "3a-1")
    ring.remove(("1", "a"), "1a-2")
    ring.remove(("2", "a"), "2a-1")
    assert popped(ring) == ["1a-1", "3a-1", "1a-3"]


@pytest.mark.parametrize(
    ("waiting", "newcomer", "displaced"),
    [
        (["1a-1", "1a-2", "2a-1"], "3a", "1a-2"),
        (["1a-1", "1a-2", "1b-1", "1b-2", "1b-3", "2a-1"], "2a", "1b-3"),
        (["1a-1", "1a-2", "1a-3", "2a-1"], "1b", "1a-3"),
        (["1a-1", "2a-1"], "3a", None),
        (["1a-1", "1a-2", "2a-1"], "2a", None),
        (["1a-1", "1a-2", "2a-1"], "1a", None),
        ([], "1a", None),
    ],
)
def test_the_fullest_makes_room_where_that_evens_something_out(
    waiting: list[str], newcomer: str, displaced: str | None
) -> None:
    """The latest of the longest line of the longest ring; nobody if that only changes sides."""
    assert ring_of(*waiting).crowded_out_by((newcomer[0], newcomer[1])) == displaced


def test_nothing_is_kept_of_those_gone() -> None:
    """Keys are peers, of which a daemon sees many: an empty ring holds no memory of them."""
    ring = ring_of(*(f"{number % 7}{number % 5}-{number}" for number in range(100)))
    assert ring.lines_num() == 35
    for number in range(0, 100, 2):
        ring.remove((str(number % 7), str(number % 5)), f"{number % 7}{number % 5}-{number}")
    popped(ring)
    assert (len(ring), ring.lines_num()) == (0, 0)
    assert not ring._members
    assert not ring._keys_by_length
