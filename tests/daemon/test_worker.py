"""The worker: takes requests, refuses some, and has the rest done."""

import asyncio
import logging
import os
import threading
from typing import Any

import pytest

from botod.ipc.errors import Code
from support.http_server import Exchange
from support.loops import BOUND_S
from support.pools import KEYS
from support.rigs import MESSAGE, ON_KEY, PING, TRACE, job_lines, rig, run
from support.services import query_xml, reply, s3_error


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
