"""The worker: takes requests, runs them as jobs, settles them."""

import asyncio
import logging
import os
import threading
from typing import Any, cast

import pytest

from botod.daemon.job import ROOM_AFTER_MS
from botod.daemon.services import SERVICES
from botod.daemon.services.operation import Operation
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import Struct
from botod.ipc.errors import Code
from botod.pool import in_greenlet
from botod.pool.bridge import Spawned
from support.http_server import Answer, Exchange, http_server
from support.loops import BOUND_S
from support.pools import KEYS
from support.rigs import MESSAGE, ON_KEY, PING, TRACE, cut, job_lines, rig, run
from support.services import Held, query_error, query_xml, reply, s3_error


def test_a_job_is_done_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Its result is the operation's; one line says what it was and how it went."""

    async def main() -> None:
        async with rig(reply(b"miaow")) as one:
            result = await one.call("s3.get_object", ON_KEY)
            assert result["Body"] == b"miaow"
            assert (one.ledger.counts.jobs_total, one.ledger.counts.failed_total) == (1, 0)
            assert one.server.requests[0].target == "/photos/cat.jpg"

    run(main())
    assert job_lines(caplog) == ["job s3.get_object ok attempts=1"]


def test_many_jobs_run_at_once() -> None:
    """They wait for one another only in the pool."""

    async def main() -> None:
        together = threading.Barrier(8)

        def answer(exchange: Exchange) -> None:
            together.wait(BOUND_S)
            exchange.ok(exchange.target.encode())

        async with rig(answer, slots=8) as one:
            jobs = [
                one.call("s3.get_object", {"Bucket": "photos", "Key": str(key)}) for key in range(8)
            ]
            bodies = [result["Body"] for result in await asyncio.gather(*jobs)]
            assert bodies == [f"/photos/{key}".encode() for key in range(8)]

    run(main())


def test_the_daemon_s_own_methods_answer_at_once() -> None:
    """They are no jobs; whether there is room for more does not matter to them."""

    async def main() -> None:
        async with rig(reply(), jobs_max=0, control=PING) as one:
            peer = one.ask("botod.ping")
            assert peer.has_ended
            assert await peer.result() == {"pid": 1}
            assert one.ledger.counts.jobs_total == 0

    run(main())


@pytest.mark.parametrize("method", ["s3.get_object", "botod.ping", "no.such"])
def test_strangers_are_refused_first(method: str) -> None:
    """They do not even learn which methods there are."""

    async def main() -> None:
        async with rig(reply(), own_uid=os.geteuid() + 1, control=PING) as one:
            assert (await one.error(method)).code == Code.ACCESS_DENIED

    run(main())


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("s3.get_objekt", "unknown method 's3.get_objekt'; did you mean get_object, "),
        ("ec2.zzz", "unknown method 'ec2.zzz'; `botod services ec2` lists what ec2 has"),
        ("dynamo.get_item", "there is no service 'dynamo'; did you mean dynamodb"),
        ("s3", "unknown method 's3'; `botod services s3` lists what s3 has"),
        ("", "unknown method '': there is no service ''"),
        ("s3.get_object.x", "unknown method 's3.get_object.x'; did you mean get_object, "),
        ("botod.nonsense", "unknown method 'botod.nonsense'; the daemon has: "),
    ],
)
def test_unknown_methods(method: str, words: str) -> None:
    """The refusal says which there are."""

    async def main() -> None:
        async with rig(reply()) as one:
            error = await one.error(method)
            assert error.code == Code.METHOD_NOT_FOUND
            assert words in error.message
            assert one.server.requests == []

    run(main())


@pytest.mark.parametrize(
    ("method", "params", "options", "words"),
    [
        ("s3.get_object", {"Bucket": "photos"}, {}, "Key is missing"),
        ("s3.get_object", ON_KEY | {"Kee": 1}, {}, "Kee is unknown; there are: Bucket, Key, "),
        ("s3.get_object", ON_KEY | {"Key": 7}, {}, "Key has to be a text, not a number"),
        ("s3.get_object", ON_KEY | {"Bucket": "localhost/x"}, {}, "Bucket may hold letters"),
        ("sqs.receive_message", {"QueueUrl": "http://[/q"}, {}, "QueueUrl has to be a queue's URL"),
        ("s3.get_object", ON_KEY, {"profile": "x"}, "no profile 'x'; there are: default, poor"),
        ("s3.get_object", ON_KEY, {"profile": 7}, "profile has to be a text"),
        ("s3.get_object", ON_KEY, {"profile": None}, "profile has to be a text"),
    ],
)
def test_wrong_params_are_refused_before_anything_is_sent(
    method: str, params: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    """At once, by name; it was no job."""

    async def main() -> None:
        async with rig(reply()) as one:
            peer = one.ask(method, params, **options)
            assert peer.has_ended
            error = (await peer.outcome()).error
            assert error is not None
            assert error.code == Code.INVALID_PARAMS
            assert words in error.message
            assert one.server.requests == []
            assert one.ledger.counts.jobs_total == 0

    run(main())


def test_a_param_that_only_the_operation_can_judge(caplog: pytest.LogCaptureFixture) -> None:
    """Found wrong inside the job, it has the same code and nothing was sent."""

    async def main() -> None:
        async with rig(reply()) as one:
            error = await one.error("s3.copy_object", ON_KEY | {"CopySource": "nowhere"})
            assert error.code == Code.INVALID_PARAMS
            assert "CopySource" in error.message
            assert one.server.requests == []

    run(main())
    assert job_lines(caplog) == [f"job s3.copy_object {Code.INVALID_PARAMS} attempts=0"]


@pytest.mark.parametrize(
    "timeout_s", [0, -1, 100.1, 10**400, float("inf"), float("nan"), True, "7", None, []]
)
def test_a_deadline_out_of_bounds_is_refused(timeout_s: Any) -> None:
    """The message has the bounds."""

    async def main() -> None:
        async with rig(reply()) as one:
            error = await one.error("s3.get_object", ON_KEY, timeout_s=timeout_s)
            assert error.code == Code.INVALID_PARAMS
            words = "timeout_s has to be seconds, more than 0 and at most 100"
            assert error.message == words
            assert one.server.requests == []

    run(main())


@pytest.mark.parametrize("timeout_s", [100, 0.5e2])
def test_a_deadline_within_bounds(timeout_s: float) -> None:
    """The longest itself is allowed; whole numbers are seconds too."""

    async def main() -> None:
        async with rig(reply(b"x")) as one:
            assert (await one.call("s3.get_object", ON_KEY, timeout_s=timeout_s))["Body"] == b"x"

    run(main())


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


def test_a_bug_in_an_operation_stays_a_bug(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has it; the peer is told that there is one."""

    def buggy(_connection: Any, params: dict[str, Any]) -> dict[str, Any]:
        assert in_greenlet()
        return {"x": params["typo"]}

    table: Any = SERVICES["s3"].operations
    monkeypatch.setitem(
        table, "buggy", Operation(Struct(), buggy, idempotent=True, resources=UNTOLD)
    )

    async def main() -> None:
        async with rig(reply()) as one:
            assert (await one.error("s3.buggy")).code == Code.INTERNAL_ERROR
            assert one.ledger.counts.failed_total == 1

    run(main())
    assert job_lines(caplog) == ["job s3.buggy failed attempts=0"]
    assert "KeyError: 'typo'" in caplog.text
    caplog.clear()


def test_the_service_s_error_is_the_job_s(caplog: pytest.LogCaptureFixture) -> None:
    """With all that the service said; the log has its code."""

    async def main() -> None:
        async with rig(s3_error("NoSuchKey", "No such key", "404 Not Found")) as one:
            error = await one.error("s3.get_object", ON_KEY)
            assert (error.code, error.message) == (Code.SERVICE_ERROR, "No such key")
            assert error.data["type"] == "NoSuchKey"
            assert error.data["http_status"] == 404
            assert error.data["host"] == f"127.0.0.1:{one.server.port}"
            assert error.data["attempts"] == 1

    run(main())
    assert job_lines(caplog) == ["job s3.get_object NoSuchKey attempts=1"]


def test_attempts_are_counted_over_boto_s_tries(
    caplog: pytest.LogCaptureFixture, quick_retries: None
) -> None:
    """The profile says how many there may be."""

    async def main() -> None:
        error = query_error("ServiceUnavailable", "busy", "503 Service Unavailable")
        async with rig(error, retries=2) as one:
            found = await one.error("sqs.list_queues")
            assert (found.data["attempts"], found.data["retryable"]) == (3, True)
            assert len(one.server.requests) == 3

    run(main())
    assert job_lines(caplog) == ["job sqs.list_queues ServiceUnavailable attempts=3"]


def test_nobody_is_there(quick_retries: None) -> None:
    """Nothing was sent; the message names service, host and attempts."""

    async def main() -> None:
        with http_server() as gone:
            port = gone.port
        async with rig(reply(), port=port) as one:
            error = await one.error("sqs.send_message", MESSAGE)
            assert error.code == Code.UNREACHABLE
            assert error.message.startswith(f"sqs.send_message on 127.0.0.1:{port}, 1 attempt: ")
            assert (error.data["retryable"], error.data["outcome_unknown"]) == (True, False)

    run(main())


def test_a_message_whose_fate_is_unknown(quick_retries: None) -> None:
    """It is not sent again, and the error says so."""

    async def main() -> None:
        async with rig(cut, retries=3) as one:
            error = await one.error("sqs.send_message", MESSAGE)
            assert error.code == Code.OUTCOME_UNKNOWN
            assert (error.data["retryable"], error.data["outcome_unknown"]) == (False, True)
            assert (error.data["attempts"], len(one.server.requests)) == (1, 1)

    run(main())


def test_what_may_be_repeated_is_tried_again(quick_retries: None) -> None:
    """A read that broke off is made anew; if that fails to the end, trying later is safe."""

    async def main() -> None:
        async with rig(cut, retries=2) as one:
            error = await one.error("s3.get_object", ON_KEY)
            assert error.code == Code.UNREACHABLE
            assert (error.data["retryable"], error.data["attempts"]) == (True, 3)
            assert len(one.server.requests) == 3

    run(main())


def test_a_conditional_put_is_not_repeated(quick_retries: None) -> None:
    """Its params make it so."""

    async def main() -> None:
        async with rig(cut, retries=2) as one:
            error = await one.error("s3.put_object", ON_KEY | {"IfNoneMatch": "*"})
            assert error.code == Code.OUTCOME_UNKNOWN
            assert len(one.server.requests) == 1

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
            (future,) = cast("set[Spawned[Any]]", one.worker._running)
            assert future.deadline is not None
            assert 0 < future.deadline - asyncio.get_running_loop().time() <= 50
            await asyncio.to_thread(held.arrived.wait, BOUND_S)
            future._expire()  # what the loop does when the time has come
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


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply("<html/>"), Code.BAD_ANSWER),
        (reply(""), Code.BAD_ANSWER),
        (reply("", status="x"), Code.UNREACHABLE),
        (reply("nicht verfügbar".encode("latin-1"), status="503 Oops"), Code.SERVICE_ERROR),
    ],
)
def test_answers_that_make_no_sense(answer: Answer, code: Code, quick_retries: None) -> None:
    """Whatever comes is an error of the wire, none a bug of ours."""

    async def main() -> None:
        async with rig(answer) as one:
            error = await one.error("s3.list_buckets")
            assert error.code == code

    run(main())


def test_an_answer_that_is_too_large() -> None:
    """Trying again is no cure."""

    def huge(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx")

    async def main() -> None:
        async with rig(huge) as one:
            error = await one.error("s3.get_object", ON_KEY)
            assert (error.code, error.data["retryable"]) == (Code.BODY_TOO_LARGE, False)

    run(main())


def test_jobs_have_their_params_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keys, messages and receipts are the users'."""

    async def main() -> None:
        async with rig(query_xml("SendMessage")) as one:
            await one.call("sqs.send_message", MESSAGE | {"MessageBody": "hidden-text"})

    caplog.set_level(logging.DEBUG, logger="botod")
    run(main())
    assert not any(
        "hidden-text" in record.getMessage() or KEYS[1] in record.getMessage()
        for record in caplog.records
        if record.name.startswith("botod")
    )


def test_a_trace_goes_into_the_log_and_the_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Whether a job was refused, failed or done."""

    async def main() -> None:
        async with rig(s3_error("NoSuchKey", "No such key", "404 Not Found")) as one:
            failed = await one.error("s3.get_object", ON_KEY, traceparent=TRACE)
            assert failed.data["traceparent"] == TRACE
            wrong = await one.error("s3.get_object", {}, traceparent=TRACE)
            assert wrong.data == {"traceparent": TRACE}
            poor = await one.error("s3.get_object", ON_KEY, traceparent=TRACE, profile="poor")
            assert poor.data["traceparent"] == TRACE

    run(main())
    lines = [record.getMessage() for record in caplog.records if "job s3" in record.getMessage()]
    assert len(lines) == 2
    assert all(line.endswith(f" traceparent={TRACE}") for line in lines)
    caplog.clear()
