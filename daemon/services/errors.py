"""What can be wrong with what a service answered."""

from typing import Any

from botod.daemon.services.operation import Result

from boto.exception import BotoServerError


class AnswerTooLarge(Exception):
    """The answer is larger than what is held in memory."""


class BadAnswer(Exception):
    """What came is not an answer of the service that was asked."""


class DetailedError(BotoServerError):  # type: ignore[misc]
    """A service's error that was read already.

    details: what the service says of it besides, under AWS's names.
    """

    def __init__(
        self, response: Any, *, code: str, message: str, request_id: str, details: Result
    ) -> None:
        super().__init__(response.status, response.reason)
        self.error_code = code
        self.message = message
        self.request_id = request_id
        self.details = details


class ObjectChanged(Exception):
    """An object was replaced while it came in parts."""
