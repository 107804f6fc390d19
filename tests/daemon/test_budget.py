"""How many retries a host may get."""

from hypothesis import given
from hypothesis import strategies as st

from botod.daemon.budget import LEAST, LEAST_PER_S, MOST, SHARE, Budget


def test_a_host_that_is_asked_seldom_may_be_asked_again() -> None:
    """As often as one job tries, and then again after a while."""
    budget = Budget(now=0.0)
    assert [budget.spend(now=0.0) for _ in range(4)] == [True, True, True, False]
    assert budget.spend(now=1 / LEAST_PER_S)
    assert not budget.spend(now=1 / LEAST_PER_S)
    assert (budget.spent_total, budget.refused_total) == (4, 2)


def test_what_was_saved_is_spent_in_a_bad_moment() -> None:
    """A fifth of the requests before it, up to a bound."""
    budget = Budget(now=0.0)
    for _ in range(100):
        budget.earn()
    spent = sum(budget.spend(now=0.0) for _ in range(1000))
    assert LEAST + 100 * SHARE - 1 <= spent <= LEAST + 100 * SHARE
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend(now=0.0) for _ in range(1000)) == MOST
    assert repr(budget) == "<Budget of 0.0 retries>"


@given(st.lists(st.one_of(st.none(), st.floats(0, 10))))
def test_retries_are_a_share_of_the_requests(steps: list[float | None]) -> None:
    """Whatever comes when: a fifth, and what comes back with time."""
    now, requests, retries = 0.0, 0, 0
    budget = Budget(now=now)
    for step in steps:
        if step is None:
            budget.earn()
            requests += 1
        else:
            now += step
            retries += budget.spend(now=now)
        assert retries <= SHARE * requests + LEAST + LEAST_PER_S * now + 1e-6
