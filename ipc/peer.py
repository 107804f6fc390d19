"""One peer's socket: bytes and descriptors in and out, and how long the peer may take.

It is read with recvmsg on asyncio's readers, not through a transport: the sender's credentials come
beside the bytes, and after a peer's half-close its answers still have to be written, where
transports and Tornado's IOStream close.
"""

import asyncio
import logging
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botod.ipc.descriptor_queue import MAX_FDS, SURPLUS_FDS
from botod.ipc.errors import Code, ProtocolError, RpcError
from botod.ipc.exchange import Sender
from botod.ipc.exchanges import Shared
from botod.ipc.groups import groups_of
from botod.ipc.hang_ups import HangUps
from botod.ipc.life import READING, TRANSITIONS, Life
from botod.ipc.limits import Account, Accounts
from botod.ipc.lingering import linger
from botod.ipc.patience import Overdue, Patience
from botod.ipc.protocol import encode_error
from botod.ipc.receiving import Credentials, connected_as, receive
from botod.ipc.session import Session

logger = logging.getLogger(__name__)

VISIT_S = 0.0002
"""What came is acted on for so long, a dozen small requests; then the other peers have their turn.
What one read brings could be thousands, and take a tenth of a second."""

GATHERED_BYTES = 64 * 1024
"""Answers that wait for the others of one turn of the loop, before more of them are written at
once. With 64 requests in flight they end in bursts of some 7, and a write takes 10 µs."""

LAST_READS = 512
"""Before a connection takes no more: a socket's buffer holds fewer messages with descriptors."""


@dataclass(frozen=True)
class PeerStats:
    """One connection now. number: which of our connections it is."""

    number: int
    pid: int
    uid: int
    in_flight_num: int
    requests_total: int
    unread_bytes: int
    streams_num: int


class PeerConnection:
    """One peer's socket.

    number: which of our connections it is. account: what the user who connected has.
    """

    def __init__(
        self,
        sock: socket.socket,
        number: int,
        *,
        shared: Shared,
        accounts: Accounts,
        account: Account,
        hang_ups: HangUps,
        on_close: Callable[["PeerConnection"], None],
    ) -> None:
        self.sock = sock
        self.account = account
        self.sender: Sender | None = None
        self._credentials = b""  # the sender's, as they came
        self.life = Life.OPEN
        self.number = number
        self._refusals = shared.refusals
        self._accounts = accounts
        self._hang_ups = hang_ups
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._shared = shared
        self._session = Session(shared, account, self._write, self._write_soon)
        self._is_busy = False
        self._is_write_due = False
        self._lingers = False
        self._has_more = False  # messages that came and were not acted on yet
        self._is_to_finish = False  # once they are
        self._last_reads = LAST_READS
        self._waits_for_room = False
        self._patience = Patience(shared.limits, now=self._loop.time())
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf
        self._loop.add_reader(sock, self._act, self._read_once)
        hang_ups.watch(sock, self._on_gone)
        self._watch()

    def __repr__(self) -> str:
        return f"<connection {self.number} of {self.sender}, {self.life.value}>"

    def stats(self) -> PeerStats:
        sender = self.sender
        return PeerStats(
            number=self.number,
            pid=0 if sender is None else sender.pid,
            uid=-1 if sender is None else sender.uid,
            in_flight_num=len(self._session.in_flight),
            requests_total=self._session.in_flight.requests_total,
            unread_bytes=self._session.outbox.unread_bytes,
            streams_num=len(self._session.streams),
        )

    def refuse(self, error: RpcError, *, lingers: bool = False) -> None:
        """Say why, and close once that is written. What is in flight is still answered.

        lingers: what the peer still writes is taken for a moment, and dropped.
        """
        if self.life in READING:
            sender = self.sender or Sender(*connected_as(self.sock), self.number)
            self._shared.on_refused(sender, "", error)
            self._session.tell(encode_error(None, error))
        self._lingers = lingers
        self._stop_reading()
        self._close_if_done()

    def finish(self) -> None:
        """Take no more requests; close when the last answer is written and each stream ended.

        What has come by now is acted on: its sender may have been told of no connection but this.
        """
        if self.life is Life.OPEN and not self._has_more:
            self._act(self._read_all)
        if self.life is Life.OPEN and self._has_more:
            self._is_to_finish = True
            return
        if self.life is Life.OPEN:
            self._become(Life.FINISHING)
            words = "the daemon is shutting down"
            self._session.refuse_requests(RpcError(Code.SHUTTING_DOWN, words, {"retryable": True}))
        self._close_if_done()

    def end(self, error: RpcError | None = None) -> None:
        """Hang up, after answers and a last word, which are said if the peer takes them at once."""
        if error is not None and self.life in READING:
            self._session.tell(encode_error(None, error))
        self._write()
        self.hang_up()

    def hang_up(self) -> None:
        """The peer is gone, or has to go: end its jobs, forget its answers."""
        if self.life is Life.CLOSED:
            return
        self._loop.remove_reader(self.sock)
        self._become(Life.CLOSED)
        if self._waits_for_room:
            self._loop.remove_writer(self.sock)
        if self._timer is not None:
            self._timer.cancel()
        self._hang_ups.forget(self.sock)
        self._on_close(self)
        self.sock.close()
        self._session.hang_up()

    def _become(self, life: Life) -> None:
        assert life in TRANSITIONS[self.life], f"{self} cannot become {life.value}"
        self.life = life

    def _stop_reading(self) -> None:
        if self.life in READING:
            self._loop.remove_reader(self.sock)
            self._become(Life.HALF_CLOSED)
            self._has_more = False
            self._session.no_more_comes()  # which writes, and may find the peer gone

    def _on_gone(self) -> None:
        """Hang up, for the peer will read nothing more; what it had sent is acted on all the same.

        Told in each turn until then. The reader is no help: libuv tells of an error once, and then
        of nothing, though there be more to read.
        """
        if self.life in READING:
            if not self._has_more:
                self._act(self._read_all)
            if self._has_more:
                return
        self.hang_up()

    def _go_on(self) -> None:
        if self.life in READING:
            self._act(self._take_messages)
        if self._is_to_finish and not self._has_more:
            self.finish()

    def _act(self, deed: Callable[[], bool]) -> None:
        """Do what reads, and write what it brings. `deed` says whether it met the end.

        One named border: nothing that a peer sends may hurt the others.
        """
        self._is_busy = True
        try:
            ended = deed()
        except ProtocolError as error:
            if "limit" in error.data:
                self._refusals.count(error.data["limit"])
            self._has_more = False
            self.refuse(error, lingers=True)
            ended = False
        except OSError as error:
            logger.info("%r is gone: %s", self, error)
            self.hang_up()
            return
        except Exception:
            logger.exception("a bug: %r is hung up on", self)
            self.hang_up()
            return
        finally:
            self._is_busy = False
        if ended:
            self._stop_reading()
        if self._session.outbox or self.life is not Life.OPEN:
            self._write()

    def _read_once(self) -> bool:
        """Take what is there, unless there still is something from before."""
        if self._has_more:
            return False
        data = self._receive()
        return data is not None and self._take_in(data)

    def _read_all(self) -> bool:
        """What is there by now, which may be several reads: one ends behind passed descriptors."""
        while self._last_reads and not self._has_more:
            self._last_reads -= 1
            data = self._receive()
            if data is None:
                return False
            if self._take_in(data):
                return True
        return False

    def _take_in(self, data: memoryview) -> bool:
        """Act on what was read; nothing: the end."""
        if data:
            self._session.decoder.feed(data)
        else:
            self._session.decoder.feed_eof()
        self._take_messages()
        return not data and not self._has_more  # if there is more, the end is met again

    def _take_messages(self) -> bool:
        """Act on what has come, for a while; the rest has its turn later."""
        if self.sender is None:  # the end was the first that came
            return False
        session, patience, now = self._session, self._patience, self._loop.time()
        patience.sent_at = now
        while session.take_message(self.sender, now=now):
            if not session.decoder.is_half_read:  # as most often: it came alone
                break
            patience.whole()
            if self._loop.time() >= now + VISIT_S:
                self._has_more = True
                self._loop.call_soon(self._go_on)
                return False
        self._has_more = False
        if not session.decoder.is_half_read:
            patience.whole()
        elif patience.half(now):
            self._watch()
        return False

    def _receive(self) -> memoryview | None:
        """Bytes from the peer, until the next read; None: none now; none at all: the end.

        Checks who sent them.
        """
        received = receive(self.sock)
        if received is None:
            return None
        data, fds, credentials, is_cut = received
        try:
            if credentials is not None and credentials != self._credentials:
                self._identify(credentials)
        finally:
            if fds:
                self._session.take_descriptors(fds)
        if is_cut:
            raise _cut(len(fds))
        if data and self.sender is None:
            raise ProtocolError(Code.ACCESS_DENIED, "the kernel does not say who sends")
        return data

    def _identify(self, credentials: bytes) -> None:
        known, sender = self.sender, Credentials.unpack(credentials)
        if known is not None and known.uid != sender.uid:
            raise ProtocolError(
                Code.ACCESS_DENIED, "another user sends on this connection: connect anew"
            )
        self.sender = Sender(*sender, self.number, *groups_of(self.sock, sender))
        self._credentials = credentials
        if self.account.uid != sender.uid:  # root connected, and dropped its rights before it sent
            self.account.peers_num -= 1
            self.account = self._accounts.of(sender.uid, now=self._loop.time())
            self.account.peers_num += 1
            self._session = Session(self._shared, self.account, self._write, self._write_soon)

    def _write(self) -> None:
        """Write until done or the socket is full; then again when it has room.

        While messages are read their answers are gathered, to be written at once. While it writes,
        the last piece of a stream may end a request, which comes here again.
        """
        if not (self._is_busy or self._waits_for_room or self.life is Life.CLOSED):
            self._write_now()

    def _write_soon(self) -> None:
        """Write the answers of one turn of the loop together, while the peer waits for more."""
        session = self._session
        if not session.in_flight or session.outbox.waiting_bytes > GATHERED_BYTES:
            self._write()
        elif not (self._is_write_due or self._is_busy):
            self._is_write_due = True
            self._loop.call_soon(self._write_gathered)

    def _write_gathered(self) -> None:
        self._is_write_due = False
        if self._session.outbox:  # or else the answers to what was read meanwhile took them along
            self._write()

    def _write_now(self) -> None:
        self._is_busy = True
        try:
            self._flush()
        finally:
            self._is_busy = False
        if self.life is not Life.OPEN:
            self._close_if_done()

    def _flush(self) -> None:
        outbox = self._session.outbox
        while buffers := outbox.next_buffers():
            try:
                written = self.sock.sendmsg(buffers)
            except (BlockingIOError, InterruptedError):
                outbox.written(0)
                break
            except OSError:
                self._no_more_reads()
                return
            self._patience.took_at = self._loop.time()
            outbox.written(written)
        if outbox.unread_bytes or self._waits_for_room:
            self._wait_for_room(wanted=outbox.unread_bytes > 0)
        if self._session.streams.outgoing:
            self._watch()

    def _no_more_reads(self) -> None:
        """The peer is gone. What it had sent before that is acted on all the same."""
        if self.life not in READING:
            self.hang_up()
            return
        self._session.stop_sending()
        self._wait_for_room(wanted=False)

    def _wait_for_room(self, *, wanted: bool) -> None:
        if wanted and not self._waits_for_room:
            self._loop.add_writer(self.sock, self._write_now)
            self._waits_for_room = True
            self._patience.took_at = self._loop.time()
            self._watch()
        elif self._waits_for_room and not wanted:
            self._loop.remove_writer(self.sock)
            self._waits_for_room = False

    def _close_if_done(self) -> None:
        """Once no requests are taken: close when the last answer is written."""
        is_last = self.life in (Life.FINISHING, Life.HALF_CLOSED)
        is_done = not (self._has_more or self._session.in_flight or self._session.outbox)
        if is_last and is_done and self._lingers:
            self._lingers = False
            linger(self.sock, self.hang_up)
        elif is_last and is_done:
            self.hang_up()

    def _watch(self) -> None:
        """Have one timer, for what is due first; what is put off is looked at when it goes off."""
        due, _overdue = self._due()
        if self._timer_due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._timer, self._timer_due = None, math.inf
        due, overdue = self._due()
        if due <= self._loop.time() and overdue is not Overdue.NOTHING:
            _DEEDS[overdue](self)
        if self.life is not Life.CLOSED:
            self._watch()

    def _due(self) -> tuple[float, Overdue]:
        session = self._session
        return self._patience.first_due(
            now=self._loop.time(),
            declared_bytes=session.decoder.declared_bytes,
            is_sending=self.life in READING,
            waits_to_be_read=bool(session.outbox.unread_bytes),
            has_streams=bool(session.streams.outgoing),
            may_be_idle=self.life is Life.OPEN and not session.in_flight,
        )

    def _too_slow(self) -> None:
        self._refusals.count("half_sent_timeout_s")
        words = "the rest of a message did not come in time"
        self.refuse(RpcError(Code.TOO_SLOW, words, {"limit": "half_sent_timeout_s"}))

    def _does_not_read(self) -> None:
        self._refusals.count("unread_timeout_s")
        logger.warning("%r took nothing of its answers in time; hung up", self)
        self.hang_up()

    def _look_at_streams(self) -> None:
        self._patience.looked_at = self._loop.time()
        words = "no credit came in time for the rest of the stream"
        self._session.streams.abort_stalled(
            RpcError(Code.TOO_SLOW, words, {"limit": "unread_timeout_s"})
        )

    def _idle(self) -> None:
        self._refusals.count("idle_timeout_s")
        words = "the connection was idle; nothing that was sent after this was read: connect anew"
        self.refuse(RpcError(Code.IDLE, words, {"limit": "idle_timeout_s"}))


def _cut(came: int) -> ProtocolError:
    """The error for descriptors that were passed and did not come."""
    if came >= MAX_FDS + SURPLUS_FDS:
        return ProtocolError(Code.INVALID_REQUEST, "too many descriptors were passed at once")
    words = "the daemon has no room for another descriptor now"
    return ProtocolError(Code.OVERLOADED, words, {"retryable": True, "limit": "descriptors"})


_DEEDS: Mapping[Overdue, Callable[[PeerConnection], None]] = {
    Overdue.ASK: PeerConnection._idle,  # noqa: SLF001 - the connection's own table
    Overdue.GRANT: PeerConnection._look_at_streams,  # noqa: SLF001
    Overdue.READ: PeerConnection._does_not_read,  # noqa: SLF001
    Overdue.SEND: PeerConnection._too_slow,  # noqa: SLF001
}
