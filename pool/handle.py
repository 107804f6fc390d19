"""An easy handle of curl's that carries one transfer after the other, set up once.

What is the same for every request of a client is set when a handle is made, what most requests have
in common with the one before only if they differ, and the rest for each.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from random import random
from typing import Any

import pycurl

from botod.pool.lane import Tls
from botod.pool.ready import ReadySockets
from botod.pool.request import Request
from botod.pool.sockets import Route, Sockets
from botod.pool.transfer import DO_NOT_SEND, Transfer
from botod.pool.upload import Upload

SMALL_BODY_BYTES = 64 * 1024
SMALL_BUFFER_BYTES = 16 * 1024
LARGE_BUFFER_BYTES = 256 * 1024
"""What curl sends a body from. It is allocated whole for the smallest message, however that is
handed over: 16 KiB is the least it takes. Large bodies gain from a larger one."""

LONGEST_CONNECTION_S = 3600
"""A connection older than this, less up to a tenth, is not used again: so that a service's load
balancers, which change, get their share."""

Options = Mapping[int, int | str | Callable[..., Any]]


class Sending(Enum):
    """How curl gets a request's body."""

    NOTHING = "there is none"
    WHOLE = "with the request"
    SMALL = "by callbacks, through a small buffer"
    LARGE = "by callbacks, through a large buffer"


class Handle:
    """An easy handle, and the transfer that it carries now.

    found_dead: it was not sent, because the server had left the connection. opened: the sockets
    that were opened for this transfer. ends: of the connection that it is sent on; None: it is not
    yet. era: which of the client's options it is set up with, by their count. tls: how its
    connections prove who is there; it does not change, as curl has no way to take back a
    certificate of ours.
    """

    __slots__ = (
        "_ready_sockets",
        "_set_for",
        "_sockets",
        "curl",
        "ends",
        "era",
        "found_dead",
        "opened",
        "tls",
        "transfer",
    )

    def __init__(
        self, options: Options, sockets: Sockets, ready_sockets: ReadySockets, *, tls: Tls, era: int
    ) -> None:
        self.tls = tls
        self.transfer: Transfer | None = None
        self.found_dead = False
        self.opened: list[int] = []
        self.ends: tuple[str, str, int, int] | None = None
        self.curl = pycurl.Curl()
        self._sockets = sockets
        self._ready_sockets = ready_sockets
        self._set_for: tuple[object, ...] | None = None
        self.set_up(options, era)
        # Each handle's own, or all connections of a burst would be replaced in one moment.
        self.curl.setopt(pycurl.MAXLIFETIME_CONN, _jittered(LONGEST_CONNECTION_S))
        self.curl.setopt(pycurl.PREREQFUNCTION, self._ready)
        self.curl.setopt(pycurl.SEEKFUNCTION, _cannot_seek)
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._socket_opened)

    def set_up(self, options: Options, era: int) -> None:
        """Set what is the same for every request; on a handle that has been in use, too."""
        self.era = era
        for option, value in options.items():
            self.curl.setopt(option, value)

    def carry(self, transfer: Transfer, *, anew: bool = False) -> None:
        """Set what differs from request to request. Nothing may stay from the one before.

        anew: on a connection that is opened for it.
        """
        self.transfer = transfer
        self.found_dead = False
        self.opened.clear()
        self.ends = None
        request, curl = transfer.request, self.curl
        upload = request.upload
        sending = Sending.NOTHING if upload is None else _sending(upload)
        kind = (request.origin, request.proxy, request.method, sending, anew, request.is_last)
        if kind != self._set_for:
            self._set_for = None  # should curl refuse some of it
            self._set(request, sending, anew=anew)
            self._set_for = kind
        curl.setopt(pycurl.HEADERFUNCTION, transfer.curl_header)
        curl.setopt(pycurl.WRITEFUNCTION, transfer.curl_write)
        curl.setopt(pycurl.REQUEST_TARGET, request.wire_target)
        curl.setopt(pycurl.HTTPHEADER, request.headers)
        if upload is None:
            return
        if upload.whole is not None:
            curl.setopt(pycurl.POSTFIELDS, upload.whole)
        else:
            length = upload.length_bytes
            curl.setopt(pycurl.READFUNCTION, transfer.curl_read)
            curl.setopt(pycurl.INFILESIZE_LARGE, -1 if length is None else length)

    def _set(self, request: Request, sending: Sending, *, anew: bool) -> None:
        """Set what most requests have in common with the one before; it takes 3 us."""
        curl = self.curl
        curl.setopt(pycurl.FRESH_CONNECT, int(anew))
        curl.setopt(pycurl.FORBID_REUSE, int(request.is_last))
        curl.setopt(pycurl.URL, f"{request.origin}/")
        # Always set, or the environment would say: a daemon's proxy is in its configuration.
        curl.setopt(pycurl.PROXY, "" if request.proxy is None else request.proxy.url)
        # HTTPGET undoes NOBODY, POSTFIELDS and UPLOAD, so it comes first.
        curl.setopt(pycurl.HTTPGET, 1)
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        if sending in (Sending.SMALL, Sending.LARGE):
            curl.setopt(pycurl.UPLOAD, 1)
        elif request.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        is_large = sending is Sending.LARGE
        curl.setopt(
            pycurl.UPLOAD_BUFFERSIZE, LARGE_BUFFER_BYTES if is_large else SMALL_BUFFER_BYTES
        )

    def _ready(
        self, server_address: str, local_address: str, server_port: int, local_port: int
    ) -> int:
        """Say whether to send, on the connection with these ends."""
        transfer = self.transfer
        assert transfer is not None, "curl sends what is not under way"
        ends = self.ends = (server_address, local_address, server_port, local_port)
        if self.opened:
            self._sockets.connected(Route(*ends), self.opened)
        elif not transfer.sent and self._sockets.server_left(ends):
            self.found_dead = True
            return DO_NOT_SEND
        return transfer.curl_ready()

    def _socket_opened(self, fd: int, _purpose: int) -> int:
        transfer = self.transfer
        assert transfer is not None, "curl connects for what is not under way"
        if transfer.sent:  # for a second copy, which would be refused once this is connected
            return int(pycurl.SOCKOPT_ERROR)
        self.opened.append(fd)
        self._ready_sockets.opened(fd)
        self._sockets.opened(fd, transfer.request.origin)
        return int(pycurl.SOCKOPT_OK)


def _cannot_seek(_offset: int, _origin: int) -> int:
    """Refuse to send a body from its beginning again."""
    return int(pycurl.SEEKFUNC_FAIL)


def _sending(upload: Upload) -> Sending:
    if upload.whole is not None:
        return Sending.WHOLE
    length = upload.length_bytes
    is_small = length is not None and length <= SMALL_BODY_BYTES
    return Sending.SMALL if is_small else Sending.LARGE


def _jittered(seconds: int) -> int:
    return round(seconds * (1 - random() / 10))  # noqa: S311 - not a secret
