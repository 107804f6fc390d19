"""How many parts are under way at once, by what they bring."""

from collections.abc import Callable

import pytest

from botod.daemon.services.pace import AGAIN_S, FIRST, Pace

PART = 8 * 1024 * 1024


class FakeClock:
    """Time that goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(pace: Pace, clock: FakeClock, speed_of: Callable[[int], float], parts: int) -> list[int]:
    """Have so many parts come, at the speed that so many at once have; how many were, each time."""
    seen = []
    for _ in range(parts):
        clock.now += PART / speed_of(pace.at_once)
        pace.came(PART)
        seen.append(pace.at_once)
    return seen


@pytest.mark.parametrize(
    ("speed_of", "settled"),
    [
        (lambda at_once: 80e6 * at_once, 8),
        (lambda at_once: 80e6 * min(at_once, 4), 4),
        (lambda at_once: 700e6 - 20e6 * at_once, 2),
        (lambda at_once: 100e6, 2),
    ],
    ids=["each brings more", "four fill the link", "each costs", "one fills the link"],
)
def test_more_while_that_brings_more(speed_of: Callable[[int], float], settled: int) -> None:
    """It doubles while that pays, goes back by the step that did not, and stays there."""
    clock = FakeClock()
    seen = run(Pace(8, clock=clock), clock, speed_of, 100)
    assert seen[0] == FIRST
    assert set(seen[60:]) == {settled}


def test_it_tries_again_later() -> None:
    """Others may have had the link."""
    clock = FakeClock()
    pace = Pace(8, clock=clock)
    run(pace, clock, lambda at_once: 80e6, 40)
    assert pace.at_once == FIRST
    clock.now += AGAIN_S
    run(pace, clock, lambda at_once: 80e6 * at_once, 40)
    assert pace.at_once == 8


@pytest.mark.parametrize("most", [1, 2, 3])
def test_never_more_than_there_is_room_for(most: int) -> None:
    """However much more would bring."""
    clock = FakeClock()
    seen = run(Pace(most, clock=clock), clock, lambda at_once: 80e6 * at_once, 40)
    assert max(seen) == most
