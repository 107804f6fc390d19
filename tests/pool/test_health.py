"""A host that takes no connections rests; by a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool.errors import HostResting, NotSent
from botod.pool.health import (
    BREAKS_MAX,
    FAILURES_MAX,
    FIRST_REST_S,
    LONGEST_REST_S,
    Health,
    HealthStats,
)


def resting(jitter: float = 0.0) -> Health:
    """A host that has just failed often enough, at time 0."""
    health = Health(jitter=lambda: jitter)
    for _ in range(FAILURES_MAX):
        health.admit(now=0.0)
        health.failed(now=0.0)
    return health


def test_some_failures_are_forgiven() -> None:
    """Fewer than the limit in a row change nothing; one success forgets them."""
    health = Health()
    for _ in range(10):
        for _ in range(FAILURES_MAX - 1):
            health.failed(now=0.0)
        health.connected()
        health.admit(now=0.0)


def test_a_host_that_fails_is_left_alone_for_a_while() -> None:
    """Jobs fail at once, with an error that boto may try again."""
    health = resting()
    for check in (health.check, health.admit):
        with pytest.raises(HostResting, match="3 connections in a row failed; it is tried again"):
            check(now=FIRST_REST_S - 0.01)
    assert issubclass(HostResting, NotSent)
    assert health.stats().refused_total == 2


def test_one_probes_when_the_rest_is_over() -> None:
    """The others are still refused until it is known how that went."""
    health = resting()
    health.check(now=FIRST_REST_S)
    health.admit(now=FIRST_REST_S)
    with pytest.raises(HostResting, match="it is being tried"):
        health.admit(now=FIRST_REST_S)
    health.connected()
    health.admit(now=FIRST_REST_S)
    assert health.stats().failures_in_row_num == 0


def test_each_rest_is_longer_up_to_a_bound() -> None:
    """A probe that fails doubles the rest; a success makes it short again."""
    health = resting()
    now, rest_s = 0.0, FIRST_REST_S
    for _ in range(10):
        now += rest_s
        with pytest.raises(HostResting):
            health.check(now=now - 0.001)
        health.admit(now=now)
        health.failed(now=now)
        rest_s = min(2 * rest_s, LONGEST_REST_S)
    health.admit(now=now + LONGEST_REST_S)
    health.connected()
    assert health.stats().state == "good"
    for _ in range(FAILURES_MAX):
        health.failed(now=now)
    health.admit(now=now + FIRST_REST_S)


def test_a_probe_that_was_cancelled_is_no_answer() -> None:
    """The next request probes, at once."""
    health = resting()
    health.admit(now=FIRST_REST_S)
    health.gave_up()
    health.admit(now=FIRST_REST_S)
    with pytest.raises(HostResting):
        health.admit(now=FIRST_REST_S)


def test_jitter_makes_a_rest_shorter_by_up_to_a_quarter() -> None:
    """So that many daemons do not probe in step."""
    health = resting(jitter=1.0)
    with pytest.raises(HostResting):
        health.check(now=FIRST_REST_S * 0.74)
    health.check(now=FIRST_REST_S * 0.75)


@given(st.lists(st.sampled_from(["admit", "connected", "failed", "gave_up", "wait"])))
def test_no_order_of_events_shuts_a_host_out(events: list[str]) -> None:
    """Whatever happened, after the longest rest somebody is let through, unless one probes."""
    health = Health()
    now = 0.0
    for event in events:
        if event == "wait":
            now += 7.0
        elif event == "admit":
            try:
                health.admit(now=now)
            except HostResting:
                continue
        elif event == "failed":
            health.failed(now=now)
        else:
            getattr(health, event)()
    health.gave_up()
    health.admit(now=now + LONGEST_REST_S)


def broken() -> Health:
    """A host that takes connections and has just dropped as many as it may, at time 0."""
    health = Health(jitter=lambda: 0.0)
    for _ in range(BREAKS_MAX):
        health.admit(now=0.0)
        health.connected()
        health.broke(now=0.0)
    return health


def test_a_host_that_drops_every_request_is_left_alone() -> None:
    """It takes connections, which tells nothing then: the probe has to be answered."""
    health = broken()
    with pytest.raises(HostResting, match="10 requests in a row broke off without an answer; it"):
        health.check(now=FIRST_REST_S - 0.01)
    health.admit(now=FIRST_REST_S)
    health.connected()
    with pytest.raises(HostResting, match="it is being tried"):
        health.check(now=FIRST_REST_S)
    health.broke(now=FIRST_REST_S)
    with pytest.raises(HostResting):
        health.check(now=2 * FIRST_REST_S)
    health.admit(now=3 * FIRST_REST_S)
    health.connected()
    health.answered()
    health.admit(now=3 * FIRST_REST_S)
    assert health.stats() == HealthStats("good", 0, 0, 2, 3)


def test_an_answer_now_and_then_forgives_what_broke() -> None:
    """One server of many may be the one that drops requests."""
    health = Health()
    for _ in range(5):
        for _ in range(BREAKS_MAX - 1):
            health.connected()
            health.broke(now=0.0)
        health.answered()
        health.admit(now=0.0)
