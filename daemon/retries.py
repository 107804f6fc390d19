"""After which errors a job is tried again, and when: a table, and a pause. No I/O.

Safe to repeat is what was not done: nothing was sent, or the service refused it. What may have been
done is repeated only if doing it twice is doing it once.
"""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from random import random

from botod.pool import HostResting, Interrupted, NotSent
from botod.pool.terms import Hints

from boto.exception import BotoServerError


class Cause(Enum):
    """Why another try may help."""

    NOT_SENT = "nothing was sent"
    THROTTLED = "the service has too much to do"
    FAILED = "the service failed"
    BROKEN = "it broke off"
    CLOCK = "the clocks differ"
    KEYS = "the keys are refused"


THROTTLED = frozenset({
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
"""AWS's codes for it. LimitExceededException is left out: to most services it is about a quota."""

FAILED = frozenset({
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "RequestTimeoutException",
})
"""Codes of a failure inside an answer that is none by its status: S3's, while it copies."""

CLOCK = frozenset({
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
})
"""What a request is refused with that is dated wrong; the server's Date says if it was that."""

KEYS = frozenset({
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
})

TOO_MANY = (429, 503)
GATEWAYS = (502, 504)
"""Whoever answers so has no answer himself: what became of the request is not known."""

FAULTS = (500, *GATEWAYS)

BASE_S = {Cause.NOT_SENT: 0.1, Cause.THROTTLED: 0.5, Cause.FAILED: 0.1, Cause.BROKEN: 0.05}
"""The longest first pause; it doubles with each try."""

SKEW_S = 60.0
"""Clocks that differ by less are not what a request is refused for: AWS allows five minutes."""


@dataclass(frozen=True)
class Patience:
    """How often, and how long. tries_max: after the first; pause_max_s: between two."""

    tries_max: int
    pause_max_s: float


def cause_of(error: Exception, *, idempotent: bool) -> Cause | None:
    """Why trying again is safe and may help; None: it is not, or does not."""
    if isinstance(error, HostResting):  # it says by itself when the host is tried again
        return None
    if isinstance(error, NotSent):
        return Cause.NOT_SENT
    if isinstance(error, Interrupted):
        return Cause.BROKEN if idempotent else None
    if isinstance(error, BotoServerError):
        return _cause_of_answer(error.status, error.error_code or "", idempotent=idempotent)
    return None


def _cause_of_answer(status: int, code: str, *, idempotent: bool) -> Cause | None:
    if status in TOO_MANY or code in THROTTLED:
        return Cause.THROTTLED
    if status in FAULTS or code in FAILED:
        return Cause.FAILED if idempotent else None
    if code in CLOCK:
        return Cause.CLOCK
    # What answers HEAD says no code; to expired keys S3 says 400.
    is_silent = not code or code == "400"
    return Cause.KEYS if code in KEYS or (status == 400 and is_silent) else None  # noqa: PLR2004


def pause_s(cause: Cause, tried: int, hints: Hints, patience: Patience, *, now: float) -> float:
    """How long to wait: anything up to a bound that doubles, so that many do not come in step.

    tried: retries so far. now: in seconds since the epoch, for a Retry-After that names a time.
    """
    most_s = min(patience.pause_max_s, BASE_S[cause] * 2.0**tried)
    return max(random() * most_s, _retry_after_s(hints.retry_after, now))  # noqa: S311 - no secret


def skew_s(hints: Hints, *, now: float) -> float | None:
    """How much later it is at the server; None: it does not say."""
    try:
        date = parsedate_to_datetime(hints.date)
    except (TypeError, ValueError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now


def _retry_after_s(text: str, now: float) -> float:
    """Seconds, or the time until a date; nought for what is neither."""
    if text.isdecimal():
        return float(text[:9])
    return max(0.0, skew_s(Hints(date=text), now=now) or 0.0)
