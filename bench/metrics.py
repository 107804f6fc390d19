"""What counting a job for metrics costs, in CPU time, beside prometheus_client's own objects.

python bench/metrics.py
"""

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from botod.daemon.metrics.histogram import BOUNDS_S
from botod.daemon.metrics.job_figures import JobFigures
from botod.daemon.moved import Moved
from botod.pool import Terms
from botod.pool.times import Times, clock

NUMBER = 50_000
ROUNDS = 7

MOST_US = 3.0
"""A job, of the 100 us of a core that it takes in all."""


def main() -> None:
    """Print a table; exit with 1 if counting and timing a job takes more than it may."""
    terms = Terms()
    terms.attempts_num = 1
    terms.times.first_byte_s = 0.02
    run: Any = SimpleNamespace(
        job=SimpleNamespace(service="s3", name="get_object", terms=terms),
        sender=SimpleNamespace(uid=1000),
        moved=Moved(),
        together=None,
    )
    figures, times = JobFigures(), Times()

    def read_clocks() -> None:
        times.transferred(clock(), clock(), clock(), clock())

    counting, timing = us(lambda: figures.ended(run, None, 0.02)), us(read_clocks)
    print(f"{'botod: count a job':<44}{counting:6.2f} us")
    print(f"{'botod: time a transfer':<44}{timing:6.2f} us")
    cached, by_labels = prometheus()
    print(f"{'prometheus_client: 1 counter, 5 histograms':<44}{us(cached):6.2f} us")
    print(f"{'the same with labels() each time':<44}{us(by_labels):6.2f} us")
    sys.exit(counting + timing > MOST_US)


def prometheus() -> tuple[Callable[[], None], Callable[[], None]]:
    """The same by objects of prometheus_client: with children that are kept, and without."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    names = ("service", "operation", "outcome", "uid")
    jobs = Counter("jobs", "Jobs.", names, registry=registry)
    phases = [
        Histogram(f"phase_{number}", "A phase.", ("service",), registry=registry, buckets=BOUNDS_S)
        for number in range(5)
    ]
    job = jobs.labels("s3", "get_object", "ok", "1000")
    children = [phase.labels("s3") for phase in phases]

    def cached() -> None:
        job.inc()
        for child in children:
            child.observe(0.02)

    def by_labels() -> None:
        jobs.labels("s3", "get_object", "ok", "1000").inc()
        for phase in phases:
            phase.labels("s3").observe(0.02)

    return cached, by_labels


def us(deed: Callable[[], None]) -> float:
    """CPU microseconds of one call: the best of some rounds, without the loop around it."""
    return (best_s(deed) - best_s(lambda: None)) / NUMBER * 1e6


def best_s(deed: Callable[[], None]) -> float:
    """CPU seconds of all calls, in the best round."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(NUMBER):
            deed()
        taken.append(time.thread_time() - began)
    return min(taken)


if __name__ == "__main__":
    main()
