"""Running a scenario on a loop of its own, for a bounded time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BOUND_S = 30.0
"""No step of a test waits longer; a machine under load may be slow, a hang is a failure."""


class Factory:
    """What loops `run` makes; None: asyncio's own. The daemon's tests have the daemon's."""

    loop: Callable[[], asyncio.AbstractEventLoop] | None = None


def run(scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What a coroutine function gives."""
    with asyncio.Runner(loop_factory=Factory.loop) as runner:
        return runner.run(asyncio.wait_for(scenario(), BOUND_S))


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until `condition()`; the scenario's bound is this one's."""
    while not condition():
        await asyncio.sleep(0.001)
