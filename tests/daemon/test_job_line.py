"""The line that the log has about a job."""

from typing import Any

import pytest

from botod.daemon.gathering import Together
from botod.daemon.job import Job
from botod.daemon.job_line import job_line
from botod.daemon.moved import Moved
from botod.daemon.options import DEFAULTS, Options
from botod.daemon.services import SERVICES
from botod.ipc.errors import Code, RpcError
from botod.pool import Terms


def line(moved: Moved, error: RpcError | None = None, options: Options = DEFAULTS) -> str:
    """Of a job that took 12.34 ms and one attempt."""
    terms = Terms()
    terms.attempts_num = 1
    operation = SERVICES["s3"].operations["get_object"]
    job = Job("s3", "get_object", operation, {"Key": "hidden"}, options, 0.0, terms)
    return job_line(job, moved, error, 0.01234)


def test_what_moved_nothing() -> None:
    """The least that a line says."""
    assert line(Moved()) == "job s3.get_object ok attempts=1 took_ms=12.3"


def test_one_of_several() -> None:
    """Which entry of its request it was, and of how many."""
    terms = Terms()
    job = Job(
        "sqs", "send_message", SERVICES["sqs"].operations["send_message"], {}, DEFAULTS, 0.0, terms
    )
    assert job_line(job, Moved(), None, 0.01234, Together(3, 7)) == (
        "job sqs.send_message ok attempts=0 took_ms=12.3 batch_entry=3 batch_size=7"
    )


def test_bytes_and_trace() -> None:
    """Where there are any."""
    assert line(Moved(7, 8), None, Options(traceparent="00-a-b-01")) == (
        "job s3.get_object ok attempts=1 took_ms=12.3 sent_bytes=7 received_bytes=8 "
        "traceparent=00-a-b-01"
    )


@pytest.mark.parametrize(
    ("code", "data", "word"),
    [
        (Code.SERVICE_ERROR, {"type": "NoSuchKey"}, "NoSuchKey"),
        (Code.INVALID_PARAMS, {}, "-32602"),
        (Code.CANCELLED, {"type": "x"}, "cancelled"),
        (Code.INTERNAL_ERROR, {}, "failed"),
    ],
)
def test_how_it_went(code: Code, data: dict[str, Any], word: str) -> None:
    """In a word: AWS's, else the wire's."""
    assert line(Moved(), RpcError(code, "it failed", data)).startswith(f"job s3.get_object {word} ")
