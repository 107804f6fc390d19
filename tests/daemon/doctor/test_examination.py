"""Slow checks at the same time, bounded."""

import threading
from collections.abc import Iterator

from botod.daemon.doctor.examination import at_once
from botod.daemon.doctor.finding import Finding, good
from support.loops import BOUND_S


def test_they_run_at_the_same_time_and_are_told_in_order() -> None:
    """Each waits for the other; what they find stands in their own order."""
    meeting = threading.Barrier(2, timeout=BOUND_S)

    def check(name: str) -> Iterator[Finding]:
        meeting.wait()
        yield good(name, "met")
        yield good(name, "again")

    both = [("a", lambda: check("a")), ("b", lambda: check("b"))]
    found = [(one.check, one.cause) for one in at_once(both, bound_s=BOUND_S)]
    assert found == [("a", "met"), ("a", "again"), ("b", "met"), ("b", "again")]


def test_one_that_does_not_end_is_named() -> None:
    """The others are told; nobody waits for it."""
    over = threading.Event()

    def hang() -> list[Finding]:
        over.wait(BOUND_S)
        return []

    checks = [("dns", hang), ("libcurl", lambda: [good("libcurl", "there")])]
    late, there = at_once(checks, bound_s=0.2)
    over.set()
    assert str(late).startswith("FAIL  dns          no end within 0.2 s")
    assert there.check == "libcurl"
