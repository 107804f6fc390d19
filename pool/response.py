"""http.client's response, as boto uses it, on a transfer."""

import http.client
import re
from functools import lru_cache
from typing import Any

from botod.pool.brief import BriefList
from botod.pool.errors import DeadlineExceeded, OutcomeUnknown
from botod.pool.failures import describe, failure_error, unanswered
from botod.pool.pieces import Piece, size_of
from botod.pool.pool import Pool
from botod.pool.transfer import State, Transfer

STATUS_LINE = re.compile(
    r"HTTP/1\.(?P<minor>[01]) (?P<status>\d{3})(?: (?P<reason>.*))?", re.IGNORECASE
)


class HTTPResponse:
    """The answer to one request; its body arrives while it is read.

    `read()` without an amount may be repeated and gives the same bytes, as boto expects.
    fields: the headers by their names in lower case; several of one name are joined.
    """

    def __init__(self, pool: Pool, transfer: Transfer, *, idempotent: bool) -> None:
        self._pool = pool
        self._transfer = transfer
        self._idempotent = idempotent
        self._whole: bytes | None = None
        self._closed = False
        self._chunked: bool | None = None
        head, transfer.head = transfer.head, []
        status_line = _status_line(head[0])
        if status_line is None:
            raise unanswered(transfer, "no HTTP status line came", idempotent=idempotent)
        self.version, self.status, self.reason = status_line
        self.fields: dict[str, str] = {}
        self._pairs: list[tuple[str, str]] = []
        self._take_fields(b"".join(head[1:]).decode("latin-1"))

    def __repr__(self) -> str:
        return f"<HTTPResponse {self.status} {self.reason} of {self._transfer!r}>"

    def __del__(self) -> None:
        if not self._transfer.ended:
            self.close()

    @property
    def msg(self) -> http.client.HTTPMessage:
        """The headers as a fresh message object, which the caller may change."""
        message = http.client.HTTPMessage()
        for name, value in self._pairs:
            message[name] = value
        return message

    def getheader(self, name: str, default: Any = None) -> Any:
        return self.fields.get(name.lower(), default)

    def getheaders(self) -> list[tuple[str, str]]:
        return BriefList(self._pairs)

    @property
    def chunked(self) -> bool:
        if self._chunked is None:
            self._chunked = str(self.getheader("transfer-encoding", "")).lower() == "chunked"
        return self._chunked

    @chunked.setter
    def chunked(self, value: object) -> None:
        self._chunked = bool(value)  # boto writes 0 after a HEAD

    def _take_fields(self, text: str) -> None:
        fields, pairs = self.fields, self._pairs
        for line in text.split("\n"):
            if not line:
                continue
            name, _colon, value = line.partition(":")
            name, value = name.strip(" \t"), value.strip(" \t\r")
            pairs.append((name, value))
            lower = name.lower()
            fields[lower] = f"{fields[lower]}, {value}" if lower in fields else value

    def read(self, amt: int | None = None) -> bytes:
        """`amt` bytes, fewer at the end; without it all that is left, and the same again later."""
        if amt is not None:
            return b"".join(self.read_pieces(amt))
        if self._whole is None:
            self._whole = b"".join(self.read_pieces())
        return self._whole

    def read_pieces(self, amt: int | None = None) -> list[Piece]:
        """The same in the pieces in which it came, for those who need it in no other form."""
        if self._closed:
            return []
        transfer, take = self._transfer, self._pool.client.take
        pieces: list[Piece] = []
        missing = amt
        while missing is None or missing > 0:
            more = take(transfer, missing)
            pieces += more
            if missing is not None:
                missing -= size_of(more)
            # Less than was asked for is all that is here.
            if transfer.ended and (missing != 0 or not transfer.unread_bytes):
                if transfer.state is not State.COMPLETE:
                    raise failure_error(transfer, idempotent=self._idempotent)
                break
            if not more:
                wait_for_change(self._pool, transfer, idempotent=self._idempotent)
        return pieces

    def isclosed(self) -> bool:
        """Whether the body was read to its end, or the response closed."""
        transfer = self._transfer
        return self._closed or (transfer.state is State.COMPLETE and not transfer.unread_bytes)

    def close(self) -> None:
        """Let go of the answer; a transfer still under way is stopped and its slot given back."""
        self._closed = True
        self._pool.client.abort(self._transfer)


@lru_cache(256)
def _status_line(line: bytes) -> tuple[int, int, str] | None:
    """Version, status and reason. Nearly all answers begin with one of a few lines."""
    found = STATUS_LINE.fullmatch(line.decode("latin-1").rstrip("\r\n"))
    if found is None:
        return None
    return 10 + int(found["minor"]), int(found["status"]), (found["reason"] or "").strip()


def wait_for_change(
    pool: Pool, transfer: Transfer, *, idempotent: bool, or_sent: bool = False
) -> None:
    """Park until something happened to the transfer; if the wait is broken off, stop it."""
    try:
        transfer.park(or_sent=or_sent)
    except DeadlineExceeded as error:
        sent = transfer.sent
        pool.client.abort(transfer)
        if sent and not idempotent:
            raise OutcomeUnknown(f"{describe(transfer)}: no answer by the deadline") from error
        raise DeadlineExceeded(f"{describe(transfer)}: no answer by the deadline") from error
    except BaseException:
        pool.client.abort(transfer)
        raise
