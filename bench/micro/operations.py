"""Hot operations, from params to a result, over a connection that answers at once."""

from collections.abc import Callable, Iterator
from typing import Any

from nginx import SENT

from botod.daemon.services import SERVICES
from micro.piece import Piece

HEADERS = {
    "content-length": "1024", "content-type": "text/plain", "etag": '"fafb"',
    "last-modified": "Sat, 01 Jan 2026 00:00:00 GMT", "x-amz-request-id": "R",
}  # fmt: skip


class Answer:
    """One of boto's, with all of it read."""

    status = 200
    reason = "OK"
    fields = HEADERS

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, _size: int | None = None) -> bytes:
        body, self._body = self._body, b""
        return body

    def getheader(self, name: str, default: Any = None) -> Any:
        return HEADERS.get(name.lower(), default)

    def read_pieces(self, _size: int | None = None) -> list[bytes]:
        body, self._body = self._body, b""
        return [body] if body else []

    def close(self) -> None:
        """Nothing to do."""


class Connection:
    """Answers each request alike."""

    is_aws = False

    def __init__(self, body: bytes) -> None:
        self._body = body

    def asked(self, _bucket: str, send: Callable[["Connection"], Any]) -> Any:
        return send(self)

    def make_request(self, *_request: Any, **_more: Any) -> Answer:
        return Answer(self._body)


def pieces() -> Iterator[Piece]:
    """What the daemon adds to boto's make_request."""
    get = SERVICES["s3"].operations["get_object"]
    where, s3 = {"Bucket": "bucket", "Key": "k"}, Connection(b"x" * 1024)
    yield Piece("s3.get_object, its answer at hand", 15.0, lambda: get.run(s3, dict(where)))
    send, sqs = SERVICES["sqs"].operations["send_message"], Connection(SENT.encode())
    message = {"QueueUrl": "https://localhost/1/q", "MessageBody": "This is a test message"}
    yield Piece("sqs.send_message, its answer at hand", 15.0, lambda: send.run(sqs, dict(message)))
