"""Who waits for a job, and what each is told."""

import asyncio
from typing import Any

import pytest

from botod.daemon.options import Options
from botod.daemon.runs import Run
from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Outcome
from botod.pool import sleep, spawn
from support.exchanges import Peer
from support.loops import BOUND_S, run
from support.runs import SENDER, job_of, run_of


def new_run() -> Run:
    """A job under way, which does nothing but wait to be cancelled."""
    one = run_of(job_of(deadline=1e9))
    one.future = spawn(lambda: None)
    return one


def new_peer(**options: Any) -> Peer:
    """A peer that reads streams."""
    return Peer("s3.get_object", sender=SENDER, options=options, credit_bytes=10)


def test_all_who_wait_are_told() -> None:
    """And afterwards their cancel does nothing."""

    async def main() -> None:
        one, first, second = new_run(), new_peer(), new_peer()
        one.wait(first.exchange)
        one.join(second.exchange, job_of(deadline=1e9))
        one.settle(Outcome({"x": 1}))
        assert await first.result() == await second.result() == {"x": 1}
        assert first.exchange.on_cancel is None
        await one.future

    run(main)


def test_each_error_has_the_trace_of_who_is_told() -> None:
    """One job, requests of two traces."""

    async def main() -> None:
        one, first, second = new_run(), new_peer(), new_peer()
        one.wait(first.exchange)
        one.join(second.exchange, job_of(options=Options(traceparent="t"), deadline=1e9))
        one.settle(Outcome(error=RpcError(Code.UNREACHABLE, "gone", {})))
        errors = [(await peer.outcome()).error for peer in (first, second)]
        assert [error and error.data for error in errors] == [{}, {"traceparent": "t"}]
        await one.future

    run(main)


def test_only_the_last_who_leaves_ends_the_job() -> None:
    """The others are told at once, the last by what the job comes to."""

    async def main() -> None:
        one, first, second = new_run(), new_peer(), new_peer()
        one.wait(first.exchange)
        one.join(second.exchange, job_of(deadline=1e9))
        first.exchange.cancel()
        assert first.has_ended
        assert not one.future.done()
        second.exchange.cancel()
        assert not second.has_ended
        with pytest.raises(asyncio.CancelledError):
            await one.future

    run(main)


def test_who_joined_leaves_at_its_own_deadline() -> None:
    """Told that the job goes on."""

    async def main() -> None:
        one, first, second = new_run(), new_peer(), new_peer()
        one.wait(first.exchange)
        one.join(second.exchange, job_of())
        error = (await second.outcome()).error
        assert error is not None
        assert error.code == Code.DEADLINE_EXCEEDED
        assert not first.outcomes
        await one.future

    run(main)


def test_the_last_one_s_deadline_is_its_error() -> None:
    """Whoever had begun the job has left; it ends with the last, and says so to who comes now."""

    async def main() -> None:
        one, first, second = new_run(), new_peer(), new_peer()
        one.future = spawn(sleep, BOUND_S)
        one.wait(first.exchange)
        one.join(second.exchange, job_of())
        first.exchange.cancel()
        error = (await second.outcome()).error
        assert error is not None
        assert error.code == Code.DEADLINE_EXCEEDED
        assert one.is_ending
        await asyncio.wait([one.future])
        assert one.future.cancelled()

    run(main)


def test_who_follows_a_job_that_ends() -> None:
    """It is not told of that end; it may leave before, or be told that its time is over."""

    async def main() -> None:
        one, first = new_run(), new_peer()
        follower, leaver, late = new_peer(), new_peer(), new_peer()
        one.wait(first.exchange)
        first.exchange.cancel()
        assert one.is_ending
        called: list[Peer] = []
        one.follow(follower.exchange, job_of(deadline=1e9), lambda: called.append(follower))
        one.follow(leaver.exchange, job_of(deadline=1e9), lambda: called.append(leaver))
        one.follow(late.exchange, job_of(), lambda: called.append(late))
        leaver.exchange.cancel()
        told = [await leaver.outcome(), await late.outcome()]
        codes = [outcome.error and outcome.error.code for outcome in told]
        assert codes == [Code.CANCELLED, Code.DEADLINE_EXCEEDED]
        one.settle(Outcome(error=RpcError(Code.CANCELLED, "ended")))
        assert called == [follower]
        assert first.has_ended
        assert follower.exchange.on_cancel is None
        assert not follower.outcomes
        await asyncio.wait([one.future])

    run(main)


def test_an_answer_with_a_stream() -> None:
    """The stream stands where the body would."""

    async def main() -> None:
        one, peer = new_run(), new_peer()
        one.wait(peer.exchange)
        stream = one.answer_with_stream({"Body": "a download", "ETag": "x"})
        assert await peer.result() == {"Body": stream, "ETag": "x"}
        stream.end()
        assert peer.has_ended
        await one.future

    run(main)


def test_no_stream_for_who_has_left() -> None:
    """It is told that its job was ended."""

    async def main() -> None:
        one, peer = new_run(), new_peer()
        one.wait(peer.exchange)
        peer.exchange.cancel()
        with pytest.raises(RpcError, match="was ended"):
            one.answer_with_stream({"Body": "a download"})
        assert not peer.streams
        one.settle(Outcome(error=RpcError(Code.CANCELLED, "ended")))
        assert peer.has_ended
        await asyncio.wait([one.future])

    run(main)


def test_who_is_found_gone_keeps_no_progress_from_the_others() -> None:
    """Telling a peer may find that it has left, and with it its request."""

    async def main() -> None:
        one, gone, stays = new_run(), new_peer(progress=True), new_peer(progress=True)
        one.wait(gone.exchange)
        one.join(stays.exchange, job_of(options=Options(progress=True), deadline=1e9))
        gone.tell_progress = lambda exchange, _value: exchange.cancel()  # type: ignore[method-assign]
        one.moved.sent_bytes = 7
        assert one._progress is not None
        one._progress._tick()
        assert len(stays.progress) == 1
        assert one._progress._timer is not None
        one.settle(Outcome({}))
        await one.future

    run(main)


def test_progress_until_the_answer() -> None:
    """To whoever asked; the clock stops with the answer."""

    async def main() -> None:
        one, quiet, asked = new_run(), new_peer(), new_peer(progress=True)
        one.wait(quiet.exchange)
        assert one._progress is None
        one.join(asked.exchange, job_of(options=Options(progress=True), deadline=1e9))
        one.moved.sent_bytes = 7
        one.job.terms.attempts_num = 1
        assert one._progress is not None
        one._progress._tick()
        told = [{"bytes_sent": 7, "bytes_received": 0, "attempts": 1}]
        assert (quiet.progress, asked.progress) == ([], told)
        one.settle(Outcome({}))
        assert one._progress._timer is None
        await one.future

    run(main)
