"""The answer that a request waits for, and whether the request may be sent again. No I/O."""

from __future__ import annotations

from botod.ipc.flows import Inflow, Listener, Outflow, nobody_waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from botod.ipc.sending import Pieces


class NothingDone(Exception):
    """Nothing can have been acted on. `error` is what to raise if it is not sent again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Reply:
    """The answer to one request, when it is there. on_change: called then.

    source: what is sent as a stream with the request. has_streams: whether the answer says that
    some of it comes as streams.
    """

    __slots__ = (
        "error", "has_streams", "is_done", "is_written", "number", "on_change", "on_progress",
        "outflow", "source", "value",
    )  # fmt: skip

    def __init__(
        self,
        number: Any,
        *,
        source: Pieces | None = None,
        on_progress: Callable[[Any], object] | None = None,
    ) -> None:
        self.number = number
        self.is_done = False
        self.is_written = False
        self.on_change: Listener = nobody_waits
        self.on_progress = on_progress
        self.source = source
        self.outflow: Outflow | None = None
        self.has_streams = False
        self.value: Any = None
        self.error: Exception | None = None

    @property
    def has_inflow(self) -> bool:
        """Whether something in the result comes as a stream."""
        if not self.has_streams or not isinstance(self.value, dict):
            return False
        return any(isinstance(one, Inflow) for one in self.value.values())

    @property
    def can_repeat(self) -> bool:
        """Whether what it sends is still there to be sent again."""
        return self.outflow is None or self.outflow.sent_bytes == 0

    def result(self) -> Any:
        """What came. Raises what went wrong."""
        assert self.is_done, "asked before the answer is there"
        if self.error is not None:
            raise self.outcome()
        return self.value

    def outcome(self) -> Any:
        """What came, or what went wrong."""
        if isinstance(self.error, NothingDone):
            return self.error.error
        return self.value if self.error is None else self.error

    def settle(self, value: Any = None, error: Exception | None = None) -> None:
        if self.is_done:
            return
        self.is_done = True
        self.value, self.error = value, error
        if self.outflow is not None:
            self.outflow.is_wanted = False
            self.outflow.on_change()
        self.on_change()


def nothing_done(replies: Sequence[Reply]) -> NothingDone | None:
    """Why one message may be sent again, if nothing at all of it can have been acted on."""
    first = replies[0].error
    if not isinstance(first, NothingDone):
        return None
    is_so = all(isinstance(reply.error, NothingDone) and reply.can_repeat for reply in replies)
    return first if is_so else None
