"""Where everything stands."""

import asyncio

import pytest

from botod.daemon.stacks import where_all_stand
from botod.pool import sleep, spawn
from support.compiled import COMPILED_PATH
from support.loops import run


def test_each_different_stack_once() -> None:
    """With how many have it, the most first; tasks by their names."""

    def parked_here() -> None:
        sleep(60)

    async def waiting() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        jobs = [spawn(parked_here) for _ in range(3)]
        for job in jobs:
            job.name = "s3.get_object"
        task = asyncio.create_task(waiting(), name="reload")
        await asyncio.sleep(0)
        begun = spawn(parked_here)
        head, *texts = where_all_stand()
        # Three jobs, the one that has not begun, the task, and those of the test itself.
        assert head.startswith(("6 greenlets and tasks, ", "7 "))
        assert texts[0].startswith("3 of greenlet s3.get_object\n")
        assert "parked_here" in texts[0]
        assert ("in park_for" if COMPILED_PATH else "in sleep") in texts[0]
        assert any(text.startswith("1 of task reload\n") and "waiting" in text for text in texts)
        assert any("it has not begun, or is running" in text for text in texts)
        for future in (*jobs, begun, task):
            future.cancel()
        for future in (*jobs, begun, task):
            with pytest.raises(asyncio.CancelledError):
                await future

    run(main)
