"""Exchanges without a wire: what a handler is given, and what it made of them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from botod.ipc.descriptors import Descriptor
from botod.ipc.errors import RpcError
from botod.ipc.exchange import Brought, Exchange, Outcome, Sender
from botod.ipc.limits import Budget
from botod.ipc.protocol import Request
from botod.ipc.streams import IncomingStream, OutgoingStream
from support.loops import BOUND_S

PLENTY_BYTES = 1 << 30


class Peer:
    """Asks one request of a handler and keeps all that it is told.

    credit_bytes: that it reads streams, and how much of each it lets come. budget: the bytes of all
    peers. Descriptors and streams among the params are let go of at the end.
    """

    def __init__(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        sender: Sender,
        options: dict[str, Any] | None = None,
        credit_bytes: int | None = None,
        budget: Budget | None = None,
        notification: bool = False,
    ) -> None:
        params = params or {}
        values = list(params.values())
        self.budget = budget or Budget(PLENTY_BYTES)
        self.outcomes: list[Outcome] = []
        self.progress: list[dict[str, Any]] = []
        self.granted: list[int] = []
        self.received = bytearray()
        self.stream_error: dict[str, Any] | None = None
        self.has_ended = False
        self.streams: list[OutgoingStream] = []
        self._credit_bytes = credit_bytes
        self._changed = asyncio.Event()
        self.exchange = Exchange(
            Request(1, notification, method, params, options or {}),
            sender,
            Brought(
                tuple(value for value in values if isinstance(value, Descriptor)),
                tuple(value for value in values if isinstance(value, IncomingStream)),
            ),
            self.budget,
            self,
            can_stream=credit_bytes is not None,
        )

    def ask(self, handle: Callable[[Exchange], None]) -> "Peer":
        """Hand the request over, as the server does."""
        try:
            handle(self.exchange)
        except RpcError as error:
            self.exchange.fail(error)
        return self

    async def outcome(self) -> Outcome:
        """What the request came to, as soon as it is told."""
        await self.until(lambda: bool(self.outcomes))
        (outcome,) = self.outcomes
        return outcome

    async def result(self) -> Any:
        """Its result; its error is raised."""
        outcome = await self.outcome()
        if outcome.error is not None:
            raise outcome.error
        return outcome.result

    async def ended(self) -> None:
        """Wait until nothing more of it goes on."""
        await self.until(lambda: self.has_ended)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something that this peer is told."""
        async with asyncio.timeout(BOUND_S):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    def set_stream_credit(self, size: int) -> None:
        self.granted.append(size)

    def tell_progress(self, _exchange: Exchange, value: dict[str, Any]) -> None:
        self.progress.append(value)

    def deliver(self, _exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._changed.set()

    def end(self, exchange: Exchange) -> None:
        assert not self.has_ended, "an exchange ended twice"
        self.has_ended = True
        for descriptor in exchange.brought.descriptors:
            descriptor.close()
        for stream in exchange.brought.streams:
            stream.close()
        self._changed.set()

    def make_stream(self) -> OutgoingStream:
        assert self._credit_bytes is not None, "made only for a peer that reads streams"
        number = len(self.streams) + 1
        stream = OutgoingStream(number, credit_bytes=self._credit_bytes, on_ready=self._take)
        self.streams.append(stream)
        return stream

    def _take(self, stream: OutgoingStream) -> None:
        while stream.has_message:
            line, *data = stream.next_message()
            self.received += b"".join(data)
            self.stream_error = json.loads(line)["params"].get("error")
        self._changed.set()


def incoming(pieces: list[bytes | RpcError], *, number: int = 7) -> IncomingStream:
    """A stream on which a piece comes each time that credit is granted or one was read.

    An error breaks it off; else it ends after the last piece.
    """
    left = list(pieces)
    is_due = False

    def send() -> None:
        nonlocal is_due
        is_due = False
        if not left:
            stream.end()
        elif isinstance(left[0], RpcError):
            stream.break_off(left.pop(0))  # type: ignore[arg-type]
        elif len(left[0]) <= stream._credit:
            stream.feed(left.pop(0))  # type: ignore[arg-type]
            send_soon()

    def send_soon() -> None:
        nonlocal is_due
        if not is_due:
            is_due = True
            asyncio.get_running_loop().call_soon(send)

    def granted(_pieces: list[bytes]) -> None:
        send_soon()

    stream = IncomingStream(
        number, tell=granted, hold=lambda _size: None, let_go=lambda _size: None
    )
    return stream
