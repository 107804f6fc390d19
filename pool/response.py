"""http.client's response, as boto uses it, on a transfer."""

import http.client
import re
from collections.abc import Iterable, Mapping
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
    """

    def __init__(self, pool: Pool, transfer: Transfer, *, idempotent: bool) -> None:
        self._pool = pool
        self._transfer = transfer
        self._idempotent = idempotent
        self._whole: bytes | None = None
        self._closed = False
        self._parsed: list[tuple[str, str]] | None = None
        self._fields: Mapping[str, str] | None = None
        self._chunked: bool | None = None
        self._lines = transfer.head
        transfer.head = []
        status_line = _status_line(self._lines[0])
        if status_line is None:
            raise unanswered(transfer, "no HTTP status line came", idempotent=idempotent)
        self.version, self.status, self.reason = status_line

    def __repr__(self) -> str:
        return f"<HTTPResponse {self.status} {self.reason} of {self._transfer!r}>"

    def __del__(self) -> None:
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

    # Parsed when the first is asked for, which many callers never do. Not by cached_property: up to
    # Python 3.11 that takes a lock.

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        if self._parsed is None:
            self._parsed = self._parse()
        return self._parsed

    @property
    def fields(self) -> Mapping[str, str]:
        """The headers by their names in lower case; several of one name are joined."""
        if self._fields is None:
            self._fields = _by_name(self._pairs)
        return self._fields

    def _parse(self) -> list[tuple[str, str]]:
        lines = b"".join(self._lines[1:]).decode("latin-1").rstrip("\r\n").split("\n")
        fields = (line.partition(":") for line in lines if line)
        return [(name.strip(" \t"), value.strip(" \t\r")) for name, _colon, value in fields]

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
            if transfer.ended and not transfer.unread_bytes:
                self._raise_failure()
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

    def _raise_failure(self) -> None:
        if self._transfer.state is not State.COMPLETE:
            raise failure_error(self._transfer, idempotent=self._idempotent)


def _by_name(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        lower = name.lower()
        values[lower] = f"{values[lower]}, {value}" if lower in values else value
    return values


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
