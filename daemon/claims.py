"""Keys that several workers share: who may do a request, and what the others are told.

`Joins` knows what is under way in this worker; a claim settles it between workers. It is written
before the job begins, so a job with a key starts later by 0.1 ms, of which SQLite takes 0.02; by
2 ms where the loop is never idle, as its thread and the loop's take turns at the interpreter's
lock. One worker does 6,000 claims a second, with their outcomes.

All of SQLite happens in one thread, in the order in which it was asked for, so that an outcome is
written before the next claim of its key. The time that a call takes is bounded by the file's, and
after a failure those that were waiting behind it fail at once.
"""

import asyncio
import itertools
import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from botod.daemon.file_threads import FileThreads
from botod.daemon.job import Job, overdue
from botod.daemon.job_states import JobState
from botod.daemon.joins import KeyTaken, Name, joined_error
from botod.daemon.key_table import KeyTable, OwnerDied, Ticket, Underway
from botod.daemon.keys_errors import BadKeysFile, KeysFileFailed
from botod.daemon.keys_file import KeysFile
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome
from botod.pool import DeadlineExceeded, sleep

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.005
"""Before the first look for what another worker's job came to; each is twice as long, up to: """

PAUSE_MAX_S = 0.25
"""Less than a person notices."""

LOOKS_PER_S = 1000
"""Of all who wait together, while they are few enough for the next bound. One takes 0.05 ms."""

CROWD_PAUSE_MAX_S = 5.0
"""Half as long as what an error was is kept for those who wait."""

CLOSE_TIMEOUT_S = 3.0
"""For the last outcomes to be written. What is not, others take for that of a dead worker."""


class SharedKeys:
    """The keys file of this worker, and its thread. waiting_num: for other workers' jobs."""

    def __init__(self, path: str, *, remember_s: float) -> None:
        """Open the file. Raises BadKeysFile."""
        file = KeysFile(path)
        self._path = path
        try:
            self._table = KeyTable(file, remember_s=remember_s, now=time.monotonic())
        except sqlite3.Error as error:
            file.close()
            raise BadKeysFile(f"{path}: {error}; make room there, or name another") from None
        self._thread = FileThreads(threads_max=1)
        self._numbers = itertools.count()
        self.waiting_num = 0
        self._failed_at = 0.0
        self._failure = ""

    def claim(self, job: Job, name: Name, asked: bytes) -> "Claim":
        """For a job with a key that is not under way in this worker."""
        return Claim(self, job, Ticket(name, asked, next(self._numbers), job.is_repeatable))

    async def close(self) -> None:
        """Write what is unwritten, and let go of the file."""
        call = partial(self._guarded, self._table.close)
        closing = asyncio.wrap_future(self._thread.submit(call))
        await asyncio.wait([closing], timeout=CLOSE_TIMEOUT_S)
        if not closing.cancel():
            closing.exception()  # it is in the log
        self._thread.shutdown(wait=False)

    def ask(self, ticket: Ticket, awaited: Underway | None) -> Underway | Outcome | None:
        """`KeyTable.claim`, while the calling greenlet parks. Raises KeysFileFailed, too."""
        began = time.monotonic()
        return self._thread.run(lambda: self._claim(ticket, awaited, began))

    def tell(self, ticket: Ticket, outcome: Outcome) -> None:
        """`KeyTable.settle`, some time soon, if the ticket's claim came to be written."""
        told = self._thread.submit(self._settle, ticket, outcome, time.monotonic())
        told.add_done_callback(_note_bug)

    def _claim(
        self, ticket: Ticket, awaited: Underway | None, began: float
    ) -> Underway | Outcome | None:
        if began < self._failed_at:
            raise KeysFileFailed(self._failure)
        return self._guarded(partial(self._table.claim, ticket, now=began, awaited=awaited))

    def _settle(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        if self._table.holds(ticket):
            self._guarded(partial(self._table.settle, ticket, outcome, now=now))

    def _guarded(self, call: Callable[[], T]) -> T:
        """In the thread: `call()`. The log is told when the file begins to fail, and ceases to."""
        try:
            result = call()
        except (KeysFileFailed, sqlite3.Error, OSError) as error:
            self._failed_at = time.monotonic()
            self._note(f"[daemon] keys_file = {self._path!r}: {error}")
            raise KeysFileFailed(self._failure) from None
        self._note("")
        return result

    def _note(self, failure: str) -> None:
        before, self._failure = self._failure, failure
        if failure and failure != before:
            logger.error("%s; requests with an idempotency_key are refused", failure)
        elif before and not failure:
            logger.info("[daemon] keys_file = %r: it works again", self._path)


class Claim:
    """That of one job on its key."""

    def __init__(self, keys: SharedKeys, job: Job, ticket: Ticket) -> None:
        self._keys = keys
        self._job = job
        self._ticket = ticket

    def told(self) -> Outcome | None:
        """What a request with this key came to at another worker; None: it is ours to do. Parks.

        Raises RpcError, as which every failure comes; CancelledError before anything is joined.
        """
        try:
            found = self._ask(None)
        except DeadlineExceeded:
            raise _too_slow(self._job) from None
        return self._awaited(found) if isinstance(found, Underway) else found

    def settle(self, outcome: Outcome) -> None:
        """What the job came to, for the others; nothing if it was not ours to do."""
        self._keys.tell(self._ticket, outcome)

    def _awaited(self, underway: Underway) -> Outcome | None:
        """Wait for another worker's job, until this one's deadline."""
        found: Underway | Outcome | None = underway
        pause_s = FIRST_PAUSE_S
        self._keys.waiting_num += 1
        try:
            while isinstance(found, Underway):
                sleep(pause_s, JobState.JOINED)
                pause_s = next_pause_s(pause_s, self._keys.waiting_num)
                found = self._ask(found)
        except DeadlineExceeded:
            raise overdue(self._job) from None
        except asyncio.CancelledError:
            raise _left(self._job) from None
        finally:
            self._keys.waiting_num -= 1
        return found

    def _ask(self, awaited: Underway | None) -> Underway | Outcome | None:
        try:
            return self._keys.ask(self._ticket, awaited)
        except KeyTaken as error:
            raise joined_error(error) from None
        except OwnerDied:
            raise _unknown(self._job) from None
        except KeysFileFailed as error:
            raise _not_sent(self._job, error, joined=awaited is not None) from None


def _note_bug(told: "Future[None]") -> None:
    error = told.exception()
    if error is not None and not isinstance(error, KeysFileFailed):
        logger.error("an outcome was not written", exc_info=error)


def next_pause_s(pause_s: float, waiting_num: int) -> float:
    """Between the next two looks of one of so many who wait, the last pause having been so long."""
    crowd_s = min(waiting_num / LOOKS_PER_S, CROWD_PAUSE_MAX_S)
    return max(min(2 * pause_s, PAUSE_MAX_S), crowd_s)


def _unknown(job: Job) -> RpcError:
    message = f"{job.method}: the daemon that did the first request with this key died meanwhile"
    return _error(job, Code.OUTCOME_UNKNOWN, message, "OwnerDied", unknown=True, retryable=False)


def _not_sent(job: Job, error: KeysFileFailed, *, joined: bool) -> RpcError:
    """joined: another worker does the first request, and may finish it."""
    message = f"{job.method}: nothing was sent for this request: {error}"
    unknown = joined and not job.is_repeatable
    return _error(job, Code.UNREACHABLE, message, "KeysFileFailed", unknown=unknown, retryable=True)


def _too_slow(job: Job) -> RpcError:
    message = f"{job.method}: nothing was sent: its key was not written by its deadline"
    code, kind = Code.DEADLINE_EXCEEDED, "KeysFileFailed"
    return _error(job, code, message, kind, unknown=False, retryable=True)


def _left(job: Job) -> RpcError:
    message = f"{job.method} was ended; the request that it joined goes on in another daemon"
    unknown = not job.is_repeatable
    return _error(job, Code.CANCELLED, message, "Cancelled", unknown=unknown, retryable=False)


def _error(
    job: Job, code: Code, message: str, kind: str, *, unknown: bool, retryable: bool
) -> RpcError:
    data = {
        "type": kind,
        "service": job.service,
        "operation": job.name,
        "attempts": 0,
        "retryable": retryable,
        "outcome_unknown": unknown,
    }
    return RpcError(code, message, data)
