"""How much one peer, one user and all together may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.errors import Code
from botod.ipc.framing import MessageLimits
from botod.ipc.limits import RETRY_AFTER_MS, Account, Accounts, Budget, Refusals, ServerLimits
from support.wire import UNHURRIED


def test_the_usual_limits_fit_together() -> None:
    """One peer's share is a part of a user's, and a message fits into what all may have."""
    limits = ServerLimits()
    assert limits.message == MessageLimits()
    assert limits.peers_per_uid < limits.peers
    assert limits.in_flight_per_peer < limits.in_flight_per_uid
    assert limits.message.inline_bytes < limits.buffered_bytes
    assert limits.half_sent_timeout_s < limits.idle_timeout_s


# Refusals


def test_a_refusal_says_which_limit_and_when_to_come_back() -> None:
    """In data, for programs; a line for people beside it."""
    error = Refusals().error("peers", "too many")
    assert (error.code, error.message) == (Code.OVERLOADED, "too many")
    assert error.data == {"limit": "peers", "retryable": True, "retry_after_ms": RETRY_AFTER_MS}
    assert Refusals().error("peers", "", retry_after_ms=7).data["retry_after_ms"] == 7


def test_each_limit_counts_its_refusals() -> None:
    """Those that are answered, and those that are only closed."""
    refusals = Refusals()
    assert refusals.by_limit() == {}
    refusals.error("peers", "no")
    refusals.count("peers")
    refusals.count("idle_timeout_s")
    assert refusals.by_limit() == {"peers": 2, "idle_timeout_s": 1}


def test_the_counts_that_are_given_out_stay_as_they_are() -> None:
    """Who looks at them has that moment's."""
    refusals = Refusals()
    before = refusals.by_limit()
    refusals.count("peers")
    assert before == {}


# The budget of all


def test_the_budget_is_taken_to_its_last_byte() -> None:
    """What does not fit takes nothing; what is given back is there again."""
    budget = Budget(10)
    assert budget.reserve(10)
    assert not budget.reserve(1)
    assert budget.reserve(0)
    assert budget.used_bytes == 10
    budget.release(4)
    assert not budget.reserve(5)
    assert budget.reserve(4)


def test_what_has_come_is_held_though_there_is_no_room() -> None:
    """Then nothing else is granted until enough of it is gone."""
    budget = Budget(10)
    budget.force(15)
    assert budget.used_bytes == 15
    assert not budget.reserve(1)
    budget.release(6)
    assert budget.reserve(1)
    budget.force(-1)  # what an outbox wrote
    assert budget.used_bytes == 9


def test_no_more_is_given_back_than_was_taken() -> None:
    """That would be a bug of ours, and let others have more than there is."""
    budget = Budget(10)
    assert budget.reserve(3)
    with pytest.raises(AssertionError, match="released"):
        budget.release(4)


@UNHURRIED
@given(sizes=st.lists(st.integers(0, 6), max_size=20), total=st.integers(0, 20))
def test_the_budget_is_never_overdrawn(sizes: list[int], total: int) -> None:
    """Whatever is asked for: what is granted fits, and what is refused would not have."""
    budget = Budget(total)
    for size in sizes:
        used = budget.used_bytes
        if budget.reserve(size):
            assert budget.used_bytes == used + size <= total
        else:
            assert budget.used_bytes == used
            assert used + size > total


# One user's rate


def granted(account: Account, rate: int, *, now: float, asked: int = 100) -> int:
    """How many of some requests at once fit into the rate."""
    return sum(account.take_turn(rate, now=now) for _ in range(asked))


def test_a_burst_is_as_many_as_a_second_has() -> None:
    """Who was still may send a second's worth at once; then each waits for its share of time."""
    account = Account(1, Budget(100), now=0.0, rate=8)
    assert granted(account, 8, now=0.0) == 8
    assert granted(account, 8, now=0.125) == 1
    assert granted(account, 8, now=0.5) == 3
    assert granted(account, 8, now=0.5) == 0


def test_a_long_rest_saves_no_more_than_a_second() -> None:
    """However long nothing came."""
    account = Account(1, Budget(100), now=0.0, rate=8)
    assert granted(account, 8, now=1000.0) == 8


def test_refused_turns_cost_nothing() -> None:
    """Who asks too often is not kept out for ever: the tokens come all the same."""
    account = Account(1, Budget(100), now=0.0, rate=4)
    assert granted(account, 4, now=0.0) == 4
    assert granted(account, 4, now=0.125, asked=1000) == 0
    assert granted(account, 4, now=0.25) == 1


@UNHURRIED
@given(
    rate=st.integers(1, 50),
    asks=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 30)), max_size=20),
)
def test_in_any_time_no_more_than_the_rate_and_one_burst(
    rate: int, asks: list[tuple[int, int]]
) -> None:
    """However the requests fall: a second's worth, and the rate times the time that passed."""
    account, now, total = Account(1, Budget(100), now=0.0, rate=rate), 0.0, 0
    for pause, asked in asks:
        now += pause / 128  # exact in binary, as is the product with a whole rate
        total += granted(account, rate, now=now, asked=asked)
        assert total <= rate + now * rate


# The users


def test_a_user_has_one_account() -> None:
    """Over all of his connections."""
    accounts = Accounts(ServerLimits(requests_per_s_per_uid=0), Budget(100))
    account = accounts.of(7, now=0.0)
    assert account.uid == 7
    assert accounts.of(7, now=1.0) is account
    assert accounts.of(8, now=1.0) is not account


def test_idle_accounts_are_forgotten_when_there_are_many() -> None:
    """Not those that have something, and not those that still owe time to their rate."""
    accounts = Accounts(ServerLimits(requests_per_s_per_uid=2), Budget(100))
    kept = [accounts.of(uid, now=0.0) for uid in range(4)]
    kept[0].peers_num = kept[1].in_flight_num = kept[2].descriptors_num = 1
    for uid in range(4, Accounts.KEPT_MAX):
        accounts.of(uid, now=0.0)
    assert kept[3].take_turn(2, now=10.0)
    assert len(accounts._accounts) == Accounts.KEPT_MAX
    accounts.of(-1, now=10.0)
    assert set(accounts._accounts) == {0, 1, 2, 3, -1}
    assert all(accounts.of(account.uid, now=10.0) is account for account in kept)


def test_below_that_nobody_is_looked_for() -> None:
    """A few idle users are kept as they are."""
    accounts = Accounts(ServerLimits(requests_per_s_per_uid=0), Budget(100))
    first = accounts.of(0, now=0.0)
    for uid in range(1, Accounts.KEPT_MAX):
        accounts.of(uid, now=1e9)
    assert accounts.of(0, now=1e9) is first


@pytest.mark.parametrize("what", ["peers_num", "in_flight_num", "descriptors_num"])
def test_who_has_something_is_not_idle(what: str) -> None:
    """A forgotten account would let its user have it twice."""
    account = Account(1, Budget(100), now=0.0, rate=0)
    assert account.is_idle(0, now=0.0)
    setattr(account, what, 1)
    assert not account.is_idle(0, now=1e9)
    setattr(account, what, 0)
    assert account.is_idle(0, now=0.0)


def test_who_has_bytes_is_not_idle() -> None:
    """They are counted in its part of the budget."""
    account = Account(1, Budget(100), now=0.0, rate=0)
    account.budget.force(1)
    assert not account.is_idle(0, now=0.0)


def test_a_part_of_a_budget() -> None:
    """What is taken of it is taken of the whole; each says which of them is used up."""
    whole = Budget(100)
    one = Budget(60, limit="buffered_bytes_per_uid", whole=whole)
    other = Budget(60, limit="buffered_bytes_per_uid", whole=whole)
    assert one.reserve(60)
    assert not one.reserve(1)
    assert one.limit_of(1) == "buffered_bytes_per_uid"
    assert other.reserve(40)
    assert not other.reserve(1)
    assert other.limit_of(1) == "buffered_bytes"
    assert (one.used_bytes, other.used_bytes, whole.used_bytes) == (60, 40, 100)
    one.release(60)
    other.force(20)
    assert (one.used_bytes, other.used_bytes, whole.used_bytes) == (0, 60, 60)
