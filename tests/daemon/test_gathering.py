"""Jobs that travel together: which do, in what order, and what each is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from botod.daemon.gathering import Gatherings, fitting_num
from botod.daemon.job import Job
from botod.daemon.options import DEFAULTS
from botod.daemon.services.operation import Fate, Gathering, Operation, Params, Result
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import Struct
from botod.ipc.errors import Code, RpcError
from botod.pool import Terms, current_terms, sleep, spawn
from support.exchanges import Peer
from support.http_server import Answer, Exchange
from support.loops import BOUND_S
from support.rigs import SENDER, TRACE, Rig, job_lines, rig, run
from support.services import Held, query_error, query_xml
from support.sqs_server import SqsServer

QUEUE = {"QueueUrl": "http://h/1/jobs"}
FIFO = {"QueueUrl": "http://h/1/jobs.fifo"}


def send(one: Rig, body: str, queue: dict[str, str] = QUEUE, **options: Any) -> Peer:
    """Ask for a message to be sent."""
    params = queue | {"MessageBody": body}
    if queue is FIFO:
        params |= {"MessageGroupId": "g", "MessageDeduplicationId": body}
    return one.ask("sqs.send_message", params, **options)


async def came(server: SqsServer, number: int) -> None:
    """Wait until so many requests have come."""
    await asyncio.to_thread(server.wait_for, number)


@contextlib.asynccontextmanager
async def busy_rig(
    sqs: SqsServer, answer: Answer | None = None, **options: Any
) -> AsyncIterator[Rig]:
    """A rig at which one message is on its way, called "first", until the end of the block."""
    release = sqs.hold(1)
    async with rig(answer or sqs, **options) as one:
        first = send(one, "first")
        await came(sqs, 1)
        try:
            yield one
        finally:
            release.set()
        await first.result()


async def told(peer: Peer) -> RpcError:
    """The error that a peer is told."""
    with pytest.raises(RpcError) as caught:
        await peer.result()
    return caught.value


def test_a_lone_message_is_sent_by_itself_at_once() -> None:
    """As often as one comes while nothing is on its way."""

    async def main() -> None:
        sqs = SqsServer()
        async with rig(sqs) as one:
            for body in "ab":
                result = await send(one, body).result()
                assert result["MessageId"] == f"m-{body}"
            assert [action for action, _entries in sqs.requests] == ["SendMessage"] * 2
            assert one.worker._runner._work._gatherings.flows_num == 0

    run(main())


def test_what_comes_while_one_is_on_its_way_goes_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In their order; each gets its own answer, without the batch's Id, and its own line."""

    async def main() -> None:
        sqs = SqsServer()
        release = sqs.hold(1)
        async with rig(sqs) as one:
            first = send(one, "first")
            await came(sqs, 1)
            others = [send(one, body) for body in "abc"]
            results = [await peer.result() for peer in others]
            assert [result["MessageId"] for result in results] == ["m-a", "m-b", "m-c"]
            assert results[0].keys() == {"MessageId", "MD5OfMessageBody", "ResponseMetadata"}
            assert sqs.bodies == [["first"], ["a", "b", "c"]]
            assert not first.outcomes
            release.set()
            await first.result()

    run(main())
    together = [line.partition(" took_ms=")[0] for line in job_lines(caplog)]
    assert together == ["job sqs.send_message ok attempts=1"] * 4
    ends = [record.getMessage().rpartition("took_ms=")[2] for record in caplog.records]
    assert sum("batch_entry=1 batch_size=3" in end for end in ends) == 1


def test_a_request_carries_ten_at_most() -> None:
    """What is more goes by another one; a full one does not wait."""

    async def main() -> None:
        sqs = SqsServer()
        async with rig(sqs) as one:
            peers = [send(one, str(number)) for number in range(25)]
            for number, peer in enumerate(peers):
                assert (await peer.result())["MessageId"] == f"m-{number}"
            assert sorted(sqs.sizes) == [1, 4, 10, 10]

    run(main())


def test_a_request_carries_a_mebibyte_at_most() -> None:
    """Three messages of 400 KiB are two requests."""

    async def main() -> None:
        sqs = SqsServer()
        async with busy_rig(sqs) as one:
            peers = [send(one, name * 400 * 1024) for name in "abc"]
            for peer in peers:
                await peer.result()
            assert sorted(sqs.sizes) == [1, 1, 2]

    run(main())


def test_a_failed_entry_concerns_only_its_caller() -> None:
    """The sender's fault, SQS's own, and one of which nothing is said; the others are done."""

    async def main() -> None:
        sqs = SqsServer()
        async with busy_rig(sqs) as one:
            bodies = ("good", "refuse", "break", "forget", "alter", "fine")
            good, refused, broken, forgotten, altered, fine = [send(one, body) for body in bodies]
            assert (await good.result())["MessageId"] == "m-good"
            assert (await fine.result())["MessageId"] == "m-fine"
            error = await told(refused)
            assert (error.code, error.message) == (Code.SERVICE_ERROR, "no")
            assert error.data["type"] == "InvalidMessageContents"
            assert (error.data["retryable"], error.data["attempts"]) == (False, 1)
            assert error.data["request_id"] == "b5293cb5-d306"
            error = await told(broken)
            assert (error.data["type"], error.data["retryable"]) == ("InternalError", False)
            assert error.data["http_status"] == 500
            assert (await told(forgotten)).code == Code.OUTCOME_UNKNOWN
            error = await told(altered)
            assert (error.code, error.data["type"]) == (Code.BAD_ANSWER, "ChangedOnTheWay")
            assert "accepted as m-alter, but with another MessageBody" in error.message

    run(main())


def failing_batches(answer: Any) -> tuple[SqsServer, Any]:
    """A server that gives this answer to every batch."""
    sqs = SqsServer()

    def serve(exchange: Exchange) -> None:
        if b"Action=SendMessageBatch" not in exchange.body:
            sqs(exchange)
        else:
            answer(exchange)

    return sqs, serve


def test_an_answer_that_was_cut_leaves_each_with_an_unknown_outcome() -> None:
    """The batch was sent once, and is not sent again."""

    async def main() -> None:
        sqs, serve = failing_batches(lambda exchange: exchange.cut())
        async with busy_rig(sqs, serve, retries=2) as one:
            for peer in [send(one, body) for body in "abc"]:
                error = await told(peer)
                assert error.code == Code.OUTCOME_UNKNOWN
                assert (error.data["attempts"], error.data["outcome_unknown"]) == (1, True)
            assert len(one.server.requests) == 2

    run(main())


@pytest.mark.parametrize("retries", [0, 1])
def test_a_batch_that_fails_as_a_whole_is_tried_again_as_a_message_is(
    retries: int, quick_retries: None
) -> None:
    """By the same rules; then each is told, with the tries that were made."""

    async def main() -> None:
        error = query_error("ServiceUnavailable", "busy", "503 Service Unavailable")
        sqs, serve = failing_batches(error)
        async with busy_rig(sqs, serve, retries=retries) as one:
            for peer in [send(one, body) for body in "abc"]:
                error_told = await told(peer)
                assert error_told.data["type"] == "ServiceUnavailable"
                assert error_told.data["attempts"] == 1 + retries

    run(main())


def test_who_leaves_before_it_is_sent_is_taken_out() -> None:
    """It may ask again safely; the others go in their order."""

    async def main() -> None:
        sqs = SqsServer()
        release = sqs.hold(1)
        async with rig(sqs) as one:
            first = send(one, "first", FIFO)
            await came(sqs, 1)
            stays, gone, late = [send(one, body, FIFO) for body in "abc"]
            hasty = send(one, "d", FIFO, timeout_s=0.01)
            await asyncio.sleep(0)
            gone.exchange.cancel()
            error = await told(gone)
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, False)
            error = await told(hasty)
            assert (error.code, error.data["attempts"]) == (Code.DEADLINE_EXCEEDED, 0)
            release.set()
            for peer in (first, stays, late):
                await peer.result()
            assert sqs.bodies == [["first"], ["a", "c"]]

    run(main())


def test_who_leaves_while_its_request_waits_for_a_slot_is_taken_out() -> None:
    """The request is made anew without it; when all have left there is none."""

    async def main() -> None:
        sqs = SqsServer()
        release = sqs.hold(1)
        async with rig(sqs, slots=1) as one:
            first = send(one, "first")
            await came(sqs, 1)
            peers = [send(one, str(number)) for number in range(20)]
            await until_waiting(one, 2)
            for peer in [peers[3], *peers[10:]]:
                peer.exchange.cancel()
            for peer in [peers[3], *peers[10:]]:
                error = await told(peer)
                assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, False)
            release.set()
            for number, peer in enumerate(peers[:10]):
                if number != 3:
                    await peer.result()
            await first.result()
            assert sqs.bodies == [["first"], list("012456789")]

    run(main())


async def until_waiting(one: Rig, number: int) -> None:
    """Let so many requests wait for a slot."""
    async with asyncio.timeout(BOUND_S):
        while (
            sum(host.slots.waiting_num for host in one.worker._runner._upstreams._pool.stats())
            != number
        ):
            await asyncio.sleep(0.001)


def test_who_leaves_after_it_was_sent_changes_nothing_for_the_others() -> None:
    """What became of it is not known to it; it was sent all the same."""

    async def main() -> None:
        sqs = SqsServer()
        release = [sqs.hold(1), sqs.hold(2)]
        async with rig(sqs) as one:
            first = send(one, "first")
            await came(sqs, 1)
            hasty = send(one, "a", timeout_s=1.0)
            gone, stays = send(one, "b"), send(one, "c")
            await came(sqs, 2)
            gone.exchange.cancel()
            error = await told(gone)
            assert (error.code, error.data["outcome_unknown"]) == (Code.CANCELLED, True)
            error = await told(hasty)
            assert (error.code, error.data["attempts"]) == (Code.OUTCOME_UNKNOWN, 1)
            for event in release:
                event.set()
            assert (await stays.result())["MessageId"] == "m-c"
            await first.result()
            assert sqs.bodies == [["first"], ["a", "b", "c"]]

    run(main())


def test_the_deadline_of_the_one_that_fills_a_request_is_its_own() -> None:
    """It is told that its outcome is not known; the other nine wait on, and are answered."""

    async def main() -> None:
        sqs = SqsServer()
        release = [sqs.hold(1), sqs.hold(2)]
        async with rig(sqs) as one:
            first = send(one, "first")
            await came(sqs, 1)
            peers = [send(one, str(number)) for number in range(9)]
            hasty = send(one, "hasty", timeout_s=0.5)
            await came(sqs, 2)
            assert (await told(hasty)).code == Code.OUTCOME_UNKNOWN
            for event in release:
                event.set()
            for peer in [first, *peers]:
                await peer.result()
            assert sqs.sizes == [1, 10]

    run(main())


def test_a_fifo_queue_has_one_request_at_a_time() -> None:
    """A request, however many wait, goes only when the one before was answered; in their order."""

    async def main() -> None:
        sqs = SqsServer()
        release = [sqs.hold(1), sqs.hold(2)]
        async with rig(sqs) as one:
            peers = [send(one, f"{number:02}", FIFO, priority=number % 3) for number in range(14)]
            await came(sqs, 1)
            await asyncio.sleep(0)
            release[0].set()
            await came(sqs, 2)
            assert sqs.sizes == [1, 10]
            release[1].set()
            for peer in peers:
                await peer.result()
            assert sqs.sizes == [1, 10, 3]
            assert [*chain(*sqs.bodies)] == [f"{number:02}" for number in range(14)]

    run(main())


@pytest.mark.parametrize("off", [{"batch": False}, {"sqs_batching": False}])
def test_it_can_be_switched_off(off: dict[str, bool]) -> None:
    """For a request, or for a profile: then each message is a request."""

    async def main() -> None:
        sqs = SqsServer()
        setting = {name: value for name, value in off.items() if name == "sqs_batching"}
        option = {name: value for name, value in off.items() if name == "batch"}
        async with rig(sqs, **setting) as one:  # type: ignore[arg-type]
            peers = [send(one, body, **option) for body in "abcd"]
            for peer in peers:
                await peer.result()
            assert [action for action, _entries in sqs.requests] == ["SendMessage"] * 4

    run(main())


def test_only_jobs_of_one_kind_and_one_user_travel_together() -> None:
    """Another user, priority, queue or operation has requests of its own."""

    async def main() -> None:
        sqs = SqsServer()
        async with busy_rig(sqs, own_uid=None) as one:
            peers = [
                send(one, "a"),
                send(one, "b", sender=replace(SENDER, connection_id=8)),
                send(one, "other priority", priority=1),
                send(one, "other queue", QUEUE | {"QueueUrl": "/1/other"}),
                one.ask("sqs.delete_message", QUEUE | {"ReceiptHandle": "handle"}),
            ]
            for peer in peers:
                await peer.result()
            alone = [["handle"], ["other priority"], ["other queue"]]
            assert sorted(sqs.bodies) == [["a", "b"], ["first"], *alone]

    run(main())


@pytest.mark.parametrize(
    ("operation", "more"),
    [("delete_message", {}), ("change_message_visibility", {"VisibilityTimeout": 0})],
)
def test_deletes_and_changes_travel_together_too(operation: str, more: dict[str, Any]) -> None:
    """A failed entry concerns only its caller here as well."""

    async def main() -> None:
        sqs = SqsServer()
        release = sqs.hold(1)

        def ask(handle: str) -> Peer:
            return one.ask(f"sqs.{operation}", QUEUE | {"ReceiptHandle": handle} | more)

        async with rig(sqs) as one:
            first = ask("first")
            await came(sqs, 1)
            good, refused = ask("good"), ask("refuse")
            assert (await good.result()).keys() == {"ResponseMetadata"}
            assert (await told(refused)).data["type"] == "InvalidMessageContents"
            release.set()
            await first.result()
            assert sqs.bodies == [["first"], ["good", "refuse"]]

    run(main())


def test_each_message_keeps_its_own_trace() -> None:
    """By itself in the request's head, with others beside its body, where SQS reads it as well."""

    async def main() -> None:
        sqs = SqsServer()
        release = sqs.hold(1)
        async with rig(sqs) as one:
            first = send(one, "first", traceparent=TRACE)
            await came(sqs, 1)
            peers = [send(one, "a", traceparent=TRACE), send(one, "b")]
            for peer in peers:
                await peer.result()
            release.set()
            await first.result()
            by_itself, batch = one.server.requests
            trace = by_itself.headers["x-amzn-trace-id"]
            assert "x-amzn-trace-id" not in batch.headers
            (_action, (traced, plain)) = sqs.requests[1]
            assert traced["MessageSystemAttribute.1.Name"] == "AWSTraceHeader"
            assert traced["MessageSystemAttribute.1.Value.StringValue"] == trace
            assert not any(name.startswith("MessageSystem") for name in plain)

    run(main())


def test_requests_with_one_key_are_one_entry() -> None:
    """An idempotency key counts before anything is gathered."""

    async def main() -> None:
        sqs = SqsServer()
        async with busy_rig(sqs) as one:
            peers = [send(one, "a", idempotency_key="k") for _ in range(3)] + [send(one, "b")]
            results = [await peer.result() for peer in peers]
            assert [result["MessageId"] for result in results] == ["m-a"] * 3 + ["m-b"]
            assert sqs.bodies == [["first"], ["a", "b"]]

    run(main())


def test_the_queue_s_turn_is_the_first_job_s() -> None:
    """A request of many waits for a slot once, under the key of its first."""

    async def main() -> None:
        held = Held(query_xml("ListQueues"))
        sqs = SqsServer()

        def serve(exchange: Exchange) -> None:
            (held if b"Action=ListQueues" in exchange.body else sqs)(exchange)

        async with rig(serve, slots=1) as one:
            busy = one.ask("sqs.list_queues")
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            peers = [send(one, str(number)) for number in range(11)]
            await until_waiting(one, 2)
            held.release.set()
            for peer in [busy, *peers]:
                await peer.result()
            assert sqs.sizes == [1, 10]

    run(main())


BOUNDS = Gathering(
    place="to",
    run=lambda _connection, _jobs: [],
    entries_max=10,
    bytes_max=100,
    size_of=lambda params: int(params["size"]),
)


@given(st.lists(st.integers(0, 120), max_size=30))
def test_how_many_fit(sizes: list[int]) -> None:
    """As many as may be, one at least, and never more than there are."""
    number = fitting_num(sizes, BOUNDS)
    assert number <= min(len(sizes), 10)
    assert sum(sizes[:number]) <= 100 or number == 1
    if sizes:
        assert number >= 1
    if number < min(len(sizes), 10):
        assert sum(sizes[: number + 1]) > 100


class Recorder:
    """What requests were made of jobs, each with the numbers of its jobs."""

    def __init__(self, *, keeps_order: bool) -> None:
        self.requests: list[list[int]] = []
        self.at_once_num = 0
        self.most_at_once_num = 0
        self.operation = Operation(
            Struct(),
            lambda _connection, params: self._do_one(params),
            idempotent=False,
            resources=UNTOLD,
            gathering=replace(
                BOUNDS,
                run=lambda _connection, jobs: self._do(jobs),
                keeps_order=lambda _params: keeps_order,
            ),
        )

    def _do_one(self, params: Params) -> Result:
        (fate,) = self._do([params])
        if isinstance(fate, Exception):
            raise fate
        return fate

    def _do(self, jobs: Sequence[Params]) -> list[Fate]:
        current_terms().attempts_num += 1  # as the pool does when it begins a transfer
        self.requests.append([params["number"] for params in jobs])
        assert len(jobs) <= 10
        assert sum(params["size"] for params in jobs) <= 100 or len(jobs) == 1
        self.at_once_num += 1
        self.most_at_once_num = max(self.most_at_once_num, self.at_once_num)
        try:
            sleep(0.001)
        finally:
            self.at_once_num -= 1
        return [
            ValueError(params["number"]) if params["fails"] else {"number": params["number"]}
            for params in jobs
        ]


JOBS = st.lists(
    st.tuples(st.integers(0, 120), st.booleans(), st.sampled_from([None, None, None, 0, 1, 3])),
    max_size=40,
)
"""Size, whether it fails, and after how many turns it is cancelled."""


class Callers:
    """Jobs that are asked for one after the other, of which some leave again."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.gatherings = Gatherings(window_s=0.002)
        self.asked: list[Any] = []
        self._leaving: list[asyncio.Future[None]] = []

    def come(self, number: int, size: int, fails: bool, turns: int | None) -> None:
        self.asked.append(spawn(self._ask, number, size, fails))
        if turns is not None:
            self._leaving.append(asyncio.ensure_future(self._leave(self.asked[-1], turns)))

    async def outcomes(self) -> list[Any]:
        """What each was told; nothing is left then."""
        told = await asyncio.gather(*self.asked, return_exceptions=True)
        await asyncio.gather(*self._leaving)
        async with asyncio.timeout(BOUND_S):
            while self.gatherings.flows_num:
                await asyncio.sleep(0.001)
        return told

    def _ask(self, number: int, size: int, fails: bool) -> Result:
        params: Params = {"to": "a", "number": number, "size": size, "fails": fails}
        deadline = asyncio.get_running_loop().time() + BOUND_S
        terms = Terms(key=(1, 2))
        job = Job(
            "x",
            "y",
            self.recorder.operation,
            params,
            options=DEFAULTS,
            deadline=deadline,
            terms=terms,
        )
        return self.gatherings.run(
            job, None, tried=lambda _terms, call: call(None), tell=lambda _together: None
        )

    async def _leave(self, asked: Any, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()


def is_own(outcome: Any, number: int, fails: bool) -> bool:
    """Whether it is what became of this very job."""
    if fails:
        return isinstance(outcome, ValueError) and outcome.args == (number,)
    return bool(outcome == {"number": number})


@hypothesis_settings(max_examples=60, deadline=None)
@given(jobs=JOBS, pauses=st.sets(st.integers(0, 39)), keeps_order=st.booleans())
def test_each_caller_is_told_its_own_fate_once(
    jobs: list[tuple[int, bool, int | None]], pauses: set[int], keeps_order: bool
) -> None:
    """Whatever comes, leaves and fails: nobody's is another's, none goes twice, none is lost."""

    async def main() -> None:
        recorder = Recorder(keeps_order=keeps_order)
        callers = Callers(recorder)
        for number, job in enumerate(jobs):
            callers.come(number, *job)
            if number in pauses:
                await asyncio.sleep(0.001)
        outcomes = await callers.outcomes()
        done = [*chain(*recorder.requests)]
        assert len(done) == len(set(done)), "one went twice"
        for number, (outcome, job) in enumerate(zip(outcomes, jobs, strict=True)):
            _size, fails, turns = job
            if isinstance(outcome, asyncio.CancelledError):
                assert turns is not None, "it did not leave"
            else:
                assert number in done, "it was told something and did not go"
                assert is_own(outcome, number, fails)
        if keeps_order:
            assert done == sorted(done), "one was overtaken"
            assert recorder.most_at_once_num <= 1

    asyncio.run(main())
