"""Which idempotency keys are under way and which are settled, over all daemons of one file.

    free ──► under way ──► done: answered from the file until it is forgotten
      ▲          │──► passed: answered to those who were waiting for it, free for all others
      └──────────┴──► free: what it came to was the first one's own affair

Blocks, up to `keys_file.BUSY_S`; the time is an argument, in seconds of the monotonic clock, which
all processes of a host have in common. A claim takes one statement where the key is free.
"""

import math
from enum import IntEnum
from typing import Any, NamedTuple

from botod.daemon.joins import (
    BYTES_MAX,
    KEYS_MAX,
    RESULT_BYTES_MAX,
    Name,
    check_same,
    is_worth_remembering,
    size_of,
)
from botod.daemon.keys_file import KeysFile, transaction
from botod.daemon.outcome_text import decode, encode
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome

PASSED_S = 10.0
"""Kept for those who wait, who look every 5 seconds at the latest."""

TIDY_S = 1.0
"""Between two looks for what is to be forgotten."""

CLOCK_SLACK_S = 60.0
"""A key that was settled so much later than now was before the boot, when the clock was another.
Less may have passed between our look at the clock and our turn at the file."""

OWN_AFFAIR = frozenset({
    Code.CANCELLED,
    Code.DEADLINE_EXCEEDED,
    Code.DRAINED,
    Code.OVERLOADED,
    Code.SHUTTING_DOWN,
})  # fmt: skip
"""Errors of one peer or one worker, where nothing was done: another may have better luck."""


class State(IntEnum):
    """How far a key has come."""

    UNDERWAY = 0
    DONE = 1
    PASSED = 2


class Ticket(NamedTuple):
    """One worker's request with a key. number: among its worker's. repeatable: idempotent."""

    name: Name
    asked: bytes
    number: int
    repeatable: bool


class Underway(NamedTuple):
    """A request of another worker."""

    owner: int
    number: int


class OwnerDied(Exception):
    """The worker that had the request is gone, and nobody knows what came of it."""


class _Row(NamedTuple):
    asked: bytes
    owner: int
    number: int
    state: int
    settled: float
    outcome: bytes | None


class KeyTable:
    """The keys of an open file, for one thread at a time.

    remember_s: how long an outcome is remembered; 0: only those who waited for it are told.

    Methods raise sqlite3.Error or KeysFileFailed when the file fails; what was to be settled is
    kept then, and written with the next call that works.
    """

    def __init__(self, file: KeysFile, *, remember_s: float, now: float) -> None:
        self._file = file
        self._db = file.db
        self._owner = file.owners.own
        self._remember_s = remember_s
        self._mine: set[int] = set()
        self._unwritten: dict[int, tuple[Ticket, Outcome, float]] = {}
        self._tidied = -math.inf
        self._begin(now)

    def claim(
        self, ticket: Ticket, *, now: float, awaited: Underway | None = None
    ) -> Underway | Outcome | None:
        """What another request with this key came to, or that it is under way; None: it is ours.

        awaited: what the last claim of this ticket gave. Raises KeyTaken and OwnerDied.
        """
        self._file.check_there()
        self._write_all()
        if awaited is not None and self._is_underway(ticket.name, awaited):
            return awaited
        if self._insert(ticket):
            return None
        with transaction(self._db):
            row = self._living_row(ticket, awaited, now)
            if row is None:
                self._insert(ticket)
        return None if row is None else _found(row, ticket)

    def holds(self, ticket: Ticket) -> bool:
        """Whether it is ours to do, and not settled."""
        return ticket.number in self._mine

    def settle(self, ticket: Ticket, outcome: Outcome, *, now: float) -> None:
        """A request that is ours is done."""
        assert self.holds(ticket), "settled twice, or another's"
        self._unwritten[ticket.number] = (ticket, outcome, now)
        self._file.check_there()
        self._write_all()
        self._tidy(now)

    def close(self) -> None:
        """Write what is unwritten, and let go of the file."""
        try:
            self._write_all()
        finally:
            self._file.close()

    def _begin(self, now: float) -> None:
        """Forget what is of an earlier boot, and settle what dead owners have left."""
        with transaction(self._db):
            self._db.execute(
                "DELETE FROM keys WHERE state > 0 AND settled > ?", (now + CLOCK_SLACK_S,)
            )
            owners = self._db.execute("SELECT DISTINCT owner FROM keys WHERE state = 0").fetchall()
            for (owner,) in owners:
                if not self._file.owners.is_alive(owner):
                    self._bury(owner, now)

    def _insert(self, ticket: Ticket) -> bool:
        """Claim a key that nobody has."""
        done = self._db.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, 0, NULL, 0, NULL) ON CONFLICT DO NOTHING",
            (*_row_key(ticket.name), ticket.asked, self._owner, ticket.number, ticket.repeatable),
        )
        if done.rowcount:
            self._mine.add(ticket.number)
        return bool(done.rowcount)

    def _living_row(self, ticket: Ticket, awaited: Underway | None, now: float) -> _Row | None:
        """The key's row if it still means something; one that does not is removed."""
        row = self._row(ticket.name)
        if row and row.state == State.UNDERWAY and not self._file.owners.is_alive(row.owner):
            self._bury(row.owner, now)
            row = self._row(ticket.name)
        if row is None or (row.owner, row.number) == awaited or not self._is_over(row, now):
            return row
        self._delete(ticket.name)
        return None

    def _is_over(self, row: _Row, now: float) -> bool:
        if row.state == State.UNDERWAY:
            return False
        return row.state == State.PASSED or row.settled + self._remember_s <= now

    def _is_underway(self, name: Name, awaited: Underway) -> bool:
        row = self._row(name)
        return (
            row is not None
            and row.state == State.UNDERWAY
            and (row.owner, row.number) == awaited
            and self._file.owners.is_alive(row.owner)
        )

    def _row(self, name: Name) -> _Row | None:
        row = self._db.execute(
            "SELECT asked, owner, number, state, settled, outcome FROM keys"
            " WHERE uid = ? AND key = ?",
            _row_key(name),
        ).fetchone()
        return None if row is None else _Row(*row)

    def _bury(self, owner: int, now: float) -> None:
        """Of what a dead owner had under way, nobody will know more than its key."""
        self._db.execute("DELETE FROM keys WHERE state = 0 AND owner = ? AND repeatable", (owner,))
        self._db.execute(
            "UPDATE keys SET state = ?, settled = ?, size = length(key)"
            " WHERE state = 0 AND owner = ?",
            (State.DONE, now, owner),
        )

    def _write_all(self) -> None:
        for number, (ticket, outcome, now) in list(self._unwritten.items()):
            self._write(ticket, outcome, now)
            del self._unwritten[number]
            self._mine.discard(number)

    def _write(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        state, told = fate(ticket, outcome)
        if state is None:
            self._delete(ticket.name, ticket.number)
            return
        text = encode(told)
        uid, key = _row_key(ticket.name)
        self._db.execute(
            "UPDATE keys SET state = ?, settled = ?, size = ?, outcome = ?"
            " WHERE uid = ? AND key = ? AND owner = ? AND number = ? AND state = 0",
            (state, now, len(key) + len(text), text, uid, key, self._owner, ticket.number),
        )
        while self._is_full(uid):
            self._drop_oldest(uid)

    def _delete(self, name: Name, number: int | None = None) -> None:
        """Free a key; number: only if it is under way with this request of ours."""
        self._db.execute(
            "DELETE FROM keys WHERE uid = ?1 AND key = ?2"
            " AND (?3 IS NULL OR number = ?3 AND owner = ?4 AND state = 0)",
            (*_row_key(name), number, self._owner),
        )

    def _is_full(self, uid: int) -> bool:
        found = self._db.execute("SELECT num, bytes FROM users WHERE uid = ?", (uid,)).fetchone()
        return found is not None and (found[0] > KEYS_MAX or found[1] > BYTES_MAX)

    def _drop_oldest(self, uid: int) -> None:
        self._db.execute(
            "DELETE FROM keys WHERE uid = ?1 AND key = (SELECT key FROM keys"
            " WHERE uid = ?1 AND state > 0 ORDER BY settled LIMIT 1)",
            (uid,),
        )

    def _tidy(self, now: float) -> None:
        if now < self._tidied + TIDY_S:
            return
        self._tidied = now
        done_s = max(self._remember_s, PASSED_S)
        for state, age_s in ((State.DONE, done_s), (State.PASSED, PASSED_S)):
            forgotten = (state, now - age_s)
            self._db.execute(
                "DELETE FROM keys WHERE state > 0 AND state = ? AND settled <= ?", forgotten
            )


def fate(ticket: Ticket, outcome: Outcome) -> tuple[State | None, Outcome]:
    """What becomes of a key whose request is done, None: it is free; and what others are told."""
    is_worth = is_worth_remembering(outcome)
    if not is_worth and outcome.error is not None and outcome.error.code in OWN_AFFAIR:
        return None, outcome
    if len(ticket.name.key) + size_of(outcome.result) > RESULT_BYTES_MAX:
        return (None, outcome) if ticket.repeatable else (State.PASSED, _too_large())
    return State.DONE if is_worth else State.PASSED, outcome


def _found(row: _Row, ticket: Ticket) -> Underway | Outcome:
    check_same(row.asked, ticket.asked)
    if row.state == State.UNDERWAY:
        return Underway(row.owner, row.number)
    if row.outcome is None:
        raise OwnerDied
    return decode(row.outcome)


def _row_key(name: Name) -> tuple[Any, ...]:
    """JSON may hold half of a surrogate pair, which is no UTF-8."""
    return name.uid, name.key.encode("utf-8", "surrogatepass")


def _too_large() -> Outcome:
    words = (
        "it was done by another worker for the request that this one joined; "
        f"a result of more than {RESULT_BYTES_MAX:,} bytes is not handed on"
    )
    return Outcome(error=RpcError(Code.BODY_TOO_LARGE, words, {"retryable": False}))
