"""Rows as the benchmark has them, for tests of what becomes of them."""

import contextlib
from collections.abc import Iterator, Mapping

from harness.figures import Figure, Row
from harness.work import Column, Contender, Kind, Scale, Work


@contextlib.contextmanager
def _nobody(_scale: Scale) -> Iterator[Mapping[str, Contender]]:
    yield {}


WORK = Work("get", "GET of 1 KiB", (Column("cpu_us", "CPU a request", "µs"),), _nobody)


def row(name: str, cpu_us: float, kind: Kind = Kind.OURS, *, spread: float = 0.0) -> Row:
    """A row with the one column of WORK. spread: as a part of the figure."""
    half = cpu_us * spread / 2
    return Row(name, name, kind, {"cpu_us": Figure(float(cpu_us), cpu_us - half, cpu_us + half)})
