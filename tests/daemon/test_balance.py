"""Who has how many connections, as all workers see it."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon import balance
from botod.daemon.balance import STUCK_S, Balance
from botod.daemon.share import Share

WORKERS = 3


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Balance]]:
    """Some that have come, each with its own view."""
    all_of_them = opened(tmp_path)
    yield all_of_them
    for one in all_of_them:
        one.close()


def opened(folder: Path) -> list[Balance]:
    """As many as there are, come."""
    found = [Balance(str(folder / "loads"), Share(number, WORKERS)) for number in range(WORKERS)]
    for one in found:
        one.come()
    return found


def test_what_one_counts_the_others_see(workers: list[Balance]) -> None:
    """At once."""
    workers[1].count(5)
    assert [one.of(1) for one in workers] == [5, 5, 5]
    assert workers[0].of(0) == 0


def test_who_has_the_fewest(workers: list[Balance]) -> None:
    """Nobody, if that is oneself; of equals the first."""
    assert workers[0].least() is None
    workers[0].count(1)
    assert workers[0].least() == 1
    workers[1].count(1)
    assert workers[0].least() == 2
    workers[2].count(1)
    assert workers[0].least() is None


def test_what_is_on_its_way_counts_where_it_goes(workers: list[Balance]) -> None:
    """Until it has arrived, when it is counted there, or could not be sent."""
    workers[0].gave(1)
    workers[0].gave(1)
    assert workers[2].of(1) == 2
    workers[1].took(0)
    workers[1].count(1)
    assert workers[2].of(1) == 2
    workers[0].gave_not(1)
    assert workers[2].of(1) == 1


def test_who_has_left_is_given_nothing(workers: list[Balance]) -> None:
    """Whoever says so; and who leaves has nothing to compare with."""
    workers[0].count(9)
    workers[1].leave()
    workers[2].leave()
    assert workers[0].least() is None
    workers[1].come()
    assert workers[0].least() == 1
    workers[0].is_gone(1)
    assert workers[0].least() is None
    workers[1].come()
    workers[1].count(99)
    workers[0].leave()
    assert workers[0].least() == 1


def test_who_is_stuck_is_given_nothing(
    workers: list[Balance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its loop turns again."""
    workers[0].count(9)
    later = time.monotonic_ns() + int((STUCK_S + 1) * 1e9)
    monkeypatch.setattr(balance.time, "monotonic_ns", lambda: later)
    assert workers[0].least() is None
    workers[2].beat()
    assert workers[0].least() == 2


def test_a_new_worker_in_an_old_place(workers: list[Balance], tmp_path: Path) -> None:
    """What was on its way to the one before went with that."""
    workers[1].count(7)
    workers[0].gave(1)
    workers[1] = Balance(str(tmp_path / "loads"), Share(1, WORKERS))
    workers[1].come()
    assert workers[0].of(1) == 0


def test_who_leaves_counts_nothing_more(workers: list[Balance], tmp_path: Path) -> None:
    """The row is the next one's, who is one more to give to."""
    old = workers[0]
    old.count(3)
    workers[1].gave(0)
    workers[2].count(50)
    old.leave()
    new = Balance(str(tmp_path / "loads"), Share(0, WORKERS))
    new.come()
    new.count(9)
    old.count(0)
    old.took(1)
    old.gave(2)
    old.gave_not(1)
    old.beat()
    assert [workers[1].of(number) for number in range(WORKERS)] == [9, 0, 50]
    workers[1].count(10)
    assert old.least() == 0
    old.leave(is_succeeded=True)
    assert workers[1].least() == 0
    new.close()


@given(st.lists(st.integers(0, WORKERS - 1), max_size=60))
def test_whoever_accepts_the_end_is_even(accepting: list[int]) -> None:
    """Though nothing that is on its way arrives before all were accepted."""
    here = [0] * WORKERS
    on_the_way = [0] * WORKERS

    def accept(one: Balance, number: int) -> None:
        other = one.least()
        if other is None:
            here[number] += 1
            one.count(here[number])
        else:
            one.gave(other)
            on_the_way[other] += 1

    with tempfile.TemporaryDirectory() as folder:
        everybody = opened(Path(folder))
        for number in accepting:
            accept(everybody[number], number)
        found = [everybody[0].of(number) for number in range(WORKERS)]
        assert found == [one + other for one, other in zip(here, on_the_way, strict=True)]
        assert max(found) - min(found) <= 1
        for one in everybody:
            one.close()
