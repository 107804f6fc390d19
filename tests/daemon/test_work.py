"""How often a job is tried, and in what words its errors come out."""

from typing import Any

import pytest

from botod.daemon.services import CATALOG
from botod.daemon.services.operation import Operation
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import Struct
from botod.ipc.errors import Code
from botod.pool import in_greenlet
from support.http_server import Answer, Exchange, http_server
from support.rigs import MESSAGE, ON_KEY, cut, job_lines, rig, run
from support.services import query_error, reply, s3_error


def test_a_bug_in_an_operation_stays_a_bug(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has it; the peer is told that there is one."""

    def buggy(_connection: Any, params: dict[str, Any]) -> dict[str, Any]:
        assert in_greenlet()
        return {"x": params["typo"]}

    operation = Operation(Struct(), buggy, idempotent=True, resources=UNTOLD)
    monkeypatch.setattr(CATALOG, "at_hand", lambda _method: operation)

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
