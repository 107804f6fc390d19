"""Which jobs may begin: how many at once, how many polls, and none at the end."""

import asyncio
import threading

import pytest

from botod.daemon.job import ROOM_AFTER_MS
from botod.ipc.errors import Code
from support.http_server import Exchange
from support.loops import BOUND_S
from support.rigs import MESSAGE, ON_KEY, job_lines, rig, run
from support.services import Held, query_xml, reply


def test_more_jobs_than_may_run_are_refused() -> None:
    """With when to come back; when one is done there is room again."""

    async def main() -> None:
        held = Held(reply(b"x"))
        async with rig(held, jobs_max=1) as one:
            first = asyncio.ensure_future(one.call("s3.get_object", ON_KEY))
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            error = await one.error("s3.get_object", ON_KEY)
            assert (error.code, error.message) == (Code.OVERLOADED, "1 jobs are running already")
            assert error.data == {
                "limit": "jobs",
                "retryable": True,
                "retry_after_ms": ROOM_AFTER_MS,
            }
            assert one.worker.refusals.by_limit() == {"jobs": 1}
            held.release.set()
            await first
            assert (await one.call("s3.get_object", ON_KEY))["Body"] == b"x"
            assert one.ledger.counts.jobs_total == 2

    run(main())


def test_polls_leave_room_for_other_jobs() -> None:
    """They have three quarters of the jobs at most, and the same of a host's slots."""

    async def main() -> None:
        release = threading.Event()

        def answer(exchange: Exchange) -> None:
            if b"Action=ReceiveMessage" in exchange.body:
                assert release.wait(BOUND_S)
                return query_xml("ReceiveMessage")(exchange)
            return query_xml("SendMessage")(exchange)

        async with rig(answer, jobs_max=8, slots=4) as one:
            queue = {"QueueUrl": "http://h/1/q"}
            polls = [one.ask("sqs.receive_message", queue) for _ in range(6)]
            error = await one.error("sqs.receive_message", queue | {"WaitTimeSeconds": 1})
            assert error.message == "6 long polls are running already, of 8 jobs"
            assert (error.code, error.data["limit"]) == (Code.OVERLOADED, "jobs")
            await one.call("sqs.send_message", MESSAGE)
            assert not any(poll.outcomes for poll in polls)
            assert one.worker.polling_num == 6
            release.set()
            for poll in polls:
                await poll.result()
            assert one.worker.polling_num == 0
            await one.call("sqs.receive_message", queue)

    run(main())


def test_draining_lets_jobs_finish_and_takes_no_more() -> None:
    """Those that run are done; a newcomer is told; then there is nothing left."""

    async def main() -> None:
        held = Held(reply(b"x"))
        async with rig(held) as one:
            job = asyncio.ensure_future(one.call("s3.get_object", ON_KEY))
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            drain = asyncio.ensure_future(one.worker.drain(BOUND_S))
            await asyncio.sleep(0)
            error = await one.error("s3.get_object", ON_KEY)
            assert (error.code, error.data) == (Code.SHUTTING_DOWN, {"retryable": True})
            assert not drain.done()
            held.release.set()
            await drain
            assert (await job)["Body"] == b"x"

    run(main())


def test_draining_ends_what_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    """Each job is told whether it may have been done; their transfers are stopped."""

    async def main() -> None:
        arrived = threading.Barrier(3)
        gone = threading.Event()

        def answer(_exchange: Exchange) -> None:
            arrived.wait(BOUND_S)
            gone.wait(BOUND_S)

        async with rig(answer) as one:
            read = asyncio.ensure_future(one.error("s3.get_object", ON_KEY))
            send = asyncio.ensure_future(one.error("sqs.send_message", MESSAGE))
            await asyncio.to_thread(arrived.wait, BOUND_S)
            async with asyncio.timeout(BOUND_S / 2):  # before anything else would end them
                await one.worker.drain(0)
            gone.set()
            assert (await read).code == (await send).code == Code.CANCELLED
            assert (await read).data["outcome_unknown"] is False
            assert (await send).data["outcome_unknown"] is True
            assert one.ledger.counts.failed_total == 2

    run(main())
    assert sorted(job_lines(caplog)) == [
        "job s3.get_object cancelled attempts=1",
        "job sqs.send_message cancelled attempts=1",
    ]


def test_draining_an_idle_worker() -> None:
    """Nothing to wait for."""

    async def main() -> None:
        async with rig(reply()) as one:
            await one.worker.drain(BOUND_S)

    run(main())
