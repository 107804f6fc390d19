"""Tornado's curl client, with transfers that stream, pause, end when told and are sent once.

`CurlClient` is a `CurlAsyncHTTPClient`: its loop integration carries the transfers, and its `fetch`
works as ever. `start(transfer)` is the second way in, on easy handles of its own (`handle`). It
never queues: who starts a transfer holds a slot for it.
"""

import logging
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextvars import Context
from itertools import chain
from threading import get_ident
from typing import TYPE_CHECKING, Any

import pycurl
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.ioloop import IOLoop

from botod.pool.errors import PoolClosed, PoolError
from botod.pool.handle import Handle, Options
from botod.pool.lane import Tls, TlsVersion
from botod.pool.origin import Origin
from botod.pool.pieces import Piece
from botod.pool.ready import ReadySockets
from botod.pool.sockets import Reason, Sockets, SocketStats
from botod.pool.transfer import Failure, State, Transfer
from botod.pool.upload import LOW_BYTES, Upload

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger(__name__)

EXPECT_TIMEOUT_MS = 250
"""How long an upload with `Expect: 100-continue` waits for the interim answer, round the globe and
back. A server that does not know of it costs as much; curl's default is a second."""

CONNECTIONS_KEPT = 4096
"""Idle connections curl keeps: above any sum of slots, or a burst's connections are thrown away."""

IDLE_CONNECTION_S = 60
"""A connection idle for longer is not used again. AWS closes most of them sooner, after some 20 s;
that is noticed before a request is sent on one (see `sockets`), so this need not be as short."""

RESOLVED_S = 60
"""A name is asked for anew after this: AWS's answers are good for 60 s at most, many for 5."""


TIME_IS_UP = ((pycurl.SOCKET_TIMEOUT, 0),)
"""What is told to curl instead of a socket that is ready."""


class CurlClient(CurlAsyncHTTPClient):
    """One a loop. Keywords beyond Tornado's: see `initialize`."""

    def initialize(  # type: ignore[override]
        self,
        *,
        ca_file: str,
        connect_timeout_s: float = 10.0,
        idle_timeout_s: float = 70.0,
        **tornado_options: Any,
    ) -> None:
        """Set up the multi handle.

        ca_file: PEM file of the roots that servers are verified against.
        connect_timeout_s: resolving, connecting and TLS together.
        idle_timeout_s: a transfer on which less than a byte a second moves for so long fails;
            70 s is boto's own socket timeout, longer than any long poll.
        """
        if not pycurl.version_info()[4] & pycurl.VERSION_ASYNCHDNS:
            raise PoolError("libcurl resolves names synchronously; install one with AsynchDNS")
        self._closed = False
        self._is_acting = False
        self._thread_id = get_ident()
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = self._timer_due = math.inf
        self._loop: asyncio.AbstractEventLoop = IOLoop.current().asyncio_loop  # type: ignore[attr-defined]
        self.ready = ReadySockets(self._loop, self._act)
        super().initialize(**tornado_options)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self.ready.want)
        self._era = 0
        self.options = _options(ca_file, connect_timeout_s, idle_timeout_s)
        self._multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS_KEPT)
        self._idle: defaultdict[Tls, list[Handle]] = defaultdict(list)
        self._carrying: dict[pycurl.Curl, Handle] = {}
        self._handle_of: dict[Transfer, Handle] = {}
        self.sockets = Sockets()

    def reload(self, *, ca_file: str, connect_timeout_s: float, idle_timeout_s: float) -> None:
        """Have other options from the next transfer on; those of `initialize`.

        Files of roots are read anew, though their names be the same: new connections are verified
        against what is in them now. Those that are open stay.
        """
        self._era += 1
        self.options = _options(_respelled(ca_file, self._era), connect_timeout_s, idle_timeout_s)

    def start(self, transfer: Transfer, *, anew: bool = False) -> None:
        """Hand a transfer to curl at once. Raises ValueError for what curl cannot send.

        anew: on a new connection, though there may be an idle one.
        """
        if self._closed:
            raise PoolClosed("the client is closed")
        tls = transfer.request.origin.lane.tls
        idle = self._idle[tls]
        handle = idle.pop() if idle else self._new_handle(tls)
        if handle.era != self._era:
            handle.set_up(self._options_of(tls), self._era)
        try:
            handle.carry(transfer, anew=anew)
        except (pycurl.error, UnicodeError) as error:
            handle.transfer = None
            idle.append(handle)
            raise ValueError(f"not a request that can be sent: {error}") from error
        self._carrying[handle.curl] = self._handle_of[transfer] = handle
        self._is_acting = True
        try:
            self._multi.add_handle(handle.curl)  # it asks by `_set_timeout` for its turn
        finally:
            self._is_acting = False

    def abort(self, transfer: Transfer) -> None:
        """Stop a transfer now; its connection is closed, not reused. No-op once it has ended.

        The collector may run while curl is at work, or in another thread, and let go of a response
        there: curl takes no handle out then, so it is stopped in the next turn of the loop.
        """
        handle = self._handle_of.get(transfer)
        if handle is None:
            return
        if self._is_acting or get_ident() != self._thread_id:
            self._loop.call_soon_threadsafe(self.abort, transfer)
            return
        self.sockets.given_up(handle.opened, handle.ends, Reason.ABORTED)
        self._is_acting = True
        try:
            self._detach(handle, transfer)
        finally:
            self._is_acting = False
        transfer.end(State.ABORTED)

    def feed(self, transfer: Transfer, data: bytes) -> None:
        """Give curl more of the request's body. After the end it goes nowhere."""
        upload = transfer.request.upload
        assert upload is not None, f"{transfer} has no body"
        upload.feed(data)
        self._send_on(transfer, upload)

    def finish(self, transfer: Transfer) -> None:
        """Say that a body of unknown length has been fed whole."""
        upload = transfer.request.upload
        assert upload is not None, f"{transfer} has no body"
        upload.finished = True
        self._send_on(transfer, upload)

    def take(self, transfer: Transfer, size: int | None) -> list[Piece]:
        """Take what is here of the answer's body, and let curl go on once there is room."""
        pieces = transfer.take(size)
        if transfer.receiving_paused and transfer.unread_bytes <= LOW_BYTES:
            transfer.receiving_paused = False
            if transfer in self._handle_of:
                self._resume(transfer)
        return pieces

    def running_num(self) -> int:
        """Transfers that curl is at."""
        return len(self._handle_of)

    def socket_stats(self, origin: Origin) -> SocketStats:
        return self.sockets.stats(origin)

    def close(self) -> None:
        """Abort what runs, then close every connection and handle."""
        if self._closed:
            return
        self._closed = True
        for transfer in list(self._handle_of):
            self.abort(transfer)
        super().close()  # the multi first: it closes connections that the handles opened
        for handle in chain.from_iterable(self._idle.values()):
            handle.curl.close()
        self._idle.clear()
        for timer in (self._soon, self._timer):
            if timer is not None:
                timer.cancel()
        self.ready.close()

    def _send_on(self, transfer: Transfer, upload: Upload) -> None:
        if upload.paused and transfer in self._handle_of:
            upload.paused = False
            self._resume(transfer)

    def _resume(self, transfer: Transfer) -> None:
        self._is_acting = True
        try:
            # Both directions: one that has reason to pause says so again when curl asks it.
            self._handle_of[transfer].curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error:
            return  # it failed while paused; curl reports that failure in the next turn
        finally:
            self._is_acting = False
        self._set_timeout(0)

    def _detach(self, handle: Handle, transfer: Transfer) -> None:
        self._multi.remove_handle(handle.curl)
        del self._carrying[handle.curl], self._handle_of[transfer]
        handle.transfer = None
        self._idle[handle.tls].append(handle)

    def _new_handle(self, tls: Tls) -> Handle:
        options = self._options_of(tls)
        return Handle(options, self.sockets, self.ready, tls=tls, era=self._era)

    def _options_of(self, tls: Tls) -> Options:
        return {**self.options, **_tls_options(tls, self._era)}

    def _finish(
        self,
        curl: pycurl.Curl,
        curl_error: int | None = None,
        curl_message: str | None = None,
    ) -> None:
        handle = self._carrying.get(curl)
        if handle is None:  # one of Tornado's own, started by fetch
            super()._finish(curl, curl_error, curl_message)
            return
        transfer = handle.transfer
        assert transfer is not None, "a carrying handle has its transfer"
        if handle.found_dead:
            self._start_anew(handle, transfer)
            return
        if transfer.sent and not handle.opened:
            self.sockets.reused(transfer.request.origin)
        if curl_error is not None:
            self.sockets.given_up(handle.opened, handle.ends, Reason.FAILED)
        self._detach(handle, transfer)
        if curl_error is None:
            transfer.end(State.COMPLETE)
        else:
            transfer.end(State.FAILED, Failure(curl_error, curl_message or ""))

    def _start_anew(self, handle: Handle, transfer: Transfer) -> None:
        """Start on a new connection what was not sent, because its server had left the old one."""
        self._multi.remove_handle(handle.curl)
        handle.carry(transfer, anew=True)
        self._multi.add_handle(handle.curl)

    def _curl_create(self) -> pycurl.Curl:
        """Make one of the handles of `fetch`, which tells of its sockets as ours do."""
        curl = super()._curl_create()
        curl.setopt(pycurl.SOCKOPTFUNCTION, self._fetch_opened)
        return curl

    def _fetch_opened(self, fd: int, _purpose: int) -> int:
        self.ready.opened(fd)
        return int(pycurl.SOCKOPT_OK)

    def _act(self, ready: Iterable[tuple[int, int]]) -> None:
        """Let curl do what it can on sockets that are ready: descriptors and CSELECT flags."""
        # To the end: what curl has told to be finished must still be there when its turn comes.
        self._is_acting = True
        try:
            try:
                for fd, action in ready:
                    self._multi.socket_action(fd, action)
            except pycurl.error:  # of the whole multi; each transfer is told its own
                logger.exception("curl failed")  # the other sockets are told of as ready again
            self._finish_pending_requests()
        finally:
            self._is_acting = False

    def _set_timeout(self, msecs: int) -> None:
        """Called by curl, several times a request: act in so many milliseconds; -1: no need to.

        To act too early is harmless, so a timer that is due sooner stays, and -1 changes nothing.
        """
        if msecs == 0:
            if self._soon is None:
                self._soon = self._loop.call_soon(self._on_time)
        elif 0 < msecs < self._timer_ms:  # what was set before, for no longer, is due sooner
            self._set_timer(msecs)

    def _set_timer(self, msecs: int) -> None:
        due = self._loop.time() + msecs / 1000
        if self._timer_due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms, self._timer_due = float(msecs), due
        # In nobody's context, which would be kept until then.
        self._timer = self._loop.call_at(due, self._on_timer, context=Context())

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_ms = self._timer_due = math.inf
        if self._soon is None:
            self._on_time()

    def _on_time(self) -> None:
        self._soon = None
        self._act(TIME_IS_UP)
        if self._soon is None and self._timer is None and not self._closed:
            self._set_timeout(self._multi.timeout())  # curl tells only when it changes its mind


def _respelled(path: str, era: int) -> str:
    """The same file under another name than last time: curl keeps the roots of a name for a day."""
    return os.path.join("/", *["."] * (era % 2), os.path.abspath(path).lstrip("/"))  # noqa: PTH100, PTH118 - Path would mend it


def _tls_options(tls: Tls, era: int) -> dict[int, int | str]:
    """What differs for the connections of a lane. curl uses none that was made otherwise."""
    options: dict[int, int | str] = {pycurl.SSLVERSION: _TLS_VERSIONS[tls.min_version]}
    if tls.ca_file is not None:
        options[pycurl.CAINFO] = _respelled(tls.ca_file, era)
    if tls.cert_file is not None:
        options[pycurl.SSLCERT] = tls.cert_file
        options[pycurl.SSLKEY] = tls.key_file or tls.cert_file
    return options


_TLS_VERSIONS = {
    TlsVersion.TLS_1_2: pycurl.SSLVERSION_TLSv1_2,
    TlsVersion.TLS_1_3: pycurl.SSLVERSION_TLSv1_3,
}


def _options(
    ca_file: str, connect_timeout_s: float, idle_timeout_s: float
) -> dict[int, int | str | Callable[..., Any]]:
    """Options that are the same for every request of a client."""
    return {
        pycurl.NOSIGNAL: 1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        # Slots are counted against connections, and HTTP/2 has many streams on one.
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        # boto follows redirects itself, because it has to sign anew.
        pycurl.FOLLOWLOCATION: 0,
        pycurl.CAINFO: ca_file,
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.CONNECTTIMEOUT_MS: int(connect_timeout_s * 1000),
        # An idle timeout, not a total one: a stream that moves may take as long as it likes.
        pycurl.LOW_SPEED_LIMIT: 1,
        pycurl.LOW_SPEED_TIME: max(1, round(idle_timeout_s)),
        pycurl.EXPECT_100_TIMEOUT_MS: EXPECT_TIMEOUT_MS,
        pycurl.MAXAGE_CONN: IDLE_CONNECTION_S,
        pycurl.DNS_CACHE_TIMEOUT: RESOLVED_S,
        pycurl.TCP_KEEPALIVE: 1,
    }
