"""The daemon's event loop."""

import asyncio
import time

import uvloop

from botod.daemon.loop import Loop, run


def test_run_gives_what_came_of_it_on_such_a_loop() -> None:
    """As `asyncio.run`."""

    async def main() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = run(main())
    assert isinstance(loop, Loop)
    assert loop.is_closed()


def test_the_clock_is_a_fine_one() -> None:
    """uvloop's own shows each millisecond once, and what is bounded by less would have no bound."""

    async def main() -> int:
        began = time.monotonic()
        seen = set()
        while time.monotonic() < began + 0.005:
            seen.add(asyncio.get_running_loop().time())
        return len(seen)

    assert run(main()) > 20
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) < 20, "why there is a class of ours"
