"""One worker's process: how far it has come, and when the next one comes."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from botod.daemon.child import LONGEST_PAUSE_S, START_TIMEOUT_S, STUCK_S, YOUNG_S, Child, State


@pytest.fixture
def child() -> Child:
    """One that is born at 100."""
    one = Child(3)
    one.is_born(77, socket.socket(), 100)
    assert one.sock is not None
    one.sock.close()
    return one


def test_a_life(child: Child) -> None:
    """It lives from its birth to its end, and serves while it is ready."""
    assert (child.is_alive, child.serves) == (True, False)
    assert child.is_to_reload
    child.become(State.READY, 101)
    assert child.is_to_reload
    assert (child.is_alive, child.serves, child.since) == (True, True, 101)
    child.become(State.STOPPING, 102)
    assert (child.is_alive, child.serves, child.is_to_reload) == (True, False, False)
    child.has_ended(103)
    assert (child.is_alive, child.state, child.since) == (False, State.AWAITED, 103)


def test_pauses_grow_while_it_dies_young(child: Child) -> None:
    """Twice as long each time, up to a bound; one that was old makes them begin anew."""
    pauses = []
    for _ in range(12):
        child.has_ended(100 + YOUNG_S)
        pauses.append(child.pause_s)
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE_S
    child.has_ended(101 + YOUNG_S)
    assert child.pause_s == 0


def test_when_it_is_stuck(child: Child) -> None:
    """When it takes too long to start, or is not heard while it serves; not while it stops."""
    assert not child.is_stuck(100 + START_TIMEOUT_S)
    assert child.is_stuck(101 + START_TIMEOUT_S)
    child.become(State.READY, 110)
    child.heard_at = 110
    assert not child.is_stuck(110 + STUCK_S)
    assert child.is_stuck(111 + STUCK_S)
    child.become(State.STOPPING, 120)
    assert not child.is_stuck(1000)


def test_it_is_signalled() -> None:
    """By its pid."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        child = Child(0)
        child.is_born(process.pid, socket.socket(), 0)
        child.kill(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        assert child.sock is not None
        child.sock.close()
    assert os.getpid() != child.pid


def test_a_master_that_stood_still_heard_nobody(child: Child) -> None:
    """That time counts for nothing, and nobody has been heard later than now."""
    child.was_not_heard(1000, 1100)
    assert not child.is_stuck(1100 + START_TIMEOUT_S)
    child.become(State.READY, 1200)
    child.heard_at = 1200
    child.was_not_heard(1000, 2205)
    assert child.heard_at == 2200
    child.was_not_heard(1000, 2210)
    assert child.heard_at == 2210
    assert child.is_stuck(2211 + STUCK_S)
