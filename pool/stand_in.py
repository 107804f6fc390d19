"""A stand-in for http.client's blocking, for a while: `with non_blocking_http(pool): …`.

Inside the block, urllib, and requests over http, go through the pool where they are called from a
spawned function; called from anywhere else they are as ever. Not the name of a class is replaced,
which modules imported earlier would not see, but methods of http.client's classes: they ask on
which greenlet they run. So a subclass is served too, unless it connects in a way of its own (to a
Unix socket, through SOCKS, with TLS of its own making): that one is left alone, and blocks.

urllib3, and with it requests, makes TLS by itself before http.client knows. That needs an adapter:
`urllib3_adapter`, `requests_adapter`. Without it https is refused in a greenlet.
"""

import asyncio
import contextlib
import functools
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

from botod.pool.bridge import in_greenlet
from botod.pool.errors import Unsupported
from botod.pool.http_socket import NO_DESCRIPTOR, PooledSocket
from botod.pool.origin import Origin
from botod.pool.pool import Pool

OURS = frozenset({
    ("http.client", "HTTPConnection.connect"),
    ("http.client", "HTTPSConnection.connect"),
    ("urllib3.connection", "HTTPConnection.connect"),
})
"""Ways to connect that stand-in knows, so that it may connect otherwise."""

URLLIB3_TLS = ("urllib3.connection", "HTTPSConnection.connect")
URLLIB3_SOCKET = ("urllib3.connection", "HTTPConnection._new_conn")


class _Scope:
    """The stand-in of one loop. It may be entered several times, with one pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.entered_num = 0
        self._default_roots = ssl.create_default_context().cert_store_stats()
        # What urllib3 polls to learn whether a kept connection is still good: never readable.
        self._quiet_fd = os.eventfd(0, os.EFD_CLOEXEC)

    def connect(self, connection: http.client.HTTPConnection) -> None:
        """Give a connection its socket."""
        given: Any = connection
        if given._tunnel_host or given.source_address:  # noqa: SLF001 - no other way to know
            raise Unsupported("the pool carries no tunnel through a proxy, and no source address")
        scheme = "http"
        if isinstance(connection, http.client.HTTPSConnection):
            scheme = "https"
            self._check(given._context)  # noqa: SLF001
        timeout = given.timeout
        if not (timeout is None or isinstance(timeout, int | float)):
            timeout = socket.getdefaulttimeout()  # socket's own marker for "not given"
        origin = Origin(scheme, given.host.rstrip(".").lower(), int(given.port))
        given.sock = PooledSocket(self.pool, origin, timeout=timeout, fileno=self._fileno)

    def close(self) -> None:
        """Requests under way go on to their end; urllib3 will find its kept connections dead."""
        os.close(self._quiet_fd)
        self._quiet_fd = NO_DESCRIPTOR

    def _fileno(self) -> int:
        return self._quiet_fd

    def _check(self, context: ssl.SSLContext) -> None:
        """Refuse TLS settings that curl would not keep to. Client certificates cannot be seen."""
        verifies = context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
        if not verifies or context.cert_store_stats() != self._default_roots:
            raise Unsupported(
                "an SSL context of its own is not carried: the pool verifies every server "
                "against the ca_file of its client"
            )


_lock = threading.Lock()
_scopes: dict[asyncio.AbstractEventLoop, _Scope] = {}
_originals: dict[tuple[type, str], tuple[Any, Any]] = {}


@contextlib.contextmanager
def non_blocking_http(pool: Pool) -> Iterator[None]:
    """Let http.client, called from functions spawned on the running loop, go through `pool`.

    Blocks may nest and overlap, with one pool a loop. Raises RuntimeError for a second pool.
    """
    loop = asyncio.get_running_loop()
    with _lock:
        scope = _scopes.get(loop)
        if scope is not None and scope.pool is not pool:
            raise RuntimeError("this loop has a stand-in already, with another pool")
        if scope is None:
            scope = _scopes[loop] = _Scope(pool)
            _replace()
        scope.entered_num += 1
    try:
        yield
    finally:
        with _lock:
            scope.entered_num -= 1
            if not scope.entered_num:
                del _scopes[loop]
                scope.close()
                _restore()


def is_in_force() -> bool:
    """Whether http.client, called here, goes through a pool."""
    return _scope_here() is not None


def carries(connection: http.client.HTTPConnection) -> bool:
    """Whether a request on this connection, made here, goes through a pool."""
    return is_in_force() and _connects_in_a_known_way(connection)


def _connect(original: Callable[..., None], connection: http.client.HTTPConnection) -> None:
    scope = _scope_here()
    if scope is None or not _connects_in_a_known_way(connection):
        original(connection)
    else:
        scope.connect(connection)


def _send(original: Callable[..., None], connection: http.client.HTTPConnection, data: Any) -> None:
    scope = _scope_here()
    if scope is not None and connection.sock is None and _connects_in_a_known_way(connection):
        if not connection.auto_open:
            raise http.client.NotConnected
        scope.connect(connection)
    original(connection, data)


def _putrequest(
    original: Callable[..., None],
    connection: http.client.HTTPConnection,
    *args: Any,
    **kwargs: Any,
) -> None:
    """A request begins: part from a socket that was opened where other rules hold."""
    scope, sock = _scope_here(), cast("Any", connection).sock
    wrong = False
    if isinstance(sock, PooledSocket):
        wrong = scope is None or sock.pool is not scope.pool
    elif scope is not None:
        if _name(type(connection), "connect") == URLLIB3_TLS:
            raise Unsupported(
                "https of urllib3 and requests needs botod.pool.urllib3_adapter or "
                "botod.pool.requests_adapter; without it, call it in a thread"
            )
        wrong = sock is not None and _connects_in_a_known_way(connection)
    if wrong and sock is not None:
        sock.close()
        connection.sock = None
    original(connection, *args, **kwargs)


REPLACED: tuple[tuple[type, str, Callable[..., None]], ...] = (
    (http.client.HTTPConnection, "connect", _connect),
    (http.client.HTTPSConnection, "connect", _connect),
    (http.client.HTTPConnection, "send", _send),
    (http.client.HTTPConnection, "putrequest", _putrequest),
)


def _replace() -> None:
    for owner, name, deed in REPLACED:
        if (owner, name) not in _originals:
            original = owner.__dict__[name]
            ours = _dispatching(deed, original)
            _originals[owner, name] = original, ours
            setattr(owner, name, ours)


def _restore() -> None:
    """Put the methods back once no loop has a stand-in; one that others wrapped meanwhile stays."""
    for (owner, name), (original, ours) in [] if _scopes else list(_originals.items()):
        if owner.__dict__[name] is ours:
            setattr(owner, name, original)
            del _originals[owner, name]


def _dispatching(deed: Callable[..., None], original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> None:
        deed(original, *args, **kwargs)

    return method


def _scope_here() -> _Scope | None:
    """The stand-in that counts here; None outside of spawned functions."""
    return _scopes.get(asyncio.get_running_loop()) if in_greenlet() else None


def _connects_in_a_known_way(connection: http.client.HTTPConnection) -> bool:
    kind = type(connection)
    opens = _name(kind, "_new_conn")
    return (
        _name(kind, "connect") in OURS
        and opens in {None, URLLIB3_SOCKET}
        and getattr(connection, "_create_connection", None) is socket.create_connection
    )


def _name(kind: type, method: str) -> tuple[str, str] | None:
    """Where a method was defined; wrapping it as functools.wraps does leaves that as it was."""
    function = getattr(kind, method, None)
    return None if function is None else (function.__module__, function.__qualname__)
