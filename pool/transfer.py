"""One HTTP exchange inside curl, as its two ends see it.

curl's end (`CurlClient`) calls the methods that begin with `curl_` from inside its callbacks, where
nothing may be switched or sent: they record, and wake who waits through the loop. The other end
(`connection`) feeds the body, takes the answer and parks for the next change.

The memory of a transfer is bounded: curl is paused when `HIGH_BYTES` of the answer lie unread, and
so is who feeds its body (`upload`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import pycurl

from botod.pool.bridge import running
from botod.pool.parked import ANSWER
from botod.pool.pieces import Piece, Pieces
from botod.pool.request import Request
from botod.pool.times import clock
from botod.pool.traces import Trace
from botod.pool.upload import HIGH_BYTES

if TYPE_CHECKING:
    from botod.pool.spawned import Spawned


class State(Enum):
    """Where a transfer is. It only moves down this list."""

    CONNECTING = "connecting"
    SENDING = "sending"
    ANSWERING = "answering"
    COMPLETE = "complete"
    FAILED = "failed"
    ABORTED = "aborted"


BLANK_LINES = (b"\r\n", b"\n")

SEND: int = pycurl.PREREQFUNC_OK
DO_NOT_SEND: int = pycurl.PREREQFUNC_ABORT
"""What curl is told when it asks whether it may."""


@dataclass(frozen=True)
class Failure:
    """Why curl gave up: its error code and its own words."""

    code: int
    message: str


class Transfer:
    """One exchange, from the moment curl has it until it is complete, failed or aborted.

    sent: curl began to send; from then on the server may have seen the request.
    answered: the answer's head is here, whole; its lines are `head`, until somebody reads them, and
    the three digits in the first are `status`.
    ended: it is in one of the last three states.
    began_at, sent_at, answered_at: when curl had it, began to send and had the answer's head, on
    `times.clock`; nought: it did not come so far.
    on_sent: called when curl begins to send, inside one of its callbacks. on_end: called once, with
    this, at the end, whatever it is. trace: for whoever keeps account of it; None: nobody does.
    """

    # Thousands may wait at once: slots save a dictionary each.
    __slots__ = (
        "_on_end", "_on_sent", "_parked", "_takes_head", "_tells_sent", "_unread", "answered",
        "answered_at", "began_at", "ended", "failure", "head", "receiving_paused", "request",
        "sent", "sent_at", "state", "status", "trace",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        *,
        on_end: Callable[["Transfer"], None],
        on_sent: Callable[[], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.request = request
        self.state = State.CONNECTING
        self.failure: Failure | None = None
        self.sent = False
        self.answered = False
        self.began_at = clock()
        self.sent_at = self.answered_at = 0.0
        self.status = b""
        self.ended = False
        self.head: list[bytes] = []
        self.receiving_paused = False
        self._unread = Pieces()
        self._on_end = on_end
        self._on_sent = on_sent
        self.trace = trace
        self._parked: tuple[Spawned[Any], ...] = ()
        self._tells_sent = False
        self._takes_head = False

    def __repr__(self) -> str:
        request = self.request
        return f"<Transfer {request.method} {request.origin} {self.state.value}>"

    def park(self, *, or_sent: bool = False) -> None:
        """Park until the next change of state, bytes to read or room to write; or for nothing.

        That the request begins to be sent counts only if asked for: few want to know, and each wake
        of a greenlet costs as much as a request's signature.
        """
        self._tells_sent = or_sent
        spawned = running()
        self._parked += (spawned,)
        spawned.park_for(self, ANSWER)

    @property
    def unread_bytes(self) -> int:
        """Of the answer's body, here and not yet taken."""
        return self._unread.size_bytes

    def take(self, size: int | None) -> list[Piece]:
        """Up to `size` bytes of the answer's body that are here (None: all of them)."""
        return self._unread.take(size)

    def end(self, state: State, failure: Failure | None = None) -> None:
        """Reach one of the last states; a second end changes nothing."""
        if self.ended:
            return
        self.failure = failure
        self._takes_head = False
        if self.request.upload is not None:
            self.request.upload.give_up()
        if state is State.ABORTED:  # nobody reads it, and a handle may hold this until its next use
            self._unread.clear()
        self.state = state
        self.ended = True
        if self._parked:
            self._wake()
        self.trace = None  # a handle may hold this for long
        self._on_end(self)

    def _wake(self) -> None:
        """Have the loop go on with those who wait: nothing may be switched here."""
        parked, self._parked = self._parked, ()
        for spawned in parked:
            spawned.wake_soon(self)

    def curl_ready(self) -> int:
        """Say whether curl may send now. It asks once a connection, so twice when it resends.

        libcurl resends any request, POST included, when a reused connection dies before the first
        byte of an answer, up to five times. One transfer is one message: the second is refused.
        """
        if self.sent:
            return DO_NOT_SEND
        assert not self.ended, f"{self} cannot become sending"
        self.sent = self._takes_head = True
        self.sent_at = clock()
        self.state = State.SENDING
        if self.trace is not None:
            self.trace.is_sent = True
        if self._on_sent is not None:
            self._on_sent()
        if self._tells_sent:
            self._wake()
        return SEND

    def curl_header(self, line: bytes) -> None:
        """Take a line of the head, or of a trailer or a proxy's answer, which nobody reads."""
        if not self._takes_head:
            return
        if line not in BLANK_LINES:
            self.head.append(line)
        elif self.head[0][9:10] == b"1":  # HTTP/1.1 100 Continue: the real head follows
            self.head.clear()
        else:
            self._takes_head = False
            self.answered = True
            self.answered_at = clock()
            self.status = self.head[0][9:12]
            if self.trace is not None:
                self.trace.answered(self.status, self.head)
            self.state = State.ANSWERING
            if self._parked:
                self._wake()

    def curl_write(self, data: bytes) -> int | None:
        if self._unread.size_bytes >= HIGH_BYTES:
            self.receiving_paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        self._unread.add(data)
        if self._parked:
            self._wake()
        return None

    def curl_read(self, size: int) -> bytes | int:
        upload = self.request.upload
        assert upload is not None, "curl asks for a body that the request does not have"
        data = upload.pull(size)
        if data is None:
            return int(pycurl.READFUNC_PAUSE)
        if not upload.full:
            self._wake()
        return data
