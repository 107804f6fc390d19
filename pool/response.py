"""http.client's response, as boto uses it, on a transfer."""

import http.client
import re
from typing import Any

from botod.pool import bridge
from botod.pool.brief import BriefList
from botod.pool.errors import DeadlineExceeded, OutcomeUnknown
from botod.pool.failures import describe, failure_error, unanswered
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
        lines = b"".join(transfer.head).decode("latin-1").rstrip("\r\n").split("\n")
        transfer.head.clear()
        status_line = STATUS_LINE.fullmatch(lines[0].rstrip("\r"))
        if status_line is None:
            raise unanswered(transfer, "no HTTP status line came", idempotent=idempotent)
        self.version = 10 + int(status_line["minor"])
        self.status = int(status_line["status"])
        self.reason = (status_line["reason"] or "").strip()
        self._pairs: list[tuple[str, str]] = []
        self._values: dict[str, str] = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            name, value = name.strip(" \t"), value.strip(" \t\r")
            self._pairs.append((name, value))
            lower = name.lower()
            known = self._values.get(lower)
            self._values[lower] = value if known is None else f"{known}, {value}"
        self.chunked = self._values.get("transfer-encoding", "").lower() == "chunked"

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
        return self._values.get(name.lower(), default)

    def getheaders(self) -> list[tuple[str, str]]:
        return BriefList(self._pairs)

    def read(self, amt: int | None = None) -> bytes:
        """`amt` bytes, fewer at the end; without it all that is left, and the same again later."""
        if amt is not None:
            return self._read(amt)
        if self._whole is None:
            self._whole = self._read(None)
        return self._whole

    def isclosed(self) -> bool:
        """Whether the body was read to its end, or the response closed."""
        transfer = self._transfer
        return self._closed or (transfer.state is State.COMPLETE and not transfer.unread_bytes)

    def close(self) -> None:
        """Let go of the answer; a transfer still under way is stopped and its slot given back."""
        self._closed = True
        self._pool.client.abort(self._transfer)

    def _read(self, amt: int | None) -> bytes:
        """Wait until `amt` bytes are here or the transfer has ended, taking what comes."""
        if self._closed:
            return b""
        parts: list[bytes] = []
        missing = amt
        while missing is None or missing > 0:
            data = self._pool.client.take(self._transfer, missing)
            parts.append(data)
            if missing is not None:
                missing -= len(data)
            if self._transfer.ended and not self._transfer.unread_bytes:
                self._raise_failure()
                break
            if not data:
                wait_for_change(self._pool, self._transfer, idempotent=self._idempotent)
        return b"".join(parts)

    def _raise_failure(self) -> None:
        if self._transfer.state is not State.COMPLETE:
            raise failure_error(self._transfer, idempotent=self._idempotent)


def wait_for_change(
    pool: Pool, transfer: Transfer, *, idempotent: bool, or_sent: bool = False
) -> None:
    """Park until something happened to the transfer; if the wait is broken off, stop it."""
    try:
        bridge.wait(transfer.changed(or_sent=or_sent))
    except DeadlineExceeded as error:
        sent = transfer.sent
        pool.client.abort(transfer)
        if sent and not idempotent:
            raise OutcomeUnknown(f"{describe(transfer)}: no answer by the deadline") from error
        raise DeadlineExceeded(f"{describe(transfer)}: no answer by the deadline") from error
    except BaseException:
        pool.client.abort(transfer)
        raise
