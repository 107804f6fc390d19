"""Turns between keys at two levels, and who makes room in a crowd."""

from collections.abc import Hashable

import pytest

from botod.pool.fairness import Path, Ring, Turns, path_of, two_level_ring


def path(name: str) -> Path:
    """The path of "1a-x", and of "1a5-x", whose priority is 5."""
    key, _, _ = name.partition("-")
    return Path(key[0], int(key[2:] or 0), key[1])


def ring_of(*items: str) -> Ring[str]:
    """A ring in which each stands under its path."""
    ring: Ring[str] = two_level_ring()
    for item in items:
        ring.push(path(item), item)
    return ring


def popped(ring: Ring[str]) -> list[str]:
    """All, in the order of their turns."""
    return [ring.pop() for _ in range(len(ring))]


@pytest.mark.parametrize(
    ("key", "levels"),
    [
        ((1000, "peer"), (1000, 0, "peer")),
        ((1000, -3, "peer"), (1000, -3, "peer")),
        (None, (None, 0, None)),
        ("a key", ("a key", 0, None)),
        (("http", "a host", 80), (("http", "a host", 80), 0, None)),
        (("one",), (("one",), 0, None)),
        ((1, 2, 3, 4), ((1, 2, 3, 4), 0, None)),
    ],
)
def test_pairs_and_triples_have_two_levels_and_all_else_one(
    key: Hashable, levels: tuple[Hashable, ...]
) -> None:
    """A triple is one with a whole number in the middle; without it the priority is 0."""
    assert path_of(key) == levels


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
    ring.push(path("1a"), "1a-2")
    assert popped(ring) == ["2a-1", "3a-1", "1a-2"]


def test_who_leaves_changes_nobodys_turn() -> None:
    """One in the middle of a line goes, and one that was a line of its own."""
    ring = ring_of("1a-1", "1a-2", "1a-3", "2a-1", "3a-1")
    ring.remove(path("1a"), "1a-2")
    ring.remove(path("2a"), "2a-1")
    assert popped(ring) == ["1a-1", "3a-1", "1a-3"]


def test_a_turn_elsewhere_puts_a_key_to_the_back() -> None:
    """At both levels, and nobody else; a key that does not wait here changes nothing."""
    ring = ring_of("1a-1", "1a-2", "1b-1", "2a-1", "3a-1")
    for name in ("1a", "4a", "2z", "3a7"):
        ring.defer(path(name))
    assert ring.first() == "1b-1"
    assert popped(ring) == ["1b-1", "2a-1", "3a-1", "1a-1", "1a-2"]


def test_the_higher_priority_goes_first_inside_its_key() -> None:
    """A line of the lower one is served when there is no higher one, whoever came first."""
    ring = ring_of("1a5-1", "1a9-1", "1a-1", "1b9-1", "1a9-2")
    assert ring.first() == "1a9-1"
    assert popped(ring) == ["1a9-1", "1b9-1", "1a9-2", "1a5-1", "1a-1"]


def test_a_priority_changes_no_turn_of_another_key() -> None:
    """Turns between first levels are as they would be without any priorities."""
    plain = ring_of("1a-1", "1a-2", "2a-1", "2a-2", "3a-1")
    ordered = ring_of("1a-1", "1a9-2", "2a7-1", "2a7-2", "3a-1")
    assert [item[0] for item in popped(ordered)] == [item[0] for item in popped(plain)]


def test_each_priority_has_turns_of_its_own() -> None:
    """A turn with one puts nobody to the back with another, here or by a turn elsewhere."""
    ring = ring_of("1a-1", "1b-1", "1a5-1", "1b5-1")
    assert ring.pop() == "1a5-1"
    ring.push(path("1a5"), "1a5-2")
    ring.defer(path("1a5"))
    assert popped(ring) == ["1b5-1", "1a5-2", "1a-1", "1b-1"]


def test_who_goes_longest_without_a_turn_is_told_over_many_rings() -> None:
    """By the first level, then by the second; who comes anew is behind those that wait."""
    turns = Turns()
    names = ["1a", "1b", "2a"]
    for name in names:
        turns.joined(path(name))

    def in_turn() -> list[str]:
        return sorted(names, key=lambda name: turns.rank(path(name)))

    assert in_turn() == ["1a", "1b", "2a"]
    turns.had(path("1a"))
    assert in_turn() == ["2a", "1b", "1a"]
    turns.joined(path("3a"))
    turns.joined(path("2a"))
    names.append("3a")
    assert in_turn() == ["2a", "1b", "1a", "3a"]


def test_over_many_rings_too_the_higher_priority_goes_first_inside_its_key() -> None:
    """It comes after the first level's turn, and before the second's."""
    turns = Turns()
    names = ["1a5", "1a9", "1b9", "2a9", "1a"]
    for name in names:
        turns.joined(path(name))
    turns.had(path("1a9"))
    in_turn = sorted(names, key=lambda name: turns.rank(path(name)))
    assert in_turn == ["2a9", "1b9", "1a9", "1a5", "1a"]


def test_turns_of_those_gone_are_forgotten() -> None:
    """A key is remembered while anybody waits with it, and starts anew after that."""
    turns = Turns()
    for name in ("1a", "1a", "1b", "1b5"):
        turns.joined(path(name))
    turns.left(path("1a"))
    assert len(turns) == 4
    for name in ("1a", "1b", "1b5"):
        turns.left(path(name))
    assert len(turns) == 0


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
        (["1a5-1", "1a-1", "1a5-2", "2a-1"], "3a", "1a-1"),
        (["1a-1", "1b-1", "1b-2", "1a5-1", "2a-1"], "3a", "1b-2"),
        (["1a5-1", "1a9-1", "1a-1", "2a-1"], "1b5", "1a-1"),
        (["1a-1", "1a-2", "2a-1", "2a-2"], "1a5", "1a-2"),
        (["1a5-1", "1a5-2", "1a5-3", "2a-1"], "1b", None),
        (["1a5-1", "1a5-2", "1a5-3", "2a-1"], "1b5", "1a5-3"),
        (["1a5-1", "1b-1", "1b-2", "1b-3"], "1a", "1b-3"),
    ],
)
def test_the_fullest_makes_room_where_that_evens_something_out(
    waiting: list[str], newcomer: str, displaced: str | None
) -> None:
    """The latest of the longest line of the lowest priority of who has most, if that is of use.

    It is of use where it evens something out, or serves a higher priority of the same key.
    """
    assert ring_of(*waiting).crowded_out_by(path(newcomer)) == displaced


def test_how_many_wait_with_a_first_level() -> None:
    """All its second levels and priorities together."""
    ring = ring_of("1a-1", "1b-1", "1a5-1", "2a-1")
    assert [ring.waiting_num(path(name)) for name in ("1c9", "2b", "3a")] == [3, 1, 0]


def test_nothing_is_kept_of_those_gone() -> None:
    """Keys are peers, of which a daemon sees many: an empty ring holds no memory of them."""
    items = [f"{number % 7}{number % 5}{number % 3}-{number}" for number in range(210)]
    ring = ring_of(*items)
    assert ring.lines_num() == 105
    for item in items[::2]:
        ring.remove(path(item), item)
    popped(ring)
    assert (len(ring), ring.lines_num()) == (0, 0)
    assert not ring._members
    assert not ring._keys_by_length
