"""http.client's connection, as boto uses it, on the pool.

boto believes it has a socket. It calls `request`, or `putrequest … endheaders, send …`, then
`getresponse` and `read`; where http.client would block, these park the greenlet.

A connection here is a place to make requests to, and costs nothing. The slot is leased when a
request starts and is given back when its transfer ends: complete, failed, aborted or dropped. So
what boto forgets to close (it does, on every failed try) holds no slot.
"""

import http.client
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from botod.pool import bridge
from botod.pool.errors import Unsupported
from botod.pool.failures import failure_error
from botod.pool.framing import Unframer
from botod.pool.origin import Origin, Proxy
from botod.pool.pool import Pool
from botod.pool.request import Request
from botod.pool.response import HTTPResponse, wait_for_change
from botod.pool.terms import current_terms
from botod.pool.transfer import Transfer
from botod.pool.upload import WHOLE_BYTES, Upload

READ_BLOCK_BYTES = 64 * 1024
"""How much of a file is read at a time when one is given as a body."""

HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")

CURLS_OWN = [
    (name.lower(), f"{name}:")
    for name in ("Accept", "Content-Type", "Expect", "Proxy-Connection", "User-Agent")
]
"""Headers that curl adds unless it is told not to, and how it is told."""

ONLY_AS_IT_IS = "Accept-Encoding: identity"
"""What http.client asks for where nobody says what to ask for."""

BYTES = (bytes, bytearray, memoryview)
AT_HAND = (str, type(None), *BYTES)
"""Bodies whose length is known."""

BODY_METHODS = frozenset({"PATCH", "POST", "PUT"})
"""Methods whose empty body is said in the request: `Content-Length: 0`."""


class HTTPConnection:
    """Makes requests to one origin, one at a time, each on a slot of its own."""

    debuglevel = 0
    response_class: Any = HTTPResponse  # boto sets it; ours repeats read() by itself
    _line: tuple[str, str] | None = None
    _lines: list[str]  # as curl takes them, but for the body's length; while there is a _line
    _said: dict[str, str]  # by lower-case name, the last of each; likewise
    __deletable__ = ("_lines", "_said")  # asked by mypyc
    _unframer: Unframer | None = None
    idempotent = False  # the request's, by the terms of its sender

    def __init__(
        self,
        pool: Pool,
        origin: Origin,
        *,
        timeout: float | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self.host = origin.host
        self.port = origin.port
        self.timeout = timeout  # boto reads it back; the client's idle timeout is what counts
        self._pool = pool
        self._origin = origin
        self._proxy = proxy
        self._transfer: Transfer | None = None

    def __repr__(self) -> str:
        return f"<HTTPConnection to {self._origin}>"

    def __del__(self) -> None:
        if self._transfer is not None:
            self.close()

    def set_debuglevel(self, level: int) -> None:
        self.debuglevel = level

    def connect(self) -> None:
        """Nothing to do: curl connects when a transfer starts."""

    def close(self) -> None:
        """Stop a request whose response was not taken yet. The connection can be used again."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            self._pool.client.abort(transfer)

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: dict[str, Any] | None = None,
        *,
        encode_chunked: bool = False,
    ) -> None:
        """Send a whole request.

        body: None, bytes, text of latin-1 characters, a file, or an iterable of bytes; the last two
        go in chunks unless a header says their length. encode_chunked: a body that the headers call
        chunked is not framed yet.
        """
        self._begin(method, url)
        if headers:
            self._say(headers.items())
        said = self._said
        if "accept-encoding" not in said:
            self._lines.insert(0, ONLY_AS_IT_IS)
        if "host" not in said:
            self._lines.insert(0, host_line(self._origin))
        has_length = isinstance(body, AT_HAND) or "content-length" in said
        if not has_length and "transfer-encoding" not in said:
            self.putheader("Transfer-Encoding", "chunked")
            encode_chunked = True
        self.endheaders(body, encode_chunked=encode_chunked)

    def putrequest(
        self,
        method: str,
        url: str,
        skip_host: int = 0,  # http.client's signature, and what boto gives for it
        skip_accept_encoding: int = 0,
    ) -> None:
        self._begin(method, url)
        if not skip_host:
            self._lines.append(host_line(self._origin))
        if not skip_accept_encoding:
            self._lines.append(ONLY_AS_IT_IS)

    def putheader(self, name: str, *values: Any) -> None:
        self._say(((name, values[0] if len(values) == 1 else "\r\n\t".join(map(_text, values))),))

    def _begin(self, method: str, url: str) -> None:
        if self._transfer is not None:
            self.close()
        # Visible ASCII: a space or a control character would split the request line.
        is_target = url.isascii() and url.isprintable() and url and " " not in url
        if not is_target or not HEADER_NAME.fullmatch(method):
            raise ValueError(f"not a request line: {method} {url}")
        self._line = (method, url)
        self._lines, self._said = [], {}
        self._unframer = None

    def _say(self, headers: Iterable[tuple[str, Any]]) -> None:
        """Take headers as curl is to have them. Raises ValueError for one that cannot be sent."""
        if self._line is None:
            raise http.client.CannotSendHeader
        lines, said = self._lines, self._said
        for name, given in headers:
            value = given if type(given) is str else _text(given)
            # isprintable is quick to say yes, and no to some that may be sent: a tab, latin-1's
            # blanks. Of blanks it allows the one of ASCII.
            is_usual = value[:1] > " " and value.isprintable()
            if not is_usual and not HEADER_VALUE.fullmatch(value):
                raise ValueError(f"not a header that can be sent: {name!r}")
            lower, with_value, empty = _named(name)
            said[lower] = value
            if lower != "content-length":
                is_there = is_usual or (value and not value.isspace())
                lines.append(with_value + value if is_there else empty)

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        """Lease a slot (park until there is one), hand the request to curl, and send the body.

        message_body, encode_chunked: as for `request`.
        """
        if self._line is None:
            raise http.client.CannotSendHeader
        if isinstance(message_body, str):
            message_body = message_body.encode("latin-1")
        body = bytes(message_body) if isinstance(message_body, BYTES) else b""
        request = self._built(body)
        bridge.require_greenlet()  # now, not at the answer: nothing was sent yet
        self.idempotent = current_terms().idempotent
        transfer = self._transfer = self._pool.start(request)
        upload = request.upload
        if upload is None or upload.whole is not None:  # curl has all that there is
            return
        is_chunked = upload.length_bytes is None
        if is_chunked and not encode_chunked:
            self._unframer = Unframer()
        if message_body is not None:
            self.send(body or message_body)
        if is_chunked and encode_chunked:
            self._pool.client.finish(transfer)

    def send(self, data: Any) -> None:
        """Send a piece of the body, or a file or an iterable; parks while curl has enough to do.

        Once the transfer has ended (an early answer, a failure) the rest goes nowhere, and
        `getresponse` tells what happened.
        """
        transfer = self.started()
        for piece in _pieces(data):
            if transfer.ended:
                return
            if self._unframer is None:
                self._feed(transfer, piece)
                continue
            for part in self._unframer.feed(piece):
                self._feed(transfer, part)
            if self._unframer.ended:
                self._pool.client.finish(transfer)

    def getresponse(self) -> HTTPResponse:
        """Wait for status and headers. Raises what came instead, by what had been sent."""
        transfer = self.started()
        upload = transfer.request.upload
        if upload is not None and upload.whole is None:
            self._require_all(transfer, upload)
        while not (transfer.answered or transfer.ended):
            wait_for_change(self._pool, transfer, idempotent=self.idempotent)
        self._transfer = None
        if not transfer.answered:
            raise failure_error(transfer, idempotent=self.idempotent)
        return HTTPResponse(self._pool, transfer, idempotent=self.idempotent)

    def started(self) -> Transfer:
        """What the request is on its way as. Raises ResponseNotReady if there is none."""
        if self._transfer is None:
            raise http.client.ResponseNotReady
        return self._transfer

    def _require_all(self, transfer: Transfer, upload: Upload) -> None:
        """Raise ValueError if more of the body is due."""
        if upload.complete or transfer.ended:
            return
        self.close()
        due = "its last chunk did not come"
        if upload.length_bytes is not None:
            due = f"its Content-Length is {upload.length_bytes}"
        raise ValueError(f"the body ended after {upload.fed_bytes} bytes, {due}")

    def _feed(self, transfer: Transfer, piece: bytes) -> None:
        self._pool.client.feed(transfer, piece)
        upload = transfer.request.upload
        assert upload is not None, "a request without a body was fed one"
        while upload.full and not transfer.ended:
            wait_for_change(self._pool, transfer, idempotent=self.idempotent)

    def _built(self, body: bytes) -> Request:
        assert self._line is not None, "built before putrequest"
        method, target = self._line
        said = self._said
        length = _body_length(said, len(body))
        if length != 0 and method == "HEAD":
            raise Unsupported("a HEAD request with a body is not carried")
        # The length of a body comes from curl, which then sends exactly as much; of a request
        # without body, `Content-Length: 0` stays the header that boto may have signed.
        upload = None
        if length != 0 or method in BODY_METHODS:
            is_small = length == len(body) <= WHOLE_BYTES
            upload = Upload(length, body if is_small else None)
        lines = self._lines
        for name, line in CURLS_OWN:
            if name not in said:
                lines.append(line)
        if upload is None and "content-length" in said:
            lines.append("Content-Length: 0")
        encoded = tuple("\n".join(lines).encode("latin-1").split(b"\n"))
        is_last = "connection" in said and "close" in said["connection"].lower()
        self._line = None
        del self._lines, self._said  # curl has them; thousands may wait
        return Request(method, self._origin, target, encoded, upload, self._proxy, is_last)


@lru_cache(1024)
def _named(name: str) -> tuple[str, str, str]:
    """A header's name in lower case, and its line before a value and without one, as curl takes it.

    The same few dozen are asked about again and again. Raises ValueError for what is no token.
    """
    if not HEADER_NAME.fullmatch(name):
        raise ValueError(f"not a header that can be sent: {name!r}")
    # "Name:" tells curl to leave a header out, "Name;" to send it empty.
    return name.lower(), f"{name}: ", f"{name};"


@lru_cache(1024)
def host_line(origin: Origin) -> str:
    """The Host header; what stands in it is what boto signs."""
    is_https = origin.scheme == "https"
    usual = http.client.HTTPS_PORT if is_https else http.client.HTTP_PORT
    authority = origin.authority
    return f"Host: {authority.removesuffix(f':{usual}') if origin.port == usual else authority}"


def _body_length(said: Mapping[str, str], body_bytes: int) -> int | None:
    """How long the body will be, by the headers, which must agree with a body at hand.

    None: it comes in chunks.
    """
    if "transfer-encoding" in said:
        coding = said["transfer-encoding"]
        if coding.lower() != "chunked" or "content-length" in said:
            raise Unsupported(f"a body with Transfer-Encoding: {coding} is not carried")
        return None
    if "content-length" not in said:
        return body_bytes
    declared = said["content-length"]
    if not declared.isdecimal():
        raise ValueError(f"not a Content-Length: {declared!r}")
    if body_bytes and int(declared) != body_bytes:
        raise ValueError(f"Content-Length is {declared}, the body has {body_bytes} bytes")
    return int(declared)


def _pieces(data: Any) -> Iterator[bytes]:
    """A body's bytes, whatever it is given as."""
    if isinstance(data, str):
        yield data.encode("latin-1")
    elif isinstance(data, BYTES):
        yield bytes(data)
    elif hasattr(data, "read"):
        while block := data.read(READ_BLOCK_BYTES):
            yield from _pieces(block)
    else:
        for piece in data:
            yield from _pieces(piece)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value)
