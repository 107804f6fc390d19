"""One worker's process, as its master sees it.

starting ──► ready ──► awaited ──► starting, after a pause that grows while it dies young
    │          │──► stopping ──► awaited, for ever
    │          └──► aborted: its loop did not turn; its stacks are written, then it is killed
    └──► awaited: before the first was ready, the master ends with its status
"""

import contextlib
import os
import socket
from dataclasses import dataclass
from enum import Enum

from botod.daemon.notify import WORDS_BYTES

STUCK_S = 10.0
"""A worker whose loop has not turned for so long serves nobody; the longest visit is of 0.1 s."""

START_TIMEOUT_S = 60.0
"""From the fork to being ready: a keys file that others keep busy, a disk that is slow."""

ABORT_TIMEOUT_S = 2.0
"""For a stuck worker to write where it stands; then it is killed."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 30.0
"""Between the death of a worker and the next one in its place: each twice as long as the last."""

YOUNG_S = 30.0
"""Who has lived for longer did not die of its start; the pauses begin anew."""


class State(Enum):
    """How far a worker has come."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    ABORTED = "aborted"
    AWAITED = "awaited"  # it has ended; another one comes in its place


@dataclass
class Child:
    """One worker's process, and the one that comes after it in its place.

    since: when it came to be in this state. heard_at: when it said something last. pause_s: between
    its end and the next one's beginning. config_number: of the configuration that it has.
    is_to_reopen: files were renamed before it could hear of it.
    """

    number: int
    state: State = State.AWAITED
    pid: int = 0
    sock: socket.socket | None = None
    since: float = 0.0
    heard_at: float = 0.0
    born_at: float = 0.0
    pause_s: float = 0.0
    config_number: int = 0
    is_to_reopen: bool = False

    def become(self, state: State, now: float) -> None:
        self.state, self.since = state, now

    @property
    def is_alive(self) -> bool:
        return self.state is not State.AWAITED

    @property
    def serves(self) -> bool:
        return self.state is State.READY

    @property
    def is_to_reload(self) -> bool:
        """Whether a reload is over only when it has said so: it serves, or is going to."""
        return self.state in (State.STARTING, State.READY)

    def is_stuck(self, now: float) -> bool:
        if self.state is State.STARTING:
            return now - self.since > START_TIMEOUT_S
        return self.state is State.READY and now - self.heard_at > STUCK_S

    def was_not_heard(self, for_s: float, now: float) -> None:
        """The master itself stood still for so long: that is no silence of its worker's."""
        self.heard_at = min(self.heard_at + for_s, now)
        if self.state is State.STARTING:
            self.since = min(self.since + for_s, now)

    def tell(self, words: str) -> None:
        """Say something to it; what it does not take at once is lost, as it is stuck."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.send(words.encode()[:WORDS_BYTES], socket.MSG_DONTWAIT)

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)  # not reaped yet, so the pid is its own

    def is_born(self, pid: int, sock: socket.socket, now: float) -> None:
        """Be this process. sock: over which it is heard."""
        self.pid, self.sock = pid, sock
        self.born_at = self.heard_at = now
        self.is_to_reopen = False
        self.become(State.STARTING, now)

    def has_ended(self, now: float) -> None:
        """Await the next one, for longer than the last time if it died young."""
        is_old = now - self.born_at > YOUNG_S
        pause_s = min(max(2 * self.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self.pause_s = 0.0 if is_old else pause_s
        self.become(State.AWAITED, now)
