"""How many values the params of one job may hold.

They are read on the loop, and a line of 1 MiB has room for half a million of them.
"""

from typing import Any

from botod.daemon.services.shapes import InvalidParam

MAX_VALUES = 32_000
"""Each takes the loop up to 2 microseconds. The longest list known is of CloudWatch's logs: 10,000
events in one request, which are 30,000 values."""

NUMBERS_A_VALUE = 4
"""Bare numbers are read so much faster, and vectors have many."""


def check_amount(params: dict[str, Any]) -> None:
    """Raise InvalidParam if they hold too many, however deep."""
    waiting: list[Any] = [params]
    count = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += len(value)
            waiting += value.values()
        elif isinstance(value, list) and value:
            is_numbers = isinstance(value[0], (int, float))  # else what is no document is refused
            count += len(value) // NUMBERS_A_VALUE if is_numbers else len(value)
            waiting += value
        if count > MAX_VALUES:
            raise InvalidParam(
                f"the params hold more than {MAX_VALUES} values: ask for less in one request"
            )
