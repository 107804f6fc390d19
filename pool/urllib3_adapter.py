"""urllib3 over the pool, http and https: a pool manager for use in spawned functions.

urllib3 makes TLS by itself; here curl does, and verifies every server against the roots of the
pool's client. Settings of urllib3's that would verify less, or otherwise, are refused.

Imports urllib3, which this package does not bring.
"""

import ssl
from typing import Any

import pycurl
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import resolve_cert_reqs

from botod.pool.errors import ConnectTimeout, NotSent, Unsupported
from botod.pool.http_socket import PooledSocket
from botod.pool.origin import Origin
from botod.pool.pool import Pool

NOT_CARRIED = (
    "assert_fingerprint",
    "assert_hostname",
    "ca_cert_data",
    "ca_cert_dir",
    "cert_file",
    "server_hostname",
    "source_address",
    "ssl_context",
)
"""What a connection may have been told and the pool does not do."""


CONNECTIONS_KEPT = 1000
"""urllib3 logs a warning for each one more; here a connection is a few objects and no socket."""


class PooledManager(PoolManager):
    """urllib3's PoolManager over `pool`, with its options.

    block: must stay False: the wait would be for a lock, in which nobody else could run. How many
    requests go at once is what the pool's slots are for.
    """

    def __init__(self, pool: Pool, num_pools: int = 10, **options: Any) -> None:
        if options.get("block"):
            raise Unsupported(
                "block=True would block the loop; the pool's slots bound the requests"
            )
        options["maxsize"] = max(CONNECTIONS_KEPT, options.get("maxsize", 0))
        super().__init__(num_pools, **options)
        self.pool_classes_by_scheme = {
            "http": type("PooledHTTP", (_HTTPPool,), {"slots": pool}),
            "https": type("PooledHTTPS", (_HTTPSPool,), {"slots": pool}),
        }


def roots_of(pool: Pool) -> str:
    """The file of roots that servers are verified against."""
    return str(pool.client.options[pycurl.CAINFO])


class PooledHTTPConnection(HTTPConnection):
    """What both kinds of connection have in common."""

    slots: Pool
    scheme = "http"

    def connect(self) -> None:
        if self._tunnel_host or any(getattr(self, name, None) is not None for name in NOT_CARRIED):
            raise Unsupported(f"the pool carries no tunnel, and none of {', '.join(NOT_CARRIED)}")
        if getattr(self, "ca_certs", None) not in {None, roots_of(self.slots)}:
            raise Unsupported("the pool verifies against the ca_file of its client, no other")
        origin = Origin(self.scheme, self.host.lower(), self.port)
        timeout = self.timeout
        assert timeout is None or isinstance(timeout, int | float), "urllib3 resolves its markers"
        self.sock = PooledSocket(self.slots, origin, timeout=timeout)

    @property
    def is_connected(self) -> bool:
        return self.sock is not None

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request; what never left is told in urllib3's words, so that it may try again."""
        try:
            super().request(*args, **options)
        except ConnectTimeout as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except NotSent as error:
            raise NewConnectionError(self, str(error)) from error


class PooledHTTPSConnection(PooledHTTPConnection, HTTPSConnection):
    """One to a server that curl verifies."""

    scheme = "https"

    def connect(self) -> None:
        if resolve_cert_reqs(self.cert_reqs) is not ssl.CERT_REQUIRED:
            raise Unsupported("the pool verifies every server")
        super().connect()
        self.is_verified = True  # else urllib3 warns; no byte is sent before curl has verified


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = PooledHTTPConnection
    slots: Pool

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.slots = self.slots
        return connection


class _HTTPSPool(_HTTPPool, HTTPSConnectionPool):
    ConnectionCls = PooledHTTPSConnection
