"""Where everything stands: the stacks of all greenlets and tasks, for SIGUSR2."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Iterator
from types import FrameType

from botod.pool.spawned import live_stacks

DIFFERENT_MAX = 50
"""Stacks that are printed; the same ones are counted."""

FRAMES_MAX = 30
"""Of one stack, the innermost."""


def where_all_stand() -> Iterator[str]:
    """A text for each different stack, those that most have first."""
    stacks = Counter((name, _text(frame)) for name, frame in _all())
    yield f"{stacks.total()} greenlets and tasks, {len(stacks)} different stacks"
    for (name, text), number in stacks.most_common(DIFFERENT_MAX):
        yield f"{number} of {name}\n{text}"


def _all() -> Iterator[tuple[str, FrameType | None]]:
    yield from ((f"greenlet {name}", frame) for name, frame in live_stacks())
    for task in asyncio.all_tasks():
        frames = task.get_stack(limit=1)
        yield f"task {task.get_name()}", frames[-1] if frames else None


def _text(frame: FrameType | None) -> str:
    if frame is None:
        return "  it has not begun, or is running\n"
    return "".join(traceback.format_stack(frame, limit=None)[-FRAMES_MAX:])
