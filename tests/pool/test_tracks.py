"""The track of polls beside that of all else: which is next, and what counts in which."""

import pytest

from botod.pool.fairness import Path, path_of
from botod.pool.tracks import Permits, Polls, Tracks, poll_path


class Placed:
    """Somebody in a track."""

    def __init__(self, first: int, *, is_poll: bool = False) -> None:
        path = path_of((first, "peer"))
        self.path: Path = poll_path(path) if is_poll else path
        self.is_poll = is_poll


def both(_is_poll: bool) -> bool:
    """All tracks are open."""
    return True


def others(is_poll: bool) -> bool:
    """That of the polls is closed."""
    return not is_poll


def test_a_closed_lane_is_passed_over() -> None:
    """Its first is next again once it is open."""
    tracks: Tracks[Placed] = Tracks()
    poll, other = Placed(1, is_poll=True), Placed(1)
    tracks.push(poll)
    assert tracks.first(others) is None
    assert not tracks.any_in_open(others)
    tracks.push(other)
    assert tracks.first(others) is other
    assert tracks.first(both) is poll
    assert tracks.lines_num() == 2


def test_a_turn_elsewhere_counts_in_its_own_lane() -> None:
    """A key's polls go to the back by polls of it, and by nothing else that it does."""
    tracks: Tracks[Placed] = Tracks()
    first, second = Placed(1, is_poll=True), Placed(2, is_poll=True)
    tracks.push(first)
    tracks.push(second)
    tracks.defer(path_of((1, "peer")))
    assert tracks.first(both) is first
    tracks.defer(first.path)
    assert tracks.first(both) is second


def test_a_turn_elsewhere_counts_against_the_other_lane() -> None:
    """Who had it comes after one who waits in the other track without any."""
    tracks: Tracks[Placed] = Tracks()
    poll, other = Placed(1, is_poll=True), Placed(2)
    tracks.push(poll)
    tracks.push(other)
    tracks.defer(poll.path)
    assert tracks.first(both) is other


def test_nothing_is_left_of_those_who_went() -> None:
    """Served, gone or only heard of: no turn of theirs is remembered."""
    tracks: Tracks[Placed] = Tracks()
    one, other = Placed(1), Placed(2, is_poll=True)
    tracks.push(one)
    tracks.push(other)
    tracks.pop(one)
    tracks.remove(other)
    tracks.defer(one.path)
    assert not len(tracks._turns)
    assert tracks.first(both) is None


def test_the_path_of_polls_is_another_one() -> None:
    """Priority and second level are as they were."""
    assert poll_path(path_of((1, 5, "peer"))) == Path(Polls(1), 5, "peer")


def test_without_a_bound_anything_may_be_had() -> None:
    """Polls too, in any number."""
    permits = Permits(None)
    for _ in range(100):
        assert permits.spare(is_poll=True)
        permits.take(is_poll=True)


def test_what_was_not_taken_does_not_come_back() -> None:
    """A slot given back in the wrong track is a mistake of the caller's."""
    permits = Permits(2)
    permits.take(is_poll=False)
    with pytest.raises(AssertionError, match="was not taken"):
        permits.give_back(is_poll=True)
