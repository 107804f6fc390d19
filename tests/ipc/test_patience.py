"""How long a peer may take: which limit runs out first, and when."""

from typing import Any

import pytest

from botod.ipc.limits import ServerLimits
from botod.ipc.patience import MIB, Overdue, Patience

LIMITS = ServerLimits(half_sent_timeout_s=30, unread_timeout_s=60, idle_timeout_s=3600)


def patience() -> Patience:
    """Of a peer that connected at 1000 s."""
    return Patience(LIMITS, now=1000.0)


def first_due(one: Patience, now: float = 1000.0, **changes: Any) -> tuple[float, Overdue]:
    """What is due first of a peer that is idle but for `changes`."""
    is_so: dict[str, Any] = {
        "declared_bytes": 0,
        "is_sending": True,
        "waits_to_be_read": False,
        "has_streams": False,
        "may_be_idle": True,
    }
    return one.first_due(now=now, **(is_so | changes))


def test_who_asks_for_nothing() -> None:
    """May stay for the idle time after it sent, or took an answer."""
    one = patience()
    assert first_due(one) == (4600.0, Overdue.ASK)
    one.sent_at = 1100.0
    assert first_due(one) == (4700.0, Overdue.ASK)
    one.took_at = 1200.0
    assert first_due(one) == (4800.0, Overdue.ASK)


def test_who_waits_for_an_answer_owes_nothing() -> None:
    """It is only looked at again."""
    assert first_due(patience(), now=5000.0, may_be_idle=False) == (5060.0, Overdue.NOTHING)


def test_a_message_that_has_begun() -> None:
    """Counts from its first byte, however often more of it comes, until it is whole."""
    one = patience()
    assert one.half(1010.0)
    assert not one.half(1020.0)
    one.sent_at = 1020.0
    assert first_due(one) == (1040.0, Overdue.SEND)
    one.whole()
    assert first_due(one) == (4620.0, Overdue.ASK)


def test_a_large_message_may_take_longer() -> None:
    """A second more for each MiB that it declares."""
    one = patience()
    one.half(1000.0)
    assert first_due(one, declared_bytes=16 * MIB) == (1046.0, Overdue.SEND)


def test_who_sends_no_more_owes_no_rest() -> None:
    """After a half-close nothing of a message can come."""
    one = patience()
    one.half(1000.0)
    assert first_due(one, is_sending=False, may_be_idle=False)[1] is Overdue.NOTHING


def test_answers_that_wait() -> None:
    """Count from when they began to wait, or the peer last took some."""
    one = patience()
    one.took_at = 1500.0
    assert first_due(one, waits_to_be_read=True) == (1560.0, Overdue.READ)


def test_streams_are_looked_at_again_and_again() -> None:
    """From look to look, whatever else the peer does meanwhile."""
    one = patience()
    one.looked_at = 2000.0
    one.sent_at = 2050.0
    assert first_due(one, has_streams=True, may_be_idle=False) == (2060.0, Overdue.GRANT)


@pytest.mark.parametrize(("began", "first"), [(1025.0, Overdue.SEND), (1035.0, Overdue.READ)])
def test_what_runs_out_first_counts(began: float, first: Overdue) -> None:
    """Of several debts the one that is due first."""
    one = patience()
    one.half(began)
    assert first_due(one, waits_to_be_read=True)[1] is first
