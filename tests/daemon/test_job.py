"""What came of a job, as an error of the wire."""

import http.client
from typing import Any

import pytest

from botod.daemon.files import DescriptorFailed
from botod.daemon.job import (
    ROOM_AFTER_MS,
    Job,
    cancelled,
    failure,
    overdue,
    refusal,
    traced,
)
from botod.daemon.options import DEFAULTS, Options
from botod.daemon.refresher import NoCredentials
from botod.daemon.services.errors import AnswerTooLarge, BadAnswer
from botod.daemon.services.operation import Operation
from botod.daemon.services.resources import UNTOLD
from botod.daemon.services.shapes import InvalidParam, Struct
from botod.daemon.sinks import DoesNotFit
from botod.daemon.sites import NoEndpoint
from botod.daemon.sources import BodyTooShort, CannotRepeat
from botod.daemon.upstreams import NoSuchProfile
from botod.ipc.errors import Code, RpcError
from botod.pool import (
    CertificateError,
    ConnectTimeout,
    DeadlineExceeded,
    Interrupted,
    NotInGreenlet,
    NotSent,
    OutcomeUnknown,
    PoolClosed,
    PoolFull,
    PoolTimeout,
    Terms,
)
from support.services import REQUEST_ID

from boto.exception import BotoServerError

HOST = "s3.eu-central-1.amazonaws.com:443"


def job(
    *, attempts: int = 1, idempotent: bool = False, run: Any = None, options: Options = DEFAULTS
) -> Job:
    """A job that made so many attempts."""
    terms = Terms(idempotent=idempotent)
    terms.attempts_num = attempts
    operation = Operation(
        Struct(), run or (lambda _connection, _params: {}), idempotent, resources=UNTOLD
    )
    return Job(
        "s3", "get_object", operation, {"Key": "k"}, options=options, deadline=100.0, terms=terms
    )


def test_a_job_runs_its_operation() -> None:
    """With boto's connection and the params as opened."""
    one = job(run=lambda connection, params: {"got": (connection, params)})
    assert one.run("a connection", {"Key": "l"}) == {"got": ("a connection", {"Key": "l"})}
    assert one.method == "s3.get_object"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidParam("Key is missing"), Code.INVALID_PARAMS),
        (NoSuchProfile("no profile 'x'"), Code.INVALID_PARAMS),
        (NoEndpoint("no such region"), Code.INVALID_PARAMS),
        (NoCredentials("no keys"), Code.NO_CREDENTIALS),
    ],
)
def test_refusals(error: Exception, code: Code) -> None:
    """What keeps a job from being started has a code; found later, it has the same."""
    for found in (refusal(error), failure(job(), HOST, error)):
        assert found is not None
        assert (found.code, found.message) == (code, str(error))


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("x")])
def test_bugs_are_no_refusals(error: Exception) -> None:
    """They stay what they are."""
    assert refusal(error) is None


@pytest.mark.parametrize(
    ("error", "code", "retryable", "outcome_unknown"),
    [
        (OutcomeUnknown("broke off"), Code.OUTCOME_UNKNOWN, False, True),
        (Interrupted("broke off"), Code.UNREACHABLE, True, False),
        (NotSent("no such host"), Code.UNREACHABLE, True, False),
        (ConnectTimeout("took too long"), Code.UNREACHABLE, True, False),
        (CertificateError("https://h:443", "expired"), Code.UNTRUSTED_SERVER, False, False),
        (DeadlineExceeded("by the deadline"), Code.DEADLINE_EXCEEDED, True, False),
        (PoolTimeout("no slot"), Code.OVERLOADED, True, False),
        (PoolFull("1000 wait"), Code.OVERLOADED, True, False),
        (PoolFull("of this user", limit="max_waiting_per_key"), Code.OVERLOADED, True, False),
        (PoolClosed("closed"), Code.SHUTTING_DOWN, True, False),
        (AnswerTooLarge("17 MiB"), Code.BODY_TOO_LARGE, False, False),
        (BadAnswer("not XML"), Code.BAD_ANSWER, False, False),
        (DescriptorFailed("a directory"), Code.DESCRIPTOR_FAILED, False, False),
        (DoesNotFit("7 bytes"), Code.BODY_TOO_LARGE, False, False),
        (BodyTooShort("7 bytes"), Code.BODY_CUT_SHORT, False, False),
        (CannotRepeat("a pipe"), Code.UNREACHABLE, False, False),
        (http.client.BadStatusLine("HTTP/x"), Code.BAD_ANSWER, False, False),
        (http.client.IncompleteRead(b""), Code.BAD_ANSWER, False, False),
    ],
)
def test_failures(error: Exception, code: Code, retryable: bool, outcome_unknown: bool) -> None:
    """Each kind has its code, says whether to try again, and names service, host and attempts."""
    found = failure(job(attempts=2), HOST, error)
    assert found is not None
    assert found.code == code
    assert found.message == f"s3.get_object on {HOST}, 2 attempts: {error}"
    assert found.data == overload(error) | {
        "type": type(error).__name__,
        "service": "s3",
        "operation": "get_object",
        "host": HOST,
        "attempts": 2,
        "retryable": retryable,
        "outcome_unknown": outcome_unknown,
    }


def overload(error: Exception) -> dict[str, Any]:
    """What an error for want of room tells besides."""
    if isinstance(error, PoolTimeout):
        return {"retry_after_ms": ROOM_AFTER_MS, "limit": "slot_timeout_s"}
    if isinstance(error, PoolFull):
        limit = "max_waiting" if error.limit == "max_waiting" else "max_waiting_per_uid"
        return {"retry_after_ms": ROOM_AFTER_MS, "limit": limit}
    return {}


@pytest.mark.parametrize(
    ("attempts", "words"), [(0, "0 attempts"), (1, "1 attempt"), (4, "4 attempts")]
)
def test_attempts_are_counted_in_words(attempts: int, words: str) -> None:
    """No attempt at all: nothing was sent."""
    found = failure(job(attempts=attempts), HOST, NotSent("no such host"))
    assert found is not None
    assert f", {words}: " in found.message


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), NotInGreenlet("x"), OSError()])
def test_a_bug_is_not_dressed_up(error: Exception) -> None:
    """What we do not know is not given a code."""
    assert failure(job(), HOST, error) is None


def service_error(status: int, code: str | None, message: str = "The words") -> BotoServerError:
    """An error as boto raises it for AWS's answer."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message>\
<RequestId>{REQUEST_ID}</RequestId></Error>"
    return BotoServerError(status, "Reason", body.encode() if code else b"")


def test_the_service_s_own_error() -> None:
    """Its code, its words, its request id, its status."""
    found = failure(job(), HOST, service_error(404, "NoSuchKey"))
    assert found is not None
    assert (found.code, found.message) == (Code.SERVICE_ERROR, "The words")
    assert found.data == {
        "type": "NoSuchKey",
        "http_status": 404,
        "request_id": REQUEST_ID,
        "service": "s3",
        "operation": "get_object",
        "host": HOST,
        "attempts": 1,
        "retryable": False,
        "outcome_unknown": False,
    }


def test_words_of_a_service_in_one_line() -> None:
    """A message is for a log's line, and a proxy's page is no message."""
    found = failure(job(), HOST, service_error(400, "Bad", "two\n  lines"))
    page = failure(job(), HOST, BotoServerError(502, "Bad Gateway", b"<html>\n<p>no</p></html>"))
    assert found is not None
    assert page is not None
    assert (found.message, page.message) == ("two lines", "HTTP status 502 Bad Gateway")


def test_an_answer_without_a_body() -> None:
    """A HEAD's: the status stands for the code, its reason for the words."""
    found = failure(job(), HOST, service_error(404, None))
    assert found is not None
    assert (found.message, found.data["type"]) == ("HTTP status 404 Reason", "404")
    assert "request_id" not in found.data
    found = failure(job(), HOST, BotoServerError(404, "", b""))
    assert found is not None
    assert found.message == "HTTP status 404"


@pytest.mark.parametrize(
    ("status", "code", "anyway", "if_idempotent"),
    [
        (400, "ValidationError", False, False),
        (403, "AccessDenied", False, False),
        (400, "Throttling", True, True),
        (400, "ThrottlingException", True, True),
        (400, "RequestThrottled", True, True),
        (400, "RequestLimitExceeded", True, True),
        (429, None, True, True),
        (503, "SlowDown", True, True),
        (500, "InternalError", False, True),
        (500, None, False, True),
        (504, None, False, True),
        (200, "SlowDown", True, True),
        (200, "InternalError", False, True),
        (200, "AccessDenied", False, False),
    ],
)
def test_whether_to_try_again(
    status: int, code: str | None, anyway: bool, if_idempotent: bool
) -> None:
    """After requests to slow down, which did nothing; after faults only if it is safe."""
    for idempotent, retryable in ((False, anyway), (True, if_idempotent)):
        found = failure(job(idempotent=idempotent), HOST, service_error(status, code))
        assert found is not None
        assert found.data["retryable"] is retryable


@pytest.mark.parametrize(("status", "unknown"), [(500, False), (502, True), (504, True)])
def test_a_gateway_s_error_tells_nothing_of_the_outcome(status: int, unknown: bool) -> None:
    """Who stands before the service had no answer; what the service says itself is one."""
    found = failure(job(), HOST, service_error(status, None))
    repeatable = failure(job(idempotent=True), HOST, service_error(status, None))
    assert found is not None
    assert repeatable is not None
    assert (found.outcome_unknown, repeatable.outcome_unknown) == (unknown, False)


@pytest.mark.parametrize(
    ("attempts", "idempotent", "unknown"), [(0, False, False), (1, False, True), (1, True, False)]
)
def test_an_ended_job(attempts: int, idempotent: bool, unknown: bool) -> None:
    """It may have been done if something was sent that may not be sent twice."""
    found = cancelled(job(attempts=attempts, idempotent=idempotent))
    assert found.code == Code.CANCELLED
    assert found.data == {
        "service": "s3",
        "operation": "get_object",
        "outcome_unknown": unknown,
    }
    words = "it may have been done" if unknown else "trying again is safe"
    assert found.message == f"s3.get_object was ended; {words}"


def test_what_the_kernel_said() -> None:
    """Its own name for what went wrong stands apart."""
    found = failure(job(), HOST, DescriptorFailed("writing failed: no space", "ENOSPC"))
    assert found is not None
    assert found.data["errno"] == "ENOSPC"


def test_an_error_of_the_wire_keeps_its_code() -> None:
    """What a stream came to gets what is known of the job; what it said itself stays."""
    given = RpcError(Code.OVERLOADED, "no room", {"limit": "x", "retryable": True})
    found = failure(job(), HOST, given)
    assert found is not None
    assert (found.code, found.message) == (Code.OVERLOADED, "s3.get_object: no room")
    assert found.data["limit"] == "x"
    assert (found.data["retryable"], found.data["operation"]) == (True, "get_object")
    broken = failure(job(), HOST, RpcError(Code.STREAM_BROKEN, "cut"))
    assert broken is not None
    assert broken.data["retryable"] is False


def test_a_trace_is_told_in_a_copy() -> None:
    """One error may be the answer to several requests, each of a trace of its own."""
    error = RpcError(Code.UNREACHABLE, "gone", {"attempts": 1})
    assert traced(error, DEFAULTS) is error
    assert traced(error, Options(traceparent="t")).data == {"attempts": 1, "traceparent": "t"}
    assert error.data == {"attempts": 1}


def test_a_request_that_joined_and_is_overdue() -> None:
    """The job goes on; with its key one may ask again."""
    found = overdue(job())
    assert found.code == Code.DEADLINE_EXCEEDED
    assert (found.data["retryable"], found.data["outcome_unknown"]) == (True, True)
