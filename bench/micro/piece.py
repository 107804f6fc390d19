"""One piece of the path."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Piece(NamedTuple):
    """budget_us: what one call may take on the machine that docs/performance.md names."""

    name: str
    budget_us: float
    call: Callable[[], object]


def took_us(call: Callable[[], object], rounds: int, number: int) -> float:
    """Microseconds of CPU for one call: the median of so many rounds of so many."""
    return statistics.median(_round_us(call, number) for _ in range(rounds))


def _round_us(call: Callable[[], object], number: int) -> float:
    began = time.process_time()
    for _ in range(number):
        call()
    return (time.process_time() - began) / number * 1e6
