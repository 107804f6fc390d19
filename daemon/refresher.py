"""Keeps keys fresh: one refresher for each holder of keys, off the loop and ahead of their end.

A look for keys runs in a thread of its own, one at a time; the loop is told what came of it. While
old keys are good nobody waits for new ones. A look that hangs is given up after a while, though its
thread cannot be ended: no other is begun before it has ended by itself.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import random
from threading import Thread

from botod.daemon.credentials import Keys, NoKeys
from botod.daemon.job_states import JobState
from botod.pool import HeldKeys, wait

logger = logging.getLogger(__name__)

AHEAD_S = 900.0
"""New keys are looked for so long before the old ones end, or at half of their life if that is
short: AWS has newer ones ready five minutes before the end."""

REREAD_S = 600.0
"""Keys that do not end are looked for again after this: somebody may have put others there."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Between looks that fail, each pause twice the one before."""

LOOK_TIMEOUT_S = 30.0
"""For one look: AWS's own time limits inside it are shorter, and a job's deadline is longer."""

RENEW_AGAIN_S = 10.0
"""AWS refuses keys, and those found anew are the same: for so long nobody looks again."""


class NoCredentials(Exception):
    """There are no keys to sign with."""


@dataclass(frozen=True)
class RefresherStats:
    """What became of the looks for keys. expires_in_s: None: they stay good, or there are none."""

    source: str
    expires_in_s: float | None
    found_total: int
    failed_total: int
    failure: str


class Refresher:
    """The keys of one profile, or of one role.

    find: looks for them; it blocks, and raises NoKeys. name: whose they are, for messages.
    is_private: name and failures are for the log only, as they say what stands in the rules. wall:
    seconds since the epoch. version: another number each time other keys are held.
    """

    def __init__(
        self,
        find: Callable[[], Keys],
        *,
        name: str,
        is_private: bool = False,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random,
    ) -> None:
        self.name = name
        self.version = 0
        self._is_private = is_private
        self._find = find
        self._wall = wall
        self._jitter = jitter
        self._held: HeldKeys | None = None
        self._keys: Keys | None = None
        self._looking: asyncio.Future[None] | None = None
        self._looker: Thread | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._bound: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._failure = ""
        self._pause_s = FIRST_PAUSE_S
        self._renewed_at = float("-inf")
        self._found_total = 0
        self._failed_total = 0

    def __repr__(self) -> str:
        return f"<Refresher of {self.name}, version {self.version}>"

    @property
    def has_keys(self) -> bool:
        """Whether there are some that are still good."""
        keys = self._keys
        return keys is not None and (keys.expires_at is None or self._wall() < keys.expires_at)

    @property
    def found(self) -> Keys | None:
        """Those that are held now, good or not."""
        return self._keys

    def start(self) -> None:
        """Look for keys, now and whenever they need it."""
        if self._looking is None and not self._is_closed:
            self._look()

    def close(self, why: str = "the daemon stops") -> None:
        """Look no more; whoever waits is told so."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._failure = self._failure or why
        self._end_look()

    def keys(self) -> HeldKeys:
        """The keys to sign with. Parks while a look is under way, if there are none.

        Raises NoCredentials.
        """
        if not self.has_keys:
            if not self._failure:
                self.start()
            self._wait()
            if not self.has_keys:
                why = f"{self.name}: {self._failure}"
                if self._is_private:
                    why = "this caller: its role could not be taken; the daemon's log says why"
                raise NoCredentials(f"the daemon has no AWS keys for {why}")
        assert self._held is not None, "keys that were found, and are not held"
        return self._held

    def renew(self, seen: int) -> bool:
        """Look anew, because AWS refused the keys of version `seen`; whether there are others now.

        Parks.
        """
        if self.version != seen:
            return True
        if self._is_closed:
            return False
        now = asyncio.get_running_loop().time()
        if self._looking is None:
            if now < self._renewed_at + RENEW_AGAIN_S:
                return False
            self._renewed_at = now
            self._look()
        self._wait()
        return self.version != seen

    def stats(self) -> RefresherStats:
        keys = self._keys
        left = None if keys is None or keys.expires_at is None else keys.expires_at - self._wall()
        return RefresherStats(
            "" if keys is None else keys.source,
            None if left is None else round(left, 1),
            self._found_total,
            self._failed_total,
            self._failure,
        )

    def _wait(self) -> None:
        """Park until the look that is under way has ended. Each waiter can be cancelled alone."""
        if self._looking is not None:
            wait(asyncio.shield(self._looking), JobState.KEYS)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._looking = loop.create_future()
        self._bound = loop.call_later(LOOK_TIMEOUT_S, self._is_late)
        if self._looker is None:
            thread = Thread(
                target=self._run, args=(loop,), name=f"keys of {self.name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # the system has no thread left
                self._fail(str(error))
            else:
                self._looker = thread

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """What the thread does."""
        outcome: Keys | str
        try:
            outcome = self._find()
        except NoKeys as error:
            outcome = str(error)
        except Exception as error:  # noqa: BLE001 - a thread's end: what it raises is lost
            outcome = f"what gives them failed: {type(error).__name__}"
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(self._looked, outcome)

    def _looked(self, outcome: Keys | str) -> None:
        self._looker = None
        if self._is_closed:
            self._end_look()
        elif isinstance(outcome, Keys):
            self._take(outcome)
        else:
            self._fail(outcome)

    def _is_late(self) -> None:
        self._fail(f"what gives them has not answered for {LOOK_TIMEOUT_S:g} s")

    def _take(self, keys: Keys) -> None:
        self._found_total += 1
        self._failure = ""
        self._pause_s = FIRST_PAUSE_S
        is_other = self._keys is None or self._keys.triple != keys.triple
        self._keys = keys
        if is_other:
            self.version += 1
            self._hold(keys)
            logger.info("keys of %s: from %s", self.name, keys.source)
        self._end_look()
        self._look_in(self._good_s(keys))

    def _hold(self, keys: Keys) -> None:
        """Sign with these from now on, in whatever holds the old ones."""
        if self._held is None:
            self._held = HeldKeys(*keys.triple)
        else:
            self._held.hold(*keys.triple)

    def _fail(self, why: str) -> None:
        self._failed_total += 1
        self._failure = why
        logger.warning("keys of %s: %s", self.name, why)
        self._end_look()
        self._look_in(self._pause_s * (1 - self._jitter() / 4))
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _good_s(self, keys: Keys) -> float:
        """How long until the next look. Many hosts that started together do not look together."""
        if keys.expires_at is None:
            return REREAD_S
        left_s = keys.expires_at - self._wall()
        ahead_s = min(AHEAD_S, left_s / 2) * (1 - self._jitter() / 4)
        return max(FIRST_PAUSE_S, left_s - ahead_s)

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.start)

    def _end_look(self) -> None:
        if self._bound is not None:
            self._bound.cancel()
        looking, self._looking = self._looking, None
        if looking is not None and not looking.done():
            looking.set_result(None)
