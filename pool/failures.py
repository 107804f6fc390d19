"""Why a transfer failed, as the exception that boto and its callers understand.

Translated once, here, by what had been sent. boto tries again after any OSError; a request whose
bytes went out and that got no full answer may have been acted upon, so its error is none of those,
unless the request was marked idempotent.
"""

import pycurl

from botod.pool.errors import ConnectTimeout, Interrupted, NotSent, OutcomeUnknown, PoolError
from botod.pool.transfer import State, Transfer

from boto.https_connection import InvalidCertificateException


class CertificateError(PoolError, InvalidCertificateException):  # type: ignore[misc]
    """The server's certificate does not prove that it is who was asked for. Nothing was sent."""

    def __init__(self, hostname: str, reason: str) -> None:
        InvalidCertificateException.__init__(self, hostname, None, reason)

    def __str__(self) -> str:
        return f"{self.host}: the server's certificate is not trusted: {self.reason}"


_CERTIFICATE = frozenset({
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_ISSUER_ERROR,
})


def failure_error(transfer: Transfer, *, idempotent: bool) -> Exception:
    """The exception for a transfer that ended without a full answer."""
    failure = transfer.failure
    if failure is None:
        stopped = transfer.state is State.ABORTED
        why = "it was stopped" if stopped else "it ended without an answer"
        return unanswered(transfer, why, idempotent=idempotent)
    if is_certificate_failure(transfer):
        return CertificateError(str(transfer.request.origin), failure.message)
    if failure.code == pycurl.E_OPERATION_TIMEDOUT and not transfer.sent:
        return ConnectTimeout(f"{describe(transfer)}: {failure.message}")
    return unanswered(transfer, failure.message, idempotent=idempotent)


def is_certificate_failure(transfer: Transfer) -> bool:
    """Whether the server was there, but did not prove who it is."""
    return transfer.failure is not None and transfer.failure.code in _CERTIFICATE


def unanswered(transfer: Transfer, why: str, *, idempotent: bool) -> Exception:
    """The exception for a request that got no answer, by what of it had been sent."""
    kind: type[Exception] = NotSent
    if transfer.sent:
        kind = Interrupted if idempotent else OutcomeUnknown
    return kind(f"{describe(transfer)}: {why}")


def describe(transfer: Transfer) -> str:
    """Which request it was, and how far it got. No path: names and messages may stand in it."""
    how_far = "sent, no full answer" if transfer.sent else "nothing sent"
    return f"{transfer.request.method} to {transfer.request.origin} ({how_far})"
