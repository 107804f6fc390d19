"""Jobs that are asked for at the same time travel as one request, where a service has one for many.

As Nagle's algorithm does with bytes: a job that finds none of its kind on its way goes at once, by
itself, and so a lone caller never waits. Those that come meanwhile are gathered. They go when as
many have come as a request carries, when the first of them has waited for WINDOW_S, or when nothing
is on its way any more. Where an order is to be kept (a FIFO queue's) they go only then, so that a
request never overtakes the one before it.

Together go jobs of one operation on one thing (a queue) for one upstream. So they are signed alike,
by the same keys, and AWS cannot tell them from a single caller's; each was allowed by policy before
it came here. They are one user's and have one priority, too: a request waits for a slot under the
key of its first job, and meets the bounds of that key. With several users in it one would be
delayed, or refused, for what another has waiting.

Nothing parks before a job is here, so that they come in the order in which they were asked for;
only one whose key other workers may have asks for it first, and may be passed by others meanwhile.

Each job stays one: it has its own deadline, and may be cancelled. What has not been sent is then
taken out of its request; what has been is done, or not, and nobody is told before AWS has answered.
"""

import asyncio
import contextvars
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from botod.daemon.job import Job
from botod.daemon.job_states import JobState
from botod.daemon.services.operation import Fate, Gathering, Result
from botod.pool import DeadlineExceeded, OutcomeUnknown, Terms, on_terms, spawn_until, wait
from botod.pool.fairness import path_of

if TYPE_CHECKING:
    from botod.pool.spawned import Spawned

WINDOW_S = 0.003
"""That gathered jobs wait at most, while SQS is about to answer, which takes it 5 to 20 ms. With
200 callers a request carries 6 on the average after 1 ms, 9 after 3 and all 10 after 5
(bench/sqs_batching.py); the more come, the sooner it is full."""

Tried = Callable[[Terms, Callable[[Any], Any]], Any]
"""Makes a request, which gets a connection of boto's, on some terms, and again where it may."""


class Together(NamedTuple):
    """How a job travelled: which entry it was of a request, and how many there were."""

    entry: int
    size: int


@dataclass(eq=False)
class _Entry:
    """One job that goes with others. request: that by which it goes; None: it is being gathered."""

    job: Job
    size_bytes: int
    tell: Callable[[Together], None]
    fate: "asyncio.Future[Result]"
    request: "_Request | None" = None

    @property
    def is_sent(self) -> bool:
        """Whether a transfer with it has begun; what of it left the host is not known here."""
        return self.request is not None and self.request.terms.attempts_num > 0

    def settle(self, fate: Fate) -> None:
        """Tell whoever waits; nobody may by now."""
        if self.fate.done():
            return
        if isinstance(fate, Exception):
            self.fate.set_exception(fate)
            self.fate.exception()  # it counts as seen: who waits may be gone in this very turn
        else:
            self.fate.set_result(fate)


@dataclass(eq=False)
class _Request:
    """One request. carrier: the greenlet that makes it; None: it is about to be started."""

    entries: list[_Entry]
    terms: Terms = field(default_factory=Terms)
    carrier: "Spawned[list[Fate]] | None" = None


class Gatherings:
    """All jobs under way that may travel with others."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._flows: dict[Hashable, _Flow] = {}

    @property
    def flows_num(self) -> int:
        """Of how many kinds there are jobs under way."""
        return len(self._flows)

    def run(
        self, job: Job, upstream: Hashable, *, tried: Tried, tell: Callable[[Together], None]
    ) -> Result:
        """What a job comes to, by itself or with others. Parks; raises what its own request would.

        upstream: whom it is for, as who signs. tried: makes the request. tell: told how the job
        travels, if it is with others.
        """
        gathering = job.operation.gathering
        assert gathering is not None, "a job of a kind that goes alone"
        keeps_order = gathering.keeps_order(job.params)
        user = path_of(job.terms.key)
        priority = None if keeps_order else user.priority
        key = (upstream, job.method, job.params[gathering.place], user.first, priority)
        flow = self._flows.get(key)
        if flow is not None:
            return flow.join(job, tell)
        flow = self._flows[key] = _Flow(
            gathering,
            tried,
            keeps_order=keeps_order,
            window_s=self._window_s,
            on_quiet=partial(self._flows.pop, key),
        )
        return flow.alone(job)


class _Flow:
    """Jobs that may travel together: some on their way, others gathered.

    keeps_order: one request at a time. on_quiet: called when nothing is left.
    """

    def __init__(
        self,
        gathering: Gathering,
        tried: Tried,
        *,
        keeps_order: bool,
        window_s: float,
        on_quiet: Callable[[], object],
    ) -> None:
        self._gathering = gathering
        self._tried = tried
        self._keeps_order = keeps_order
        self._window_s = window_s
        self._on_quiet = on_quiet
        self._loop = asyncio.get_running_loop()
        self._on_its_way_num = 0
        self._gathered: list[_Entry] = []
        self._gathered_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def alone(self, job: Job) -> Result:
        """Have a job done by itself, as nothing is on its way."""
        self._on_its_way_num += 1
        try:
            result: Result = self._tried(
                job.terms, lambda connection: job.run(connection, job.params)
            )
        finally:
            self._returned()
        return result

    def join(self, job: Job, tell: Callable[[Together], None]) -> Result:
        """Have a job done with others, while something is on its way."""
        size_bytes = self._gathering.size_of(job.params)
        entry = _Entry(job, size_bytes, tell, self._loop.create_future())
        self._gather(entry)
        try:
            return wait(entry.fate, JobState.TOGETHER)
        except (DeadlineExceeded, asyncio.CancelledError) as error:
            if not entry.fate.cancelled():
                return entry.fate.result()  # it is here
            self._leave(entry)
            if isinstance(error, DeadlineExceeded) and entry.is_sent and not job.terms.idempotent:
                words = "it was sent with others, and there was no answer by the deadline"
                raise OutcomeUnknown(words) from error
            raise
        finally:
            if entry.request is not None:
                job.terms.add(entry.request.terms)

    def _gather(self, entry: _Entry) -> None:
        self._gathered.append(entry)
        self._gathered_bytes += entry.size_bytes
        if self._keeps_order:
            return
        while self._is_full():
            self._send()
        if self._gathered and self._timer is None:
            self._timer = self._loop.call_later(self._window_s, self._window_over)

    def _is_full(self) -> bool:
        bounds = self._gathering
        return len(self._gathered) >= bounds.entries_max or self._gathered_bytes > bounds.bytes_max

    def _window_over(self) -> None:
        self._timer = None
        self._send()

    def _send(self) -> None:
        """Send those of the gathered that fit into one request, first come first."""
        fitting = fitting_num([entry.size_bytes for entry in self._gathered], self._gathering)
        request = _Request(self._gathered[:fitting])
        for entry in request.entries:
            entry.request = request
            self._no_longer_gathered(entry)
        self._on_its_way_num += 1
        self._start_soon(request)

    def _no_longer_gathered(self, entry: _Entry) -> None:
        self._gathered.remove(entry)
        self._gathered_bytes -= entry.size_bytes
        if not self._gathered and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_soon(self, request: _Request) -> None:
        """In a turn and a context that are nobody's: a job's deadline and memory are its own."""
        self._loop.call_soon(self._start, request, context=contextvars.Context())

    def _start(self, request: _Request) -> None:
        jobs = [entry.job for entry in request.entries]
        if not jobs:  # all of them left
            self._returned()
            return
        request.terms = _terms_of(jobs)
        latest = max(job.deadline for job in jobs)
        call = partial(self._tried, request.terms, partial(self._carry, jobs))
        with on_terms(request.terms):
            request.carrier = spawn_until(latest, call)
        request.carrier.name = f"{jobs[0].method} with {len(jobs)} entries"
        request.carrier.add_done_callback(partial(self._arrived, request))
        for number, entry in enumerate(request.entries):
            entry.tell(Together(number, len(jobs)))

    def _carry(self, jobs: Sequence[Job], connection: Any) -> list[Fate]:
        """What a request's greenlet does."""
        if len(jobs) == 1:
            return [jobs[0].run(connection, jobs[0].params)]
        entries = [
            job.params
            if job.terms.headers is None
            else self._gathering.with_headers(job.params, job.terms.headers)
            for job in jobs
        ]
        return self._gathering.run(connection, entries)

    def _arrived(self, request: _Request, carrier: "Spawned[list[Fate]]") -> None:
        if carrier is not request.carrier:  # it was stopped, and another carries what is left
            return
        error = carrier.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        fates = carrier.result() if error is None else [error] * len(request.entries)
        for entry, fate in zip(request.entries, fates, strict=True):
            entry.settle(fate)
        self._returned()

    def _returned(self) -> None:
        """One less is on its way; where none is, those gathered go."""
        self._on_its_way_num -= 1
        if self._on_its_way_num:
            return
        if self._gathered:
            self._send()
        else:
            self._on_quiet()

    def _leave(self, entry: _Entry) -> None:
        """Take out one that nobody waits for any more, if it has not been sent."""
        if entry.request is None:
            self._no_longer_gathered(entry)
        elif not entry.is_sent:
            self._take_out(entry, entry.request)

    def _take_out(self, entry: _Entry, request: _Request) -> None:
        """Start a request anew without one of its entries: it is made already, and waits."""
        carrier = request.carrier
        if carrier is not None and not carrier.cancel():
            return  # it came to something in this turn
        request.entries.remove(entry)
        if carrier is not None:
            request.carrier = None
            self._start_soon(request)


def fitting_num(sizes: Sequence[int], bounds: Gathering) -> int:
    """How many of the first fit into one request; one does, as large as it may be."""
    total = 0
    for number, size in enumerate(sizes[: bounds.entries_max]):
        total += size
        if number and total > bounds.bytes_max:
            return number
    return min(len(sizes), bounds.entries_max)


def _terms_of(jobs: Sequence[Job]) -> Terms:
    """The terms of a request: its first job's, whose user and priority are those of all.

    A header is for the whole request, so only one that goes alone has its own.
    """
    first = jobs[0].terms
    return Terms(
        key=first.key,
        idempotent=all(job.terms.idempotent for job in jobs),
        headers=first.headers if len(jobs) == 1 else None,
    )
