"""One request and what becomes of it, as whoever does its work sees it.

The handler gets an `Exchange`. It sets `on_cancel` if the work can be ended, and settles the
exchange once, by `answer` or `fail`, now or later. An answer may hold streams that `open_stream`
gave; the exchange goes on until each of them has ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

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

    __hash__ = object.__hash__  # for the table below; Enum's own is Python, and takes 50 ns


class Happening(Enum):
    """What moves an exchange on."""

    ANSWERED = "answered"
    ANSWERED_WITH_STREAMS = "answered with streams"
    STREAMS_ENDED = "its streams ended"

    __hash__ = object.__hash__


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


NO_STREAMS: frozenset[OutgoingStream] = frozenset()


class Brought(NamedTuple):
    """What came with a request beside its params, to be let go of at its end."""

    descriptors: Sequence[Descriptor] = ()
    streams: Sequence[IncomingStream] = ()
    held_bytes: int = 0


NOTHING = Brought()
"""What most requests bring."""


class Home(Protocol):
    """Where an exchange was made, and what becomes of it is heard."""

    def make_stream(self) -> OutgoingStream:
        """A stream for an answer to hold. Raises RpcError."""

    def set_stream_credit(self, size: int) -> None:
        """The peer reads streams, so many bytes of each before it grants more."""

    def tell_progress(self, exchange: "Exchange", value: dict[str, Any]) -> None:
        """So far it has come."""

    def deliver(self, exchange: "Exchange", outcome: Outcome) -> None:
        """It was settled."""

    def end(self, exchange: "Exchange") -> None:
        """It is over: called once, at the end."""


class Exchange:
    """A request that was accepted, until it is settled and its streams have ended.

    can_stream: whether the answer may hold streams. on_cancel: called at most once, when the peer
    cancels the request or hangs up; the handler still has to settle it. on_settled: called once,
    with its error if it came to nothing.
    """

    __slots__ = (
        "_home", "_open", "brought", "budget", "can_stream", "is_cancelled", "on_cancel",
        "on_settled", "request", "sender", "stage",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        sender: Sender,
        brought: Brought,
        budget: Budget,
        home: Home,
        *,
        can_stream: bool,
    ) -> None:
        self.request = request
        self.sender = sender
        self.brought = brought
        self.budget = budget
        self.can_stream = can_stream
        self.stage = Stage.RUNNING
        self.is_cancelled = False
        self.on_cancel: Callable[[], object] | None = None
        self.on_settled: Callable[[RpcError | None], object] | None = None
        self._home = home
        self._open: frozenset[OutgoingStream] = NO_STREAMS

    def __repr__(self) -> str:
        return f"<Exchange {self.request.method} {self.request.request_id!r} {self.stage.value}>"

    @property
    def goes_on_after_hang_up(self) -> bool:
        """Whether its work is to be done though nobody waits for the answer any more."""
        request = self.request
        return request.is_notification or request.options.get("on_hangup") == "finish"

    def open_stream(self) -> OutgoingStream:
        """A stream for the answer to hold."""
        assert self.can_stream, "asked for a stream that the peer cannot read"
        assert self.stage is Stage.RUNNING, "streams are opened before the answer"
        stream = self._home.make_stream()
        self._open |= {stream}
        return stream

    def set_stream_credit(self, size: int) -> None:
        """The peer reads streams, as `botod.hello` says; so much of each may come by itself."""
        self._home.set_stream_credit(size)

    def answer(self, result: Any) -> None:
        """Settle it: `result` is what JSON has, bytes, and streams that `open_stream` gave."""
        numbers = {stream: stream.number for stream in self._open} if self._open else {}
        if numbers and self.is_cancelled:  # the streams were broken off with it
            self.fail(_cancelled())
            return
        self._move(Happening.ANSWERED_WITH_STREAMS if numbers else Happening.ANSWERED)
        if self.on_settled is not None:
            self.on_settled(None)
        self._home.deliver(self, Outcome(result, None, numbers))
        if not numbers:
            self._home.end(self)
        for stream in numbers:
            stream.when_over(self._stream_over)

    def fail(self, error: RpcError) -> None:
        """Settle it: it came to nothing."""
        self._move(Happening.ANSWERED)
        if self.on_settled is not None:
            self.on_settled(error)
        self._home.deliver(self, Outcome(None, error))
        for stream in self._open:
            stream.break_off(error)
        self._open = NO_STREAMS
        self._home.end(self)

    def progress(self, value: dict[str, Any]) -> None:
        """Tell the peer how far it is, if it asked for that."""
        asked_for = self.request.options.get("progress") is True
        if asked_for and self.stage is Stage.RUNNING and not self.request.is_notification:
            self._home.tell_progress(self, value)

    def cancel(self) -> None:
        """The peer does not want the answer any more."""
        if self.is_cancelled:
            return
        self.is_cancelled = True
        for stream in self._open:
            if self.stage is Stage.RUNNING:  # the peer has not heard of it
                stream.break_off(_cancelled())
            else:
                stream.abort(_cancelled())
        if self.stage is Stage.RUNNING and self.on_cancel is not None:
            self.on_cancel()

    def _stream_over(self, stream: OutgoingStream) -> None:
        self._open -= {stream}
        if not self._open:
            self._move(Happening.STREAMS_ENDED)
            self._home.end(self)

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
