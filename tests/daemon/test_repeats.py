"""The same words again and again are told once, with their number."""

from botod.daemon.repeats import KEPT_MAX, WINDOW_S, Repeats, Said

SAID = Said("botod.pool", 30, "a host rests: %s")
OTHER = Said("botod.pool", 20, "a host rests: %s")


def repeats(most: int) -> tuple[Repeats, list[tuple[Said, int]]]:
    """With what it told."""
    told: list[tuple[Said, int]] = []
    return Repeats(most, lambda said, number: told.append((said, number))), told


def test_so_many_are_told_in_a_window() -> None:
    """Then none, until it ends: then how many there were, and all begins anew."""
    one, told = repeats(3)
    assert [one.is_told(SAID, now=number / 10) for number in range(8)] == [True] * 3 + [False] * 5
    assert one.is_told(OTHER, now=1.0)
    assert one.next_end == WINDOW_S
    assert not told
    assert one.is_told(SAID, now=WINDOW_S)
    assert told == [(SAID, 5)]
    assert one.next_end == float("inf")


def test_the_end_of_a_window_is_told_by_the_clock() -> None:
    """Nothing more has to come for it."""
    one, told = repeats(1)
    for _ in range(3):
        one.is_told(SAID, now=1.0)
        one.is_told(OTHER, now=2.0)
    one.end_windows(now=1.0 + WINDOW_S)
    assert told == [(SAID, 2)]
    one.end_windows(now=2.0 + WINDOW_S)
    assert told == [(SAID, 2), (OTHER, 2)]


def test_nought_is_no_limit() -> None:
    """All is told."""
    one, _told = repeats(0)
    assert all(one.is_told(SAID, now=0.0) for _ in range(1000))


def test_what_is_remembered_is_bounded() -> None:
    """What was left out so far is told before it is forgotten."""
    one, told = repeats(1)
    one.is_told(SAID, now=0.0)
    one.is_told(SAID, now=0.0)
    for number in range(KEPT_MAX):
        one.is_told(SAID._replace(words=str(number)), now=0.0)
    assert told == [(SAID, 1)]
