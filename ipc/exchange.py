"""One request and what becomes of it, as whoever does its work sees it.

The handler gets an `Exchange`. It sets `on_cancel` if the work can be ended, and settles the
exchange once, by `answer` or `fail`, now or later. An answer may hold streams that `open_stream`
gave; the exchange goes on until each of them has ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import Code, RpcError
from botod.ipc.limits import Budget
from botod.ipc.protocol import Request
from botod.ipc.streams import IncomingStream, OutgoingStream


@dataclass(frozen=True)
class Sender:
    """Who sent a request, by the kernel's word, and over which of our connections.

    pid: 0: it has none here, being of another namespace. groups: those it has beside `gid`.
    doubtful_groups: those of who connected, where that was another user or group: the sender may
    have them or not.
    """

    pid: int
    uid: int
    gid: int
    connection_id: int
    groups: frozenset[int] = frozenset()
    doubtful_groups: frozenset[int] = frozenset()


class Stage(Enum):
    """How far an exchange has come."""

    RUNNING = "running"
    STREAMING = "streaming"
    ENDED = "ended"


class Happening(Enum):
    """What moves an exchange on."""

    ANSWERED = "answered"
    ANSWERED_WITH_STREAMS = "answered with streams"
    STREAMS_ENDED = "its streams ended"


TRANSITIONS: Mapping[tuple[Stage, Happening], Stage] = {
    (Stage.RUNNING, Happening.ANSWERED): Stage.ENDED,
    (Stage.RUNNING, Happening.ANSWERED_WITH_STREAMS): Stage.STREAMING,
    (Stage.STREAMING, Happening.STREAMS_ENDED): Stage.ENDED,
}
"""PROTOCOL.md draws it; a test compares."""


class Outcome(NamedTuple):
    """What a request came to: an error, or else a result, with the numbers of its streams."""

    result: Any = None
    error: RpcError | None = None
    streams: Mapping[Any, int] = {}


class Brought(NamedTuple):
    """What came with a request beside its params, to be let go of at its end."""

    descriptors: Sequence[Descriptor] = ()
    streams: Sequence[IncomingStream] = ()
    held_bytes: int = 0


class Exchange:
    """A request that was accepted, until it is settled and its streams have ended.

    on_cancel: called at most once, when the peer cancels the request or hangs up; the handler still
    has to settle it. set_stream_credit: told by the handler of `botod.hello`: that the peer reads
    streams, and how many bytes of each may come before it grants more.
    on_settled: called once, with its error if it came to nothing. deliver: takes the outcome.
    on_end: called once, at the end.
    """

    __slots__ = (
        "_deliver", "_make_stream", "_on_end", "_open", "_tell_progress", "brought", "budget",
        "is_cancelled", "on_cancel", "on_settled", "request", "sender",
        "set_stream_credit", "stage",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        sender: Sender,
        brought: Brought,
        budget: Budget,
        *,
        deliver: Callable[["Exchange", Outcome], None],
        on_end: Callable[["Exchange"], None],
        make_stream: Callable[[], OutgoingStream] | None,
        tell_progress: Callable[["Exchange", dict[str, Any]], None],
        set_stream_credit: Callable[[int], None],
    ) -> None:
        self.request = request
        self.sender = sender
        self.brought = brought
        self.budget = budget
        self.stage = Stage.RUNNING
        self.is_cancelled = False
        self.on_cancel: Callable[[], object] | None = None
        self.on_settled: Callable[[RpcError | None], object] | None = None
        self.set_stream_credit = set_stream_credit
        self._deliver = deliver
        self._on_end = on_end
        self._make_stream = make_stream
        self._tell_progress = tell_progress
        self._open: set[OutgoingStream] = set()

    def __repr__(self) -> str:
        return f"<Exchange {self.request.method} {self.request.request_id!r} {self.stage.value}>"

    @property
    def can_stream(self) -> bool:
        """Whether the answer may hold streams."""
        return self._make_stream is not None

    @property
    def goes_on_after_hang_up(self) -> bool:
        """Whether its work is to be done though nobody waits for the answer any more."""
        request = self.request
        return request.is_notification or request.options.get("on_hangup") == "finish"

    def open_stream(self) -> OutgoingStream:
        """A stream for the answer to hold."""
        assert self._make_stream is not None, "asked for a stream that the peer cannot read"
        assert self.stage is Stage.RUNNING, "streams are opened before the answer"
        stream = self._make_stream()
        self._open.add(stream)
        return stream

    def answer(self, result: Any) -> None:
        """Settle it: `result` is what JSON has, bytes, and streams that `open_stream` gave."""
        numbers = {stream: stream.number for stream in self._open}
        if numbers and self.is_cancelled:  # the streams were broken off with it
            self.fail(_cancelled())
            return
        self._move(Happening.ANSWERED_WITH_STREAMS if numbers else Happening.ANSWERED)
        if self.on_settled is not None:
            self.on_settled(None)
        self._deliver(self, Outcome(result, None, numbers))
        if not numbers:
            self._on_end(self)
        for stream in numbers:
            stream.when_over(self._stream_over)

    def fail(self, error: RpcError) -> None:
        """Settle it: it came to nothing."""
        self._move(Happening.ANSWERED)
        if self.on_settled is not None:
            self.on_settled(error)
        self._deliver(self, Outcome(None, error))
        for stream in self._open:
            stream.break_off(error)
        self._open.clear()
        self._on_end(self)

    def progress(self, value: dict[str, Any]) -> None:
        """Tell the peer how far it is, if it asked for that."""
        asked_for = self.request.options.get("progress") is True
        if asked_for and self.stage is Stage.RUNNING and not self.request.is_notification:
            self._tell_progress(self, value)

    def cancel(self) -> None:
        """The peer does not want the answer any more."""
        if self.is_cancelled:
            return
        self.is_cancelled = True
        for stream in list(self._open):
            if self.stage is Stage.RUNNING:  # the peer has not heard of it
                stream.break_off(_cancelled())
            else:
                stream.abort(_cancelled())
        if self.stage is Stage.RUNNING and self.on_cancel is not None:
            self.on_cancel()

    def _stream_over(self, stream: OutgoingStream) -> None:
        self._open.discard(stream)
        if not self._open:
            self._move(Happening.STREAMS_ENDED)
            self._on_end(self)

    def _move(self, happening: Happening) -> None:
        stage = TRANSITIONS.get((self.stage, happening))
        assert stage is not None, f"{self}: {happening.value}"
        self.stage = stage


def _cancelled() -> RpcError:
    return RpcError(Code.CANCELLED, "the request was cancelled")


Handler = Callable[[Exchange], None]
"""Begins a request's work. An RpcError that it raises is the answer."""

OnRefused = Callable[[Sender, str, RpcError], None]
"""Hears of what never comes to a handler: who sent it, its method, as far as it has one, and why.
Without a method it is the connection that is refused, or ended."""
