"""What became of a request, in one of a few words: a service's own would be without number."""

from botod.ipc.errors import Code, RpcError

OK = "ok"

TOO_MANY = (429, 503)
SERVER_ERRORS = 500

SERVICE_OUTCOMES = ("throttled", "server_error", "client_error")
"""Of what a service answered with an error: it has too much to do, it failed, or it was asked for
something that it does not do or have, such as an object that is not there."""

_OF_CODE = {int(code): code.name.lower() for code in Code if code is not Code.SERVICE_ERROR}

OUTCOMES = (OK, *SERVICE_OUTCOMES, *_OF_CODE.values())
"""All there are."""


def outcome_of(error: RpcError | None) -> str:
    """One of OUTCOMES."""
    if error is None:
        return OK
    if error.code == Code.SERVICE_ERROR:
        return _service_outcome(error.data.get("http_status"), error.data.get("retryable"))
    return _OF_CODE.get(error.code, "internal_error")


def _service_outcome(status: object, retryable: object) -> str:
    if not isinstance(status, int) or status in TOO_MANY:
        return "throttled" if retryable else "client_error"
    if status >= SERVER_ERRORS:
        return "server_error"
    return "throttled" if retryable else "client_error"
