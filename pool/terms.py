"""What the code above boto says about the requests made below it.

boto's methods have no parameter for it, so it travels as a context variable, which each spawned
function inherits from whoever spawned it.
"""

from collections.abc import Callable, Hashable, Mapping
from contextvars import ContextVar
from typing import NamedTuple

from botod.pool.during import During
from botod.pool.times import Times
from botod.pool.traces import Trace


class Hints(NamedTuple):
    """Headers of an answer that help with another try; empty: they were not there."""

    date: str = ""
    retry_after: str = ""


NO_HINTS = Hints()


class Terms:
    """The terms of one job: what holds for its requests, and what they came to.

    key: who waits; the slot queue is fair between keys: (user, peer), or with a priority among the
        user's own, (user, priority, peer). Higher goes first.
    is_poll: the server answers when it has something to tell, which may take long: of a host's
        slots such requests have a share at most.
    idempotent: a request that broke off after it was sent may be sent again.
    headers: added to each request before it is signed. user_agent: what it calls itself; empty: as
        boto does.
    attempts_num: transfers started so far, those of its parts among them. times: where the time of
        these went. traces: theirs, if the pool makes any.
    hints: what the last answer that was an error said beside it.
    """

    __slots__ = (
        "_whole", "attempts_num", "headers", "hints", "idempotent", "is_poll", "key", "times",
        "traces", "user_agent",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: Hashable = None,
        idempotent: bool = False,
        is_poll: bool = False,
        headers: Mapping[str, str] | None = None,
        user_agent: str = "",
    ) -> None:
        self.key = key
        self.idempotent = idempotent
        self.is_poll = is_poll
        self.headers = headers
        self.user_agent = user_agent
        self.attempts_num = 0
        self.traces: list[Trace] = []
        self.hints = NO_HINTS
        self.times = Times()
        self._whole: Terms | None = None

    def part(self, *, idempotent: bool) -> "Terms":
        """The terms of one of the job's requests, which alone may or may not be repeated."""
        part = Terms(
            key=self.key,
            idempotent=idempotent,
            headers=self.headers,
            user_agent=self.user_agent,
        )
        part._whole = self
        part.times = self.times
        return part

    def add(self, other: "Terms") -> None:
        """Count what was done on other terms, for this job among others."""
        self.attempts_num += other.attempts_num
        self.times.add(other.times)
        self.traces += other.traces

    def count_attempt(self, trace: Trace | None = None) -> None:
        """One more transfer is started."""
        self.attempts_num += 1
        if self._whole is not None:
            self._whole.count_attempt(trace)
        elif trace is not None:
            self.traces.append(trace)


_terms: ContextVar[Terms | None] = ContextVar("botod_terms", default=None)


def on_terms(terms: Terms) -> During[Terms]:
    """Make `terms` those of every request made, and every function spawned, in a block."""
    return During(_terms, terms)


use_terms: Callable[[Terms], object] = _terms.set
"""The same for the function that runs, from here to the end of its greenlet."""


def current_terms() -> Terms:
    """The terms of this context; without any, cautious ones: nothing is idempotent."""
    return _terms.get() or Terms()
