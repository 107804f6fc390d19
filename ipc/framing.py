"""Cuts a stream of bytes into messages. No I/O; shared by both ends.

A message is one line of JSON and, right behind it, the raw bytes that its envelope declares:

    {"jsonrpc": "2.0", "id": 1, "method": "…", "params": {"Body": {"$bytes": 0}}, "bytes": [5]}
    hello

Descriptors come beside the bytes; a line takes as many as it declares in `fds`, in their order.

What cannot be cut is raised as `ProtocolError`, after which nothing more can be read. What can be
cut but is refused comes out as `Refused`, and the declared bytes are dropped. Standard library
only: programs import it with the client.
"""

from __future__ import annotations

from enum import Enum

from botod.ipc.descriptor_queue import DescriptorQueue
from botod.ipc.envelope import declared_fds_num, declared_sizes, is_plain, parse_line, request_id
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.tuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Reserve = Callable[[int, dict[str, Any]], RpcError | None]
    """Asked for room for a message's bytes, with its envelope; an error refuses the message."""

MAX_LINE_BYTES = 1024 * 1024
"""A line: SQS's and SimpleDB's largest requests are 1 MiB; larger bodies are declared bytes."""

MAX_INLINE_BYTES = 16 * 1024 * 1024
"""All bytes declared by one message: they are held in memory until the job is done."""

MAX_DRAIN_BYTES = 1024 * 1024 * 1024
"""Declared bytes of a refused message that are still read and dropped; beyond, we hang up."""

SHORT_LINE_BYTES = 4096
"""Lines up to this are not counted in the budget: what is made of them costs more."""

MAX_BATCH = 100
"""Requests in one array."""


class Message(NamedTuple):
    """One message that was read whole.

    is_plain: no marker and no deep nesting can be in it, so that nobody need look for them.
    held_bytes: what was reserved for it, to be released when it is let go of.
    """

    envelope: dict[str, Any]
    blobs: tuple[bytes, ...] = ()
    fds: tuple[int, ...] = ()
    is_plain: bool = False
    held_bytes: int = 0


class Array(NamedTuple):
    """An array of messages, none of which can declare anything. held_bytes: as of a message."""

    items: list[Any]
    held_bytes: int = 0


class Refused(NamedTuple):
    """A message that framed and is refused. envelope: where there was one; fds: to be closed."""

    envelope: dict[str, Any] | None
    error: RpcError
    fds: tuple[int, ...] = ()

    @property
    def request_id(self) -> str | int | None:
        """What its answer is to."""
        return request_id(self.envelope or {})

    @property
    def method(self) -> Any:
        """As it came."""
        return (self.envelope or {}).get("method")


Event = Message | Array | Refused


class MessageLimits(NamedTuple):
    """How much one message may be."""

    line_bytes: int = MAX_LINE_BYTES
    inline_bytes: int = MAX_INLINE_BYTES


class State(Enum):
    """What the decoder reads next."""

    LINE = "line"
    BODY = "body"
    DRAIN = "drain"
    ENDED = "ended"

    __hash__ = object.__hash__  # for the table of steps; Enum's own is Python, and takes 50 ns


_INSIDE = frozenset({State.BODY, State.DRAIN})
"""Inside a message, behind its line."""


def _always(_size: int, _envelope: dict[str, Any]) -> RpcError | None:
    """Refuse nothing."""
    return None


class Decoder:
    """Cuts a stream of bytes into messages.

    reserve: asked before the bytes of a message are kept. What it granted is `reserved_bytes` until
    the message comes out. line_bytes: of lines that the last `next` left, which nobody has
    reserved, in steps of `SHORT_LINE_BYTES`.
    """

    def __init__(
        self,
        limits: MessageLimits = MessageLimits(),  # noqa: B008 - a frozen value
        *,
        reserve: Reserve = _always,
    ) -> None:
        self.state = State.LINE
        self.descriptors = DescriptorQueue()
        self.messages_total = 0
        self.reserved_bytes = 0
        self.line_bytes = 0
        self._limits = limits
        self._reserve = reserve
        self._buffer = bytearray()
        self._searched = 0
        self._eof = False
        self._envelope: dict[str, Any] = {}  # of the message that is half read
        self._is_plain = False
        self._fds_num = 0
        self._sizes: list[int] = []
        self._wanted = 0
        self._dropped = 0

    def __repr__(self) -> str:
        return f"<Decoder reads {self.state.value}, {len(self._buffer)} bytes buffered>"

    @property
    def is_half_read(self) -> bool:
        """Whether a message has begun and is not here whole."""
        return bool(self._buffer) or self.state in _INSIDE

    @property
    def declared_bytes(self) -> int:
        """Of the message that is half read; 0 while its line is read."""
        return self._wanted

    def forget_rest(self) -> None:
        """Nothing more will be read: what has come of a message is of no use."""
        self._buffer.clear()
        self.reserved_bytes = self.line_bytes = 0
        self.state = State.ENDED

    def feed(self, data: bytes | memoryview) -> None:
        assert not self._eof, "bytes after the end"
        self._buffer += data

    def feed_eof(self) -> None:
        """No more bytes come. A last line without its line end still counts."""
        self._eof = True

    def next(self) -> Event | None:
        """The next message; None: more bytes are needed. Raises ProtocolError, once."""
        event: Event | None = None
        before: State | None = None
        try:
            while event is None and self.state is not before:
                before = self.state
                event = _STEPS[before](self)
        except ProtocolError:
            self.state = State.ENDED
            raise
        self.messages_total += event is not None
        steps = len(self._buffer) // SHORT_LINE_BYTES
        self.line_bytes = steps * SHORT_LINE_BYTES if steps and self.state is State.LINE else 0
        return event

    def _read_line(self) -> Event | None:
        line = self._cut_line()
        while line is not None and not line.strip():
            line = self._cut_line()
        return None if line is None else self._begin(line)

    def _cut_line(self) -> bytearray | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > self._limits.line_bytes:
                self._raise_line_too_long()
            return self._cut_last_line() if self._eof else None
        if end > self._limits.line_bytes:
            self._raise_line_too_long()
        self._searched = 0
        line = self._buffer[:end]
        del self._buffer[: end + 1]
        return line

    def _cut_last_line(self) -> bytearray | None:
        self._searched = 0
        line = self._buffer[:]
        self._buffer.clear()
        if not line:
            self.state = State.ENDED
            return None
        return line

    def _raise_line_too_long(self) -> NoReturn:
        raise ProtocolError(
            Code.LINE_TOO_LONG,
            f"a line is longer than {self._limits.line_bytes} bytes; declare large values in bytes",
            {"limit": "line_bytes"},
        )

    def _begin(self, line: bytearray) -> Event | None:
        """Decide by the envelope alone what follows the line."""
        value = parse_line(line)
        line_bytes = len(line) if len(line) > SHORT_LINE_BYTES else 0
        if not isinstance(value, dict):
            return self._begin_array(value, line_bytes)
        plain = is_plain(line)
        if not line_bytes and "bytes" not in value and "fds" not in value:
            return Message(value, (), (), plain)
        self._envelope, self._is_plain = value, plain
        return self._begin_with_more(value, line_bytes)

    def _begin_with_more(self, envelope: dict[str, Any], line_bytes: int) -> Event | None:
        """Read what it declares, if it may."""
        self._sizes = declared_sizes(envelope)
        self._wanted = sum(self._sizes)
        self._fds_num = declared_fds_num(envelope) if "fds" in envelope else 0
        error = self._refusal() or self._hold(self._wanted + line_bytes, envelope)
        if error is not None:
            self.state = State.DRAIN
            return Refused(envelope, error, self._take_fds())
        # Its descriptors stay in the queue, which closes them if the rest never comes.
        self.state = State.BODY
        return self._read_body()

    def _refusal(self) -> RpcError | None:
        limit = self._limits.inline_bytes
        if self._wanted > MAX_DRAIN_BYTES:
            # Unnamed: a sum of JSON's numbers may have more digits than Python writes.
            raise ProtocolError(
                Code.BODY_TOO_LARGE,
                f"far too many bytes declared, at most {limit} may be",
                {"limit": "inline_bytes"},
            )
        if self._wanted > limit:
            return RpcError(
                Code.BODY_TOO_LARGE,
                f"{self._wanted} bytes declared, at most {limit} may be: "
                "use a stream or a descriptor",
                {"limit": "inline_bytes"},
            )
        if self._fds_num and len(self.descriptors) < self._fds_num:
            return RpcError(
                Code.INVALID_REQUEST,
                f"{self._fds_num} descriptors declared, {len(self.descriptors)} came with the line "
                "or before it",
            )
        return None

    def _hold(self, size: int, envelope: dict[str, Any]) -> RpcError | None:
        error = self._reserve(size, envelope) if size else None
        if error is None:
            self.reserved_bytes = size
        return error

    def _begin_array(self, value: Any, line_bytes: int) -> Event:
        error = _array_mistake(value) or self._hold(line_bytes, {})
        if error is not None:
            return Refused(None, error)
        self.reserved_bytes = 0
        return Array(value, line_bytes)

    def _read_body(self) -> Event | None:
        if len(self._buffer) < self._wanted:
            return self._cut_short() if self._eof else None
        self.state = State.LINE
        blobs = []
        start = 0
        with memoryview(self._buffer) as view:
            for size in self._sizes:
                blobs.append(bytes(view[start : start + size]))
                start += size
        del self._buffer[:start]
        held_bytes, self._wanted, self.reserved_bytes = self.reserved_bytes, 0, 0
        fds = self._take_fds()
        return Message(self._envelope, tuple(blobs), fds, self._is_plain, held_bytes)

    def _cut_short(self) -> Refused:
        got = len(self._buffer)
        self._buffer.clear()
        self.state = State.ENDED
        error = RpcError(
            Code.BODY_CUT_SHORT, f"{self._wanted} bytes were declared, {got} came; nothing was done"
        )
        return Refused(self._envelope, error, self._take_fds())

    def _take_fds(self) -> tuple[int, ...]:
        return self.descriptors.take(self._fds_num) if self._fds_num else ()

    def _drain(self) -> None:
        drop = min(self._wanted - self._dropped, len(self._buffer))
        del self._buffer[:drop]
        self._dropped += drop
        if self._dropped == self._wanted:
            self._wanted = self._dropped = 0
            self.state = State.LINE
        elif self._eof:
            self.state = State.ENDED

    def _rest(self) -> None:
        """At the end there is nothing to read."""


_STEPS: dict[State, Callable[[Decoder], Event | None]] = {
    State.LINE: Decoder._read_line,  # noqa: SLF001 - the decoder's own table
    State.BODY: Decoder._read_body,  # noqa: SLF001
    State.DRAIN: Decoder._drain,  # noqa: SLF001
    State.ENDED: Decoder._rest,  # noqa: SLF001
}


def _array_mistake(value: Any) -> RpcError | None:
    if not isinstance(value, list):
        return RpcError(Code.INVALID_REQUEST, "not a request: not an object")
    if not 0 < len(value) <= MAX_BATCH:
        words = f"a batch has 1 to {MAX_BATCH} requests, not {len(value)}"
        return RpcError(Code.INVALID_REQUEST, words)
    return None
