"""What is remembered of a visit that kept the loop for too long: where it was, in names of code."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

SLOW_KEPT = 10
"""The last ones are remembered: a screen of them."""

STACK_FRAMES = 25
"""Innermost frames of a stack that are told: boto's own stacks have some twelve."""

PATH_PARTS = 2
"""Of a file's path, the last ones: which file it is, and nothing of where it was installed."""

PARKING = ("pool/bridge.py", "pool/spawned.py")
"""Where every visit ends that does not end its function: not worth a line."""


@dataclass(frozen=True)
class SlowVisit:
    """A visit over the bound. at_s: when it ended, in seconds since the epoch.

    stack: where it was, the innermost last, as "file:line function": names of code, never a value.
    Of one that ended before the watchdog saw it there is only where it parked, if it did.
    """

    at_s: float
    name: str
    wall_s: float
    cpu_s: float
    stack: tuple[str, ...]


def places(frame: FrameType | None) -> Iterator[str]:
    """The innermost frames of a stack, these last, as SlowVisit has them."""
    found: list[str] = []
    while frame is not None and len(found) < STACK_FRAMES:
        file = "/".join(frame.f_code.co_filename.split("/")[-PATH_PARTS:])
        if found or file not in PARKING:
            found.append(f"{file}:{frame.f_lineno} {frame.f_code.co_qualname}")
        frame = frame.f_back
    return reversed(found)
