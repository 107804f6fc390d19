"""One connection as a conversation: what the peer's messages mean, and what is to be sent. No I/O.

The session owns what came and what is to go, and the streams of both directions; its requests are
`exchanges`'. Nothing is ever made to wait: what is over a limit is answered with an error, so that
no order of reading and writing at the peer can lead to a standstill. Only streams push back, by
their credit.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from botod.ipc.batches import Batch
from botod.ipc.controls import CHUNK_BYTES, STREAM_DATA, Cancel, is_control, read_control
from botod.ipc.descriptor_queue import close_quietly
from botod.ipc.envelope import request_id
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.exchange import Sender
from botod.ipc.exchanges import Exchanges, Shared
from botod.ipc.framing import Array, Decoder, Message, Refused
from botod.ipc.limits import Account
from botod.ipc.outbox import Outbox
from botod.ipc.protocol import encode_error
from botod.ipc.stream_table import StreamTable
from botod.ipc.streams import OutgoingStream

UNREAD_MAX = 10_000
"""Messages that are still refused one by one while too much waits to be read: so many may have been
on their way. The errors take some 2 MB."""


class Session:
    """The conversation with one peer.

    account: its user's. write: has what lies in the outbox written. write_soon: so, too, unless
    more is about to be put there.
    """

    def __init__(
        self,
        shared: Shared,
        account: Account,
        write: Callable[[], None],
        write_soon: Callable[[], None],
    ) -> None:
        self.decoder = Decoder(shared.limits.message, reserve=self._reserve)
        self.outbox = Outbox(account.budget.force)
        self.streams = StreamTable(
            most=shared.limits.streams_per_peer,
            budget=account.budget,
            refusals=shared.refusals,
            tell=self.tell,
            on_ready=self._stream_ready,
        )
        self._exchanges = Exchanges(
            shared,
            account,
            outbox=self.outbox,
            streams=self.streams,
            tell=self.tell,
            write=write,
            write_soon=write_soon,
        )
        self.in_flight = self._exchanges.in_flight
        self._shared = shared
        self._account = account
        self._budget = account.budget
        self._write = write
        self._unread_num = 0
        self._line_bytes = 0

    def take_descriptors(self, fds: Iterable[int]) -> None:
        """Keep what came until a line declares it. Raises ProtocolError for what is never taken."""
        descriptors, account = self.decoder.descriptors, self._account
        before = len(descriptors)
        try:
            descriptors.add(fds)
        finally:
            account.descriptors_num += len(descriptors) - before
        if account.descriptors_num > 2 * self._shared.limits.descriptors_per_uid:
            most = self._shared.limits.descriptors_per_uid
            words = f"far more than {most} descriptors of this user are open"
            raise ProtocolError(Code.OVERLOADED, words, {"limit": "descriptors_per_uid"})

    def take_message(self, sender: Sender, *, now: float) -> bool:
        """Act on the next message. False: none is here whole. Raises ProtocolError."""
        event = self.decoder.next()
        if self.decoder.line_bytes != self._line_bytes:  # seldom: most lines come whole
            self._count_line()
        if event is None:
            return False
        if self.outbox.unread_bytes < self._shared.limits.unread_bytes:
            self._unread_num = 0
        else:
            self._count_unread()
        if isinstance(event, Message):
            self._take_message(event, sender, now)
        elif isinstance(event, Array):
            self._take_array(event, sender, now)
        else:
            self._take_refused(event, sender)
        return True

    def refuse_requests(self, error: RpcError) -> None:
        """Answer requests that come from now on with this; those in flight go on."""
        self._exchanges.is_refusing = error

    def no_more_comes(self) -> None:
        """The peer sends nothing more, or nothing more is read: let go of what has begun."""
        self._account.descriptors_num -= len(self.decoder.descriptors)
        self.decoder.descriptors.close()
        self._budget.release(self.decoder.reserved_bytes)
        self.decoder.forget_rest()
        self._count_line()
        self.streams.no_more_comes()

    def stop_sending(self) -> None:
        """The peer reads nothing more; what it has sent is still acted on."""
        self.outbox.close()
        self.streams.stop_sending(RpcError(Code.CANCELLED, "the peer hung up"))

    def hang_up(self) -> None:
        """The peer is gone: end what it asked for, but for what is to be done all the same."""
        self.stop_sending()
        self.streams.hang_up(RpcError(Code.CANCELLED, "the peer hung up"))
        self.no_more_comes()
        self.in_flight.hang_up()

    def tell(self, pieces: list[bytes]) -> None:
        """Send a message; to a peer that is gone, nothing."""
        self.outbox.put(pieces)
        self._write()

    def _count_unread(self) -> None:
        """Raise ProtocolError for a peer that goes on sending and does not read."""
        self._unread_num += 1
        if self._unread_num > UNREAD_MAX:
            raise ProtocolError(
                Code.TOO_SLOW,
                f"{UNREAD_MAX} messages came while {self.outbox.unread_bytes} bytes of answers "
                "wait to be read",
                {"limit": "unread_bytes"},
            )

    def _count_line(self) -> None:
        """Keep the budget in step with the line that is half here."""
        line_bytes = self.decoder.line_bytes
        self._budget.force(line_bytes - self._line_bytes)
        self._line_bytes = line_bytes

    def _reserve(self, size: int, envelope: dict[str, Any]) -> RpcError | None:
        if envelope.get("method") == STREAM_DATA and size <= CHUNK_BYTES:
            self._budget.force(size)  # its room was held when credit was granted
            return None
        if self._budget.reserve(size):
            return None
        limit = self._budget.limit_of(size)
        words = f"no room for {size} bytes now: other requests hold theirs"
        return self._shared.refusals.error(limit, words)

    def _take_refused(self, refused: Refused, sender: Sender) -> None:
        self._close(refused.fds)
        error = refused.error
        if is_control(refused.method):  # nobody could be told, and a stream would have a hole
            raise ProtocolError(error.code, error.message, error.data)
        if error.data.get("limit") == "inline_bytes":
            self._shared.refusals.count("inline_bytes")
        self._shared.on_refused(sender, _method_of(refused.envelope), error)
        if not _is_notification(refused.envelope or {}):
            self.tell(encode_error(refused.request_id, error))

    def _take_array(self, array: Array, sender: Sender, now: float) -> None:
        batch = Batch(len(array.items), self._budget, array.held_bytes)
        for item in array.items:
            try:
                message = _of_batch(item)
                self._exchanges.begin(message, sender, now, batch)
            except RpcError as error:
                self._shared.on_refused(sender, _method_of(item), error)
                batch.refuse(item, error)
                self._exchanges.end_batch(batch)

    def _take_message(self, message: Message, sender: Sender, now: float) -> None:
        try:
            control = read_control(message)
        except ProtocolError:
            self._drop(message)
            raise
        except RpcError as error:
            self._drop(message)
            self._shared.on_refused(sender, _method_of(message.envelope), error)
            self.tell(encode_error(request_id(message.envelope), error))
            return
        if control is not None:
            self._drop(message)
            if isinstance(control, Cancel):
                self.in_flight.cancel(control.request_id)
            else:
                self.streams.obey(control)
            return
        try:
            self._exchanges.begin(message, sender, now, None)
        except RpcError as error:
            self._shared.on_refused(sender, _method_of(message.envelope), error)
            if not _is_notification(message.envelope):
                self.tell(encode_error(request_id(message.envelope), error))

    def _drop(self, message: Message) -> None:
        """Let go of what came with a message that is no request."""
        self._close(message.fds)
        self._budget.release(message.held_bytes)

    def _close(self, fds: Sequence[int]) -> None:
        """Close descriptors that no request will have."""
        self._account.descriptors_num -= len(fds)
        for fd in fds:
            close_quietly(fd)

    def _stream_ready(self, stream: OutgoingStream) -> None:
        self.outbox.ready(stream)
        self._write()


def _is_notification(envelope: dict[str, Any]) -> bool:
    """Whether nobody waits for an answer."""
    return "method" in envelope and "id" not in envelope


def _method_of(envelope: Any) -> str:
    """As it came; empty: there is none."""
    method = envelope.get("method") if isinstance(envelope, dict) else None
    return method if isinstance(method, str) else ""


def _of_batch(item: Any) -> Message:
    if not isinstance(item, dict):
        raise RpcError(Code.INVALID_REQUEST, "not a request: not an object")
    if item.keys() & {"bytes", "fds", "streams"}:
        raise RpcError(Code.INVALID_REQUEST, "nothing can be declared in a batch: ask alone")
    message = Message(item)
    if read_control(message) is not None:
        raise RpcError(Code.INVALID_REQUEST, f"{item['method']} stands alone, not in a batch")
    return message
