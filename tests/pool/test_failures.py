"""Which exception a failed transfer becomes: by what had been sent."""

import pycurl
import pytest

from botod.pool import CertificateError, ConnectTimeout, Interrupted, NotSent, OutcomeUnknown
from botod.pool.failures import failure_error
from botod.pool.origin import Origin
from botod.pool.request import Request
from botod.pool.transfer import Failure, State, Transfer

ORIGIN = Origin("https", "sqs.test", 443)


def failed(code: int | None, *, sent: bool) -> Transfer:
    """A POST that curl gave up with `code`, or that was stopped (None)."""
    transfer = Transfer(
        Request("POST", ORIGIN, "/secret?MessageBody=secret", ()), on_end=lambda _transfer: None
    )
    if sent:
        transfer.curl_ready()
    if code is None:
        transfer.end(State.ABORTED)
    else:
        transfer.end(State.FAILED, Failure(code, "curl's words"))
    return transfer


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize(
    "code",
    [
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_RECV_ERROR,
        None,
    ],
)
def test_nothing_sent_may_be_tried_again(code: int | None, idempotent: bool) -> None:
    """Whatever failed before the first byte is a ConnectionError, which boto retries."""
    error = failure_error(failed(code, sent=False), idempotent=idempotent)
    assert type(error) is NotSent
    assert isinstance(error, ConnectionError)


def test_a_timeout_before_anything_was_sent_is_a_timeout_of_connecting() -> None:
    """It is a TimeoutError as well, and still safe to try again."""
    error = failure_error(failed(pycurl.E_OPERATION_TIMEDOUT, sent=False), idempotent=False)
    assert type(error) is ConnectTimeout


@pytest.mark.parametrize(
    "code",
    [
        pycurl.E_GOT_NOTHING,
        pycurl.E_RECV_ERROR,
        pycurl.E_SEND_ERROR,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_OPERATION_TIMEDOUT,
        pycurl.E_ABORTED_BY_CALLBACK,
        pycurl.E_SEND_FAIL_REWIND,
        None,
    ],
)
def test_sent_and_not_answered_is_not_known(code: int | None) -> None:
    """Once sent, only a request that may be sent twice gets an error that boto retries."""
    unknown = failure_error(failed(code, sent=True), idempotent=False)
    assert type(unknown) is OutcomeUnknown
    assert not isinstance(unknown, OSError)
    assert type(failure_error(failed(code, sent=True), idempotent=True)) is Interrupted


@pytest.mark.parametrize("code", [pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE])
def test_a_certificate_is_no_matter_of_trying_again(code: int) -> None:
    """boto's own certificate error, which its loop lets through, naming the server."""
    error = failure_error(failed(code, sent=False), idempotent=True)
    assert type(error) is CertificateError
    assert not isinstance(error, OSError)
    assert str(error) == (
        "https://sqs.test:443: the server's certificate is not trusted: curl's words"
    )


def test_the_message_names_the_server_and_no_path() -> None:
    """Messages and keys stand in paths; errors end in logs."""
    error = failure_error(failed(pycurl.E_GOT_NOTHING, sent=True), idempotent=False)
    assert str(error) == "POST to https://sqs.test:443 (sent, no full answer): curl's words"
