"""Pause, drain and resume at one worker."""

from typing import Any

import pytest

from botod.daemon.holding import Holding
from botod.ipc.errors import Code, RpcError
from support.loops import run, until
from support.rigs import ON_KEY, Rig, rig
from support.services import Held, reply


async def turn(one: Rig, verb: str, **params: Any) -> Any:
    """What the method answers."""
    holding = Holding(one.gates, one.gates._pool, one.worker.roll, lambda: ("default", "poor"))
    return await holding.deeds()[f"botod.{verb}"].do(params)


def test_a_pause_ends_when_nothing_is_on_the_wire() -> None:
    """Before, it ends by its time, and says how much is."""
    held = Held(reply(b"x"))

    async def main() -> None:
        async with rig(held) as one:
            first = one.ask("s3.get_object", ON_KEY)
            await until(held.arrived.is_set)
            told = await turn(one, "pause")
            assert (told["on_the_wire_num"], told["running_num"]) == (1, 1)
            assert told["profiles"] == {"default": "paused", "poor": "paused"}
            waits = one.ask("s3.get_object", ON_KEY)
            held.release.set()
            told = await turn(one, "pause", profile="default", wait_s=20)
            assert told["on_the_wire_num"] == 0
            assert await first.result()
            assert not waits.outcomes
            told = await turn(one, "resume")
            assert told["profiles"] == {"default": "open", "poor": "open"}
            assert await waits.result()

    run(main)


def test_a_drain_ends_when_no_job_runs() -> None:
    """Of one profile; who comes is refused, also by a key that no job has."""
    held = Held(reply(b"x"))

    async def main() -> None:
        async with rig(held) as one:
            runs = one.ask("s3.get_object", ON_KEY, idempotency_key="k")
            await until(held.arrived.is_set)
            assert (await turn(one, "drain", profile="default"))["running_num"] == 1
            assert (await turn(one, "drain", profile="poor"))["running_num"] == 0
            for options in ({}, {"idempotency_key": "other"}):
                error = await one.error("s3.get_object", ON_KEY, **options)
                assert error.code == Code.DRAINED
            held.release.set()
            assert (await turn(one, "drain", wait_s=20))["running_num"] == 0
            assert await runs.result()
            assert await one.call("s3.get_object", ON_KEY, idempotency_key="k")
            await turn(one, "resume")
            assert await one.call("s3.get_object", ON_KEY)

    run(main)


def test_a_profile_that_is_not_there() -> None:
    """It is refused, with those that are."""

    async def main() -> None:
        async with rig(reply(b"x")) as one:
            with pytest.raises(RpcError, match="no profile 'x'; there are: default, poor"):
                await turn(one, "pause", profile="x")
            assert not one.gates.is_paused("x")

    run(main)
