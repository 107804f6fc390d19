"""The requests of one connection: each from its message to its answer. No I/O.

Each is checked against the limits here, before the handler sees it. However it ends, what it
brought and what it held is let go of once, here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botod.ipc.answering import encode_outcome, internal_error
from botod.ipc.batches import Batch
from botod.ipc.descriptors import Descriptor
from botod.ipc.envelope import declared_streams
from botod.ipc.errors import RpcError
from botod.ipc.exchange import NOTHING, Brought, Exchange, Handler, OnRefused, Outcome, Sender
from botod.ipc.framing import Message
from botod.ipc.in_flight import InFlight
from botod.ipc.limits import Account, Refusals, ServerLimits
from botod.ipc.markers import Declared
from botod.ipc.outbox import Outbox
from botod.ipc.protocol import encode_notification, read_request
from botod.ipc.stream_table import StreamTable
from botod.ipc.streams import OutgoingStream

NOTHING_DECLARED = Declared()
"""For a message without markers, as most are."""


@dataclass(frozen=True)
class Shared:
    """What all sessions of a server have in common."""

    handler: Handler
    limits: ServerLimits
    refusals: Refusals
    on_refused: OnRefused = lambda _sender, _method, _error: None


class Exchanges:
    """What the peer asked for and has not been told yet: the home of each exchange.

    account: its user's. outbox, streams: the connection's. tell: sends a message. write,
    write_soon: see Session. is_refusing: why no request is taken any more.
    """

    def __init__(
        self,
        shared: Shared,
        account: Account,
        *,
        outbox: Outbox,
        streams: StreamTable,
        tell: Callable[[list[bytes]], None],
        write: Callable[[], None],
        write_soon: Callable[[], None],
    ) -> None:
        self.in_flight = InFlight(account, shared.limits, shared.refusals)
        self.is_refusing: RpcError | None = None
        self._shared = shared
        self._account = account
        self._budget = account.budget
        self._outbox = outbox
        self._streams = streams
        self._tell = tell
        self._write = write
        self._write_soon = write_soon
        self._batches: dict[Exchange, Batch] = {}

    def begin(self, message: Message, sender: Sender, now: float, batch: Batch | None) -> None:
        """Hand a request to the handler. Raises RpcError, with nothing of the request left."""
        brought = self._brought(message)
        try:
            declared = NOTHING_DECLARED if message.is_plain else _declared(message, brought)
            request = read_request(message, declared)
            if self.is_refusing is not None:
                raise self.is_refusing.with_traceback(None)  # or it keeps each request that it met
            reads_streams = self._streams.initial_credit is not None and batch is None
            can_stream = reads_streams and not request.is_notification
            exchange = Exchange(request, sender, brought, self._budget, self, can_stream=can_stream)
            self.in_flight.add(exchange, unread_bytes=self._outbox.unread_bytes, now=now)
        except RpcError:
            self._let_go(brought)
            raise
        if batch is not None:
            self._batches[exchange] = batch
        try:
            self._shared.handler(exchange)
        except RpcError as error:
            exchange.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug there: this peer is told, all go on
            exchange.fail(internal_error(error))

    def make_stream(self) -> OutgoingStream:
        return self._streams.open_outgoing()

    def set_stream_credit(self, size: int) -> None:
        self._streams.initial_credit = size

    def deliver(self, exchange: Exchange, outcome: Outcome) -> None:
        """Have it answered: written with its end, or at once if its streams are still to come."""
        batch = self._batches.pop(exchange, None)
        if batch is not None:
            self._deliver_in(batch, exchange, outcome)
        elif not exchange.request.is_notification:
            self._outbox.put(encode_outcome(exchange, outcome))
        if outcome.streams:
            self._write()

    def _deliver_in(self, batch: Batch, exchange: Exchange, outcome: Outcome) -> None:
        try:
            batch.settle(exchange, outcome)
        except (TypeError, ValueError, RecursionError) as error:  # what JSON does not have
            batch.settle(exchange, Outcome(error=internal_error(error)))
        self.end_batch(batch)

    def end_batch(self, batch: Batch) -> None:
        """Answer a batch, if all in it is settled."""
        if not batch.left:
            self._tell(batch.finish())

    def tell_progress(self, exchange: Exchange, value: dict[str, Any]) -> None:
        params = {"id": exchange.request.request_id, "value": value}
        self._tell(encode_notification("$/progress", params))

    def end(self, exchange: Exchange) -> None:
        self.in_flight.remove(exchange)
        if exchange.brought is not NOTHING:
            self._let_go(exchange.brought)
        if self._streams.outgoing:
            self._streams.forget_ended()
        self._write_soon()

    def _brought(self, message: Message) -> Brought:
        """What came with a message. Raises RpcError, with nothing of it left."""
        if not (message.held_bytes or message.fds or "streams" in message.envelope):
            return NOTHING
        descriptors = tuple(map(Descriptor, message.fds))
        brought = Brought(descriptors, (), message.held_bytes)
        if "streams" not in message.envelope:
            return brought
        try:
            streams = self._streams.open_incoming(declared_streams(message.envelope))
        except RpcError:
            self._let_go(brought)
            raise
        return Brought(descriptors, streams, message.held_bytes)

    def _let_go(self, brought: Brought) -> None:
        for descriptor in brought.descriptors:
            descriptor.close()
        self._account.descriptors_num -= len(brought.descriptors)
        self._streams.close_incoming(brought.streams)
        self._budget.release(brought.held_bytes)


def _declared(message: Message, brought: Brought) -> Declared:
    streams = {stream.number: stream for stream in brought.streams}
    return Declared(message.blobs, brought.descriptors, streams)
