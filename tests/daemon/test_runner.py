"""What a job that has begun comes to when something ends it."""

import asyncio
from typing import Any, cast

import pytest

from botod.daemon.job import ROOM_AFTER_MS
from botod.ipc.errors import Code
from botod.pool.spawned import Spawned
from support.loops import BOUND_S
from support.rigs import MESSAGE, ON_KEY, job_lines, rig, run
from support.services import Held, reply


def test_a_profile_without_keys(caplog: pytest.LogCaptureFixture) -> None:
    """The refusal has its own code and says why; the log does, too."""

    async def main() -> None:
        async with rig(reply()) as one:
            error = await one.error("s3.get_object", ON_KEY, profile="poor")
            assert error.code == Code.NO_CREDENTIALS
            why = "the daemon has no AWS keys for profile 'poor': nobody gives it any"
            assert error.message == why
            assert "keys of profile 'poor': nobody gives it any" in caplog.messages
            caplog.clear()

    run(main())


def test_a_cancelled_job_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """As when its peer hangs up: the transfer is ended, its slot is free."""

    async def main() -> None:
        held = Held(reply(b"x"))
        async with rig(held, slots=1) as one:
            peer = one.ask("s3.get_object", ON_KEY)
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            peer.exchange.cancel()
            error = (await peer.outcome()).error
            assert error is not None
            assert error.code == Code.CANCELLED
            held.release.set()
            assert (await one.call("s3.get_object", ON_KEY))["Body"] == b"x"

    run(main())
    assert job_lines(caplog)[0] == "job s3.get_object cancelled attempts=1"


def test_a_job_cancelled_before_it_began() -> None:
    """Nothing was sent, and it does not count as running."""

    async def main() -> None:
        async with rig(reply()) as one:
            peer = one.ask("s3.get_object", ON_KEY)
            assert one.worker.running_num == 1
            peer.exchange.cancel()
            error = (await peer.outcome()).error
            assert error is not None
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, False)
            assert one.server.requests == []

    run(main())


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("s3.get_object", ON_KEY, Code.DEADLINE_EXCEEDED),
        ("sqs.send_message", MESSAGE, Code.OUTCOME_UNKNOWN),
    ],
)
def test_a_deadline_ends_a_job(method: str, params: dict[str, Any], code: Code) -> None:
    """The message says how far it got; what may not be repeated has an unknown outcome."""

    async def main() -> None:
        held = Held(reply())
        async with rig(held) as one:
            peer = one.ask(method, params, timeout_s=50)
            (future,) = cast("set[Spawned[Any]]", one.worker._admission.running)
            assert future.deadline is not None
            assert 0 < future.deadline - asyncio.get_running_loop().time() <= 50
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            future.expire()  # what the loop does when the time has come
            error = (await peer.outcome()).error
            assert error is not None
            assert error.code == code
            assert "no answer by the deadline" in error.message
            held.release.set()

    run(main())


def test_waiting_for_a_slot_too_long() -> None:
    """Too many wait, or one waits too long: overloaded, with when to come back."""

    async def main() -> None:
        held = Held(reply(b"x"))
        async with rig(held, slots=1, max_waiting=1, slot_timeout_s=0.05) as one:
            first = asyncio.ensure_future(one.call("s3.get_object", ON_KEY))
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            second = asyncio.ensure_future(one.error("s3.get_object", ON_KEY))
            third = asyncio.ensure_future(one.error("s3.get_object", ON_KEY))
            for error in (await second, await third):
                assert error.code == Code.OVERLOADED
                assert error.data["retry_after_ms"] == ROOM_AFTER_MS
            assert {(await second).data["type"], (await third).data["type"]} == {
                "PoolTimeout",
                "PoolFull",
            }
            assert one.worker.refusals.by_limit() == {"slot_timeout_s": 1, "max_waiting": 1}
            held.release.set()
            await first
            assert len(one.server.requests) == 1

    run(main())
