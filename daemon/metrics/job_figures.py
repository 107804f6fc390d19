"""Jobs by service, operation, outcome and user, and where their time went.

Plain fields, as a job is counted on the loop: objects of prometheus_client cost 3 to 15 us a job,
this 1.2 (`make bench-micro`). What a peer says makes no series: an operation has one once it is
known to be one of AWS's, and of operations, users and all together there are so many at most; the
rest are counted as OTHER. Those that come first are counted apart, and stay so.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botod.daemon.metrics.histogram import BOUNDS_S, Histogram, by_bound
from botod.daemon.metrics.outcomes import OK, outcome_of
from botod.daemon.runs import Run
from botod.daemon.services import CATALOG
from botod.ipc.errors import RpcError

OTHER = "other"

OPERATIONS_MAX = 128
"""Of the thousands that AWS has; an application uses a dozen. Each has a histogram: 17 series."""

UIDS_MAX = 64
"""Users of one host that are told apart."""

SERIES_MAX = 2048
"""Of operation, outcome and user together: 100 KB in an exposition, 1 ms of the loop to tell."""

PHASES = ("queue", "connect", "first_byte", "body")
"""Of a job, as its Times name them."""

SIZE_BOUNDS = (1.0, 2.0, 3.0, 5.0, 8.0, 10.0)
"""Of requests that carry several jobs; SQS takes ten."""


ERRORS_MOST = 50
"""Kinds of errors, an operation's outcome each, that a status tells: those that came last."""


class Totals(NamedTuple):
    """Of all operations. jobs, failed: requests that are over, those refused among them.

    took_s: of jobs that were run, all together; took: how many by how long, as a Histogram has it.
    """

    jobs: int
    failed: int
    took_s: float
    took: tuple[int, ...]


class _Service:
    """What is counted of one service's jobs. batches: sizes of requests with several jobs."""

    __slots__ = (
        "attempts_total", "batches", "body", "connect", "first_byte", "queue", "received_bytes",
        "sent_bytes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.queue, self.connect = Histogram(), Histogram()
        self.first_byte, self.body = Histogram(), Histogram()
        self.batches = Histogram(SIZE_BOUNDS)
        self.attempts_total = self.sent_bytes = self.received_bytes = 0

    def count(self, run: Run) -> None:
        terms, moved, together = run.job.terms, run.moved, run.together
        times = terms.times
        self.attempts_total += terms.attempts_num
        self.sent_bytes += moved.sent_bytes
        self.received_bytes += moved.received_bytes
        if terms.attempts_num:
            self.queue.observe(times.queue_s)
            self.connect.observe(times.connect_s)
            self.first_byte.observe(times.first_byte_s)
            self.body.observe(times.body_s)
        if together is not None and together.entry == 0:
            self.batches.observe(together.size)

    def plain(self) -> dict[str, Any]:
        return {
            "phases": {name: getattr(self, name).plain() for name in PHASES},
            "batches": self.batches.plain(),
            "attempts_total": self.attempts_total,
            "sent_bytes": self.sent_bytes,
            "received_bytes": self.received_bytes,
        }


class _Operation:
    """What is counted of one operation's jobs: outcome and user, and how long they took.

    newest: when the last one with an outcome that is an error was over.
    """

    __slots__ = ("counts", "name", "newest", "service", "service_name", "whole")

    def __init__(self, service_name: str, name: str, service: _Service) -> None:
        self.service_name = service_name
        self.name = name
        self.service = service
        self.whole = Histogram()
        self.counts: dict[tuple[str, int | str], int] = {}
        self.newest: dict[str, float] = {}

    @property
    def method(self) -> str:
        """As a peer writes it."""
        return OTHER if self.name == OTHER else f"{self.service_name}.{self.name}"

    def by_outcome(self) -> dict[str, int]:
        """Of all users."""
        found: dict[str, int] = {}
        for (outcome, _uid), count in self.counts.items():
            found[outcome] = found.get(outcome, 0) + count
        return found


class JobFigures:
    """Of one worker, since its start. clock: in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._services: dict[str, _Service] = {}
        self._operations: dict[tuple[str, str], _Operation] = {}
        self._uids: set[int] = set()
        self._series_num = 0
        self._others: _Operation | None = None

    def ended(self, run: Run, error: RpcError | None, took_s: float) -> None:
        """A job is over."""
        job = run.job
        operation = self._operations.get((job.service, job.name)) or self._new_operation(
            job.service, job.name
        )
        self._count(operation, outcome_of(error), run.sender.uid)
        operation.whole.observe(took_s)
        operation.service.count(run)

    def refused(self, method: str, uid: int, error: RpcError) -> None:
        """No job was run for a request. method: as the peer wrote it."""
        service, _dot, name = method.partition(".")
        operation = self._operations.get((service, name))
        if operation is None:
            is_known = CATALOG.at_hand(method) is not None
            operation = self._new_operation(service, name) if is_known else self._other()
        self._count(operation, outcome_of(error), uid)

    def plain(self) -> dict[str, Any]:
        """As it goes to another worker: numbers, and the names that label them."""
        operations = list(self._all())
        return {
            "counts": [
                [one.service_name, one.name, outcome, str(uid), count]
                for one in operations
                for (outcome, uid), count in one.counts.items()
            ],
            "whole": [[one.service_name, one.name, one.whole.plain()] for one in operations],
            "services": {name: one.plain() for name, one in self._services.items()},
        }

    def operations(self) -> list[dict[str, Any]]:
        """What a status tells of each operation, of all users together."""
        return [
            {
                "operation": one.method,
                "jobs_total": sum((found := one.by_outcome()).values()),
                "failed_total": sum(found.values()) - found.get(OK, 0),
                "took_s_total": one.whole.total,
                "took_by_s": by_bound(one.whole.counts),
            }
            for one in self._all()
        ]

    def errors(self) -> list[dict[str, Any]]:
        """The kinds of errors that came last, these first."""
        now = self._clock()
        found = [
            {
                "operation": one.method,
                "outcome": outcome,
                "errors_total": one.by_outcome()[outcome],
                "newest_age_s": round(now - at, 1),
            }
            for one in self._all()
            for outcome, at in one.newest.items()
        ]
        return sorted(found, key=_age)[:ERRORS_MOST]

    def totals(self) -> Totals:
        """Of this moment: 0.2 ms if there are as many series as there may be."""
        jobs = failed = 0
        took_s, took = 0.0, [0] * (len(BOUNDS_S) + 1)
        for one in self._all():
            found = one.by_outcome()
            number = sum(found.values())
            jobs, failed = jobs + number, failed + number - found.get(OK, 0)
            took_s += one.whole.total
            took = [a + b for a, b in zip(took, one.whole.counts, strict=True)]
        return Totals(jobs, failed, took_s, tuple(took))

    def _all(self) -> Iterator[_Operation]:
        yield from self._operations.values()
        if self._others is not None:
            yield self._others

    def _count(self, operation: _Operation, outcome: str, uid: int | str) -> None:
        key = (outcome, uid)
        if key in operation.counts:
            operation.counts[key] += 1
        else:
            operation = self._count_first(operation, outcome, uid)
        if outcome != OK:
            operation.newest[outcome] = self._clock()

    def _count_first(self, operation: _Operation, outcome: str, uid: int | str) -> _Operation:
        """Count what has no series yet, within the bounds; as which operation's it is counted."""
        if isinstance(uid, int):
            if uid in self._uids or len(self._uids) < UIDS_MAX:
                self._uids.add(uid)
            else:
                uid = OTHER
        if (outcome, uid) not in operation.counts and self._series_num >= SERIES_MAX:
            operation, uid = self._other(), OTHER
        counts = operation.counts
        if (outcome, uid) not in counts:
            counts[outcome, uid] = 0
            self._series_num += 1
        counts[outcome, uid] += 1
        return operation

    def _new_operation(self, service: str, name: str) -> _Operation:
        if len(self._operations) >= OPERATIONS_MAX:
            return self._other()
        operation = _Operation(service, name, self._service(service))
        self._operations[service, name] = operation
        return operation

    def _other(self) -> _Operation:
        if self._others is None:
            self._others = _Operation(OTHER, OTHER, self._service(OTHER))
        return self._others

    def _service(self, name: str) -> _Service:
        return self._services.setdefault(name, _Service())


def _age(error: dict[str, Any]) -> float:
    age_s: float = error["newest_age_s"]
    return age_s
