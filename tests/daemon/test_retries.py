"""After which errors a job is tried again, and when."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.daemon import retries
from botod.daemon.retries import BASE_S, Cause, Patience, cause_of, pause_s, skew_s
from botod.pool import (
    CertificateError,
    HostResting,
    Interrupted,
    NotSent,
    OutcomeUnknown,
    PoolFull,
    PoolTimeout,
)
from botod.pool.terms import Hints

from boto.exception import BotoServerError

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
PATIENCE = Patience(3, 20.0)


def answer(status: int, code: str = "") -> BotoServerError:
    """A service's error."""
    body = f"<Error><Code>{code}</Code></Error>" if code else ""
    return BotoServerError(status, "", body.encode())


@pytest.mark.parametrize(
    ("error", "anyway", "if_idempotent"),
    [
        (NotSent("x"), Cause.NOT_SENT, Cause.NOT_SENT),
        (HostResting("x"), None, None),
        (CertificateError("h", "x"), None, None),
        (OutcomeUnknown("x"), None, None),
        (Interrupted("x"), None, Cause.BROKEN),
        (PoolFull("x"), None, None),
        (PoolTimeout("x"), None, None),
        (ValueError("x"), None, None),
        (answer(503), Cause.THROTTLED, Cause.THROTTLED),
        (answer(503, "SlowDown"), Cause.THROTTLED, Cause.THROTTLED),
        (answer(429), Cause.THROTTLED, Cause.THROTTLED),
        (answer(400, "ThrottlingException"), Cause.THROTTLED, Cause.THROTTLED),
        (answer(400, "LimitExceededException"), None, None),
        (answer(500), None, Cause.FAILED),
        (answer(502), None, Cause.FAILED),
        (answer(504), None, Cause.FAILED),
        (answer(501), None, None),
        (answer(200, "InternalError"), None, Cause.FAILED),
        (answer(400, "RequestTimeout"), None, Cause.FAILED),
        (answer(403, "RequestTimeTooSkewed"), Cause.CLOCK, Cause.CLOCK),
        (answer(403, "SignatureDoesNotMatch"), Cause.CLOCK, Cause.CLOCK),
        (answer(400, "ExpiredToken"), Cause.KEYS, Cause.KEYS),
        (answer(403, "InvalidClientTokenId"), Cause.KEYS, Cause.KEYS),
        (answer(400), Cause.KEYS, Cause.KEYS),
        (answer(403), None, None),
        (answer(403, "AccessDenied"), None, None),
        (answer(404, "NoSuchKey"), None, None),
    ],
)
def test_why_trying_again_may_help(
    error: Exception, anyway: Cause | None, if_idempotent: Cause | None
) -> None:
    """What was not done is repeated; what may have been done only if that does no harm."""
    assert cause_of(error, idempotent=False) is anyway
    assert cause_of(error, idempotent=True) is if_idempotent


@given(st.sampled_from(sorted(BASE_S, key=str)), st.integers(0, 10))
def test_pauses_are_anything_up_to_a_bound_that_doubles(cause: Cause, tried: int) -> None:
    """And never longer than the profile allows."""
    found = pause_s(cause, tried, Hints(), PATIENCE, now=0.0)
    assert 0 <= found <= min(PATIENCE.pause_max_s, BASE_S[cause] * 2**tried)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999999999999999", 999_999_999.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30.0),
        ("Fri, 02 Jan 2026 03:04:35", 30.0),
        ("Fri, 02 Jan 2026 03:03:35 GMT", 0.0),
        ("soon", 0.0),
        ("-7", 0.0),
        ("", 0.0),
    ],
)
def test_the_service_may_say_when(
    retry_after: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After, as seconds or as a date; nonsense is none."""
    monkeypatch.setattr(retries, "random", lambda: 0.0)
    hints = Hints(retry_after=retry_after)
    found = pause_s(Cause.THROTTLED, 0, hints, PATIENCE, now=NOW.timestamp())
    assert found == seconds


@pytest.mark.parametrize(
    ("date", "late_s"),
    [("Fri, 02 Jan 2026 04:04:05 GMT", 3600.0), ("Fri, 02 Jan 2026 03:04:05 GMT", 0.0)],
)
def test_how_late_it_is_there(date: str, late_s: float) -> None:
    """By the Date of an answer."""
    assert skew_s(Hints(date=date), now=NOW.timestamp()) == late_s


@given(st.text())
def test_a_date_that_is_none_says_nothing(text: str) -> None:
    """A server may send anything."""
    assert skew_s(Hints(date=f"x{text}"), now=0.0) is None
