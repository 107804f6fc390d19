"""Several requests that are one job, by their key."""

import asyncio
import gc
import os
import weakref
from dataclasses import replace

from botod.daemon.joins import Name
from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code
from support.http_server import Exchange
from support.loops import BOUND_S
from support.rigs import MESSAGE, ON_KEY, SENDER, TRACE, cut, rig, run
from support.services import Held, query_error, query_xml, reply


def test_requests_with_one_key_are_one_job() -> None:
    """While it is under way and afterwards; each is answered."""

    async def main() -> None:
        held = Held(query_xml("SendMessage", "<MessageId>m-1</MessageId>"))
        async with rig(held) as one:
            peers = [
                one.ask("sqs.send_message", MESSAGE, idempotency_key="k", sender=sender)
                for sender in (SENDER, SENDER, replace(SENDER, connection_id=8))
            ]
            assert one.worker.running_num == 1
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            held.release.set()
            results = [await peer.result() for peer in peers]
            results.append(await one.call("sqs.send_message", MESSAGE, idempotency_key="k"))
            assert [result["MessageId"] for result in results] == ["m-1"] * 4
            assert len(one.server.requests) == 1
            counts = one.ledger.counts
            assert (counts.jobs_total, counts.joined_total) == (1, 3)
            assert one.joins.remembered_num == 1

    run(main())


def test_a_key_for_something_else_is_refused() -> None:
    """Other params, or another profile."""

    async def main() -> None:
        async with rig(query_xml("SendMessage")) as one:
            await one.call("sqs.send_message", MESSAGE, idempotency_key="k")
            other = await one.error(
                "sqs.send_message", MESSAGE | {"MessageBody": "y"}, idempotency_key="k"
            )
            assert other.code == Code.INVALID_PARAMS
            poor = await one.error("sqs.send_message", MESSAGE, idempotency_key="k", profile="poor")
            assert poor.code == Code.INVALID_PARAMS
            assert len(one.server.requests) == 1

    run(main())


def test_an_unknown_outcome_is_not_tried_again_by_its_key(quick_retries: None) -> None:
    """Whoever asks again is told the same; the message is sent once."""

    async def main() -> None:
        async with rig(cut) as one:
            for _ in range(2):
                error = await one.error("sqs.send_message", MESSAGE, idempotency_key="k")
                assert error.code == Code.OUTCOME_UNKNOWN
            assert len(one.server.requests) == 1

    run(main())


def test_what_was_refused_may_be_tried_again_by_its_key() -> None:
    """Nothing was done."""

    async def main() -> None:
        answers = iter([query_error("Throttling", "slow down", "400 Bad Request")])

        def answer(exchange: Exchange) -> None:
            next(answers, query_xml("SendMessage"))(exchange)

        async with rig(answer) as one:
            error = await one.error("sqs.send_message", MESSAGE, idempotency_key="k")
            assert error.data["type"] == "Throttling"
            await one.call("sqs.send_message", MESSAGE, idempotency_key="k")
            assert len(one.server.requests) == 2

    run(main())


def test_a_job_with_a_key_ends_with_the_last_who_wants_it() -> None:
    """Each of the others that leaves is told so at once."""

    async def main() -> None:
        held = Held(reply())
        async with rig(held) as one:
            first, second = (
                one.ask("sqs.send_message", MESSAGE, idempotency_key="k") for _ in range(2)
            )
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            first.exchange.cancel()
            assert first.has_ended
            assert one.worker.running_num == 1
            second.exchange.cancel()
            error = (await second.outcome()).error
            assert error is not None
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, True)
            held.release.set()
            again = await one.error("sqs.send_message", MESSAGE, idempotency_key="k")
            assert again.code == Code.CANCELLED, "it may have been sent: it is not sent again"
            assert len(one.server.requests) == 1

    run(main())


def test_a_cancelled_job_is_not_joined_any_more() -> None:
    """Who comes meanwhile has its own done, as what ended did nothing that would be done twice."""

    async def main() -> None:
        held = Held(reply())
        params = ON_KEY | {"Body": b"x"}
        async with rig(held) as one:
            first = one.ask("s3.put_object", params, idempotency_key="k")
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            first.exchange.cancel()
            second, third = (
                one.ask("s3.put_object", params, idempotency_key="k") for _ in range(2)
            )
            held.release.set()
            error = (await first.outcome()).error
            assert error is not None
            assert error.code == Code.CANCELLED
            await second.result()
            await third.result()
            assert len(one.server.requests) == 2
            assert one.ledger.counts.joined_total == 1

    run(main())


def test_what_may_have_been_done_is_not_done_for_who_comes_meanwhile() -> None:
    """It is told what is remembered of the job that was cancelled."""

    async def main() -> None:
        held = Held(reply())
        async with rig(held) as one:
            first = one.ask("sqs.send_message", MESSAGE, idempotency_key="k")
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            first.exchange.cancel()
            error = await one.error("sqs.send_message", MESSAGE, idempotency_key="k")
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, True)
            held.release.set()
            assert len(one.server.requests) == 1

    run(main())


def test_no_room_for_who_came_meanwhile() -> None:
    """It is refused as if it came now."""

    async def main() -> None:
        held = Held(reply())
        async with rig(held) as one:
            first = one.ask("s3.put_object", ON_KEY, idempotency_key="k")
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            first.exchange.cancel()
            second = one.ask("s3.put_object", ON_KEY, idempotency_key="k", traceparent=TRACE)
            await one.worker.drain(BOUND_S)
            error = (await second.outcome()).error
            assert error is not None
            assert (error.code, error.data["traceparent"]) == (Code.SHUTTING_DOWN, TRACE)
            held.release.set()

    run(main())


def test_an_error_that_is_remembered_holds_nothing_else() -> None:
    """Not its job: hundreds of bodies would stay for as long as keys do, or until a collection."""

    async def main() -> None:
        async with rig(cut) as one:
            peer = one.ask("sqs.send_message", MESSAGE, idempotency_key="k")
            job = weakref.ref(one.joins._underway[Name(SENDER.uid, "k")].run.future)
            outcome = await peer.outcome()
            assert outcome.error is not None
            assert outcome.error.code == Code.OUTCOME_UNKNOWN
            assert outcome.error.__traceback__ is outcome.error.__context__ is None
            assert one.joins.remembered_num == 1
            await asyncio.sleep(0)
            assert job() is None, gc.get_referrers(job())

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_one_who_joined_keeps_its_own_deadline() -> None:
    """When that passes it is told; the job goes on for the other."""

    async def main() -> None:
        held = Held(query_xml("SendMessage"))
        async with rig(held) as one:
            first = one.ask("sqs.send_message", MESSAGE, idempotency_key="k")
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            second = one.ask("sqs.send_message", MESSAGE, idempotency_key="k", timeout_s=1e-9)
            error = (await second.outcome()).error
            assert error is not None
            assert error.code == Code.DEADLINE_EXCEEDED
            held.release.set()
            await first.result()

    run(main())


def test_a_key_does_not_go_with_a_descriptor() -> None:
    """It comes once; who joined could not be given it."""

    async def main() -> None:
        async with rig(reply()) as one:
            body = Descriptor(os.memfd_create("body"))
            error = await one.error("s3.put_object", ON_KEY | {"Body": body}, idempotency_key="k")
            assert error.code == Code.INVALID_PARAMS
            assert "idempotency_key does not go with descriptors" in error.message

    run(main())


def test_progress_is_told_to_those_who_asked() -> None:
    """Until the answer, and no more."""

    async def main() -> None:
        held = Held(query_xml("SendMessage"))
        async with rig(held) as one:
            quiet = one.ask("sqs.send_message", MESSAGE, idempotency_key="k")
            asked = one.ask("sqs.send_message", MESSAGE, idempotency_key="k", progress=True)
            found = one.joins._underway[Name(SENDER.uid, "k")].run
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            assert found._progress is not None
            found._progress._tick()
            value = {"bytes_sent": 0, "bytes_received": 0, "attempts": 1}
            assert (asked.progress, quiet.progress) == ([value], [])
            held.release.set()
            await asked.result()
            assert found._progress._timer is None

    run(main())
