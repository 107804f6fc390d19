"""How long a client waits for a daemon that is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.ipc.errors import DaemonUnavailable
from botod.ipc.reply import NothingDone
from botod.ipc.retrying import FIRST_PAUSE_S, LONGEST_PAUSE_S, Retrying

ABSENT = DaemonUnavailable("no daemon")


def test_without_a_wait_an_absent_daemon_is_an_error_at_once() -> None:
    """Nobody asked to wait."""
    with pytest.raises(DaemonUnavailable, match="no daemon"):
        Retrying(0.0).pause_s(ABSENT, now=7.0)


def test_a_request_of_which_nothing_was_done_is_tried_once_more() -> None:
    """At once, also without a wait; the second time its own error is raised, not the wrapping."""
    retrying = Retrying(0.0)
    assert retrying.pause_s(NothingDone(ABSENT), now=0.0) == 0.0
    with pytest.raises(DaemonUnavailable) as caught:
        retrying.pause_s(NothingDone(ABSENT), now=0.0)
    assert caught.value is ABSENT


def test_the_wait_begins_with_the_first_failure() -> None:
    """Not when the request began: it may have run for long before the daemon went away."""
    retrying = Retrying(1.0)
    assert retrying.pause_s(ABSENT, now=100.0) == FIRST_PAUSE_S
    assert retrying.pause_s(ABSENT, now=100.9) > 0
    with pytest.raises(DaemonUnavailable):
        retrying.pause_s(ABSENT, now=101.0)


@given(st.floats(0.001, 1000), st.booleans())
def test_pauses_grow_and_end_with_the_wait(wait_s: float, is_nothing: bool) -> None:
    """Whoever pauses as told has waited so long, no longer, and was never told to pause long."""
    retrying, now, pauses = Retrying(wait_s), 0.0, []
    error = NothingDone(ABSENT) if is_nothing else ABSENT
    with pytest.raises(DaemonUnavailable):  # noqa: PT012 - the loop ends by it
        while True:
            pauses.append(retrying.pause_s(error, now=now))
            now += pauses[-1]
    assert now == pytest.approx(wait_s)
    assert max(pauses) <= LONGEST_PAUSE_S
    assert pauses[:-1] == sorted(pauses[:-1])
    assert pauses.count(0.0) == is_nothing
    assert len(pauses) < 10 + wait_s / LONGEST_PAUSE_S
