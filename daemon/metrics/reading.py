"""How a series finds its values in what a worker tells of itself (`snapshot`).

A reader gives samples: values of the series' labels, and a number, or of a histogram its counts by
bucket and their total. What is not known, such as when keys that stay good expire, has no sample.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Snapshot = Mapping[str, Any]
Sample = tuple[tuple[str, ...], Any]
Reader = Callable[[Snapshot], Iterator[Sample]]

GOOD = "good"


def at(*path: str) -> Reader:
    """A single number."""

    def read(snapshot: Snapshot) -> Iterator[Sample]:
        value = _at(snapshot, path)
        if value is not None:
            yield (), float(value)

    return read


def histogram(*path: str) -> Reader:
    """A single histogram."""

    def read(snapshot: Snapshot) -> Iterator[Sample]:
        yield (), _at(snapshot, path)

    return read


def each(*path: str, of: tuple[str, ...] = ()) -> Reader:
    """A number for each key of a mapping, which is its label. of: where it is in that one's."""

    def read(snapshot: Snapshot) -> Iterator[Sample]:
        for name, value in _at(snapshot, path).items():
            found = _at(value, of)
            if found is not None:
                yield (name,), float(found)

    return read


def each_of_each(*path: str, of: tuple[str, ...]) -> Reader:
    """A number for each key of mappings in a mapping; both keys are labels."""

    def read(snapshot: Snapshot) -> Iterator[Sample]:
        for name, values in _at(snapshot, path).items():
            for inner, value in _at(values, of).items():
                yield (name, inner), float(value)

    return read


def pools(*path: str) -> Reader:
    """A number of each host pool, by endpoint and profile."""

    def read(snapshot: Snapshot) -> Iterator[Sample]:
        for pool in snapshot["status"]["pools"]:
            yield (pool["origin"], pool["profile"]), float(_at(pool, path))

    return read


def closed_sockets(snapshot: Snapshot) -> Iterator[Sample]:
    """By endpoint, profile and reason."""
    for pool in snapshot["status"]["pools"]:
        for reason, number in pool["sockets"]["closed_total"].items():
            yield (pool["origin"], pool["profile"], reason), float(number)


def resting(snapshot: Snapshot) -> Iterator[Sample]:
    """1 for a host to which nothing is sent for a while."""
    for pool in snapshot["status"]["pools"]:
        yield (pool["origin"], pool["profile"]), float(pool["health"]["state"] != GOOD)


def jobs(snapshot: Snapshot) -> Iterator[Sample]:
    """By service, operation, outcome and user."""
    for *labels, number in snapshot["jobs_done"]["counts"]:
        yield tuple(labels), float(number)


def whole(snapshot: Snapshot) -> Iterator[Sample]:
    """Histograms by service and operation."""
    for service, operation, counted in snapshot["jobs_done"]["whole"]:
        yield (service, operation), counted


def phases(snapshot: Snapshot) -> Iterator[Sample]:
    """Histograms by service and phase."""
    for service, figures in snapshot["jobs_done"]["services"].items():
        for phase, counted in figures["phases"].items():
            yield (service, phase), counted


def batches(snapshot: Snapshot) -> Iterator[Sample]:
    """Histograms by service, of those that have any."""
    for service, figures in snapshot["jobs_done"]["services"].items():
        if any(figures["batches"]["counts"]):
            yield (service,), figures["batches"]


def visits(snapshot: Snapshot) -> Iterator[Sample]:
    """One histogram."""
    found = snapshot["status"]["visits"]
    yield (), {"counts": found["buckets_num"], "total": found["total_s"]}


def build(snapshot: Snapshot) -> Iterator[Sample]:
    """1, with what it is built of as labels."""
    yield tuple(snapshot["build"].values()), 1.0


def _at(figures: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        figures = figures[name]
    return figures
