"""requests over the pool, http and https: an adapter to mount on a session.

    session.mount("https://", PooledAdapter(pool))

In spawned functions the session's requests go through the pool; elsewhere they are as ever.

Imports requests, which this package does not bring.
"""

from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from botod.pool.bridge import in_greenlet
from botod.pool.errors import Unsupported
from botod.pool.pool import Pool
from botod.pool.urllib3_adapter import PooledManager, roots_of


class PooledAdapter(HTTPAdapter):
    """requests' adapter over `pool`; takes what requests' own takes.

    The pool verifies every server against the `ca_file` of its client. `verify=False`, another file
    of roots (also by REQUESTS_CA_BUNDLE), a client certificate and proxies are refused there.
    """

    def __init__(self, pool: Pool, **options: Any) -> None:
        self._slots = pool
        self._outside = HTTPAdapter(**options)
        super().__init__(**options)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> None:
        self.poolmanager = PooledManager(
            self._slots, connections, maxsize=maxsize, block=block, **options
        )

    def send(  # noqa: PLR0917 - requests' signature
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: Any = None,
        verify: Any = True,  # noqa: FBT002
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request through the pool, if called in a greenlet."""
        if not in_greenlet():
            return self._outside.send(request, stream, timeout, verify, cert, proxies)
        secure = (request.url or "").startswith("https:")
        if secure and verify is not True and verify != roots_of(self._slots):
            raise Unsupported(
                f"the pool verifies servers against {roots_of(self._slots)}: verify must be True "
                f"or that file; it is {verify!r} (REQUESTS_CA_BUNDLE also sets it)"
            )
        if secure and cert is not None:
            raise Unsupported("the pool shows no certificate of a client's")
        return super().send(request, stream, timeout, verify, cert, proxies)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """requests names its roots here; those of the pool's client count."""

    def proxy_manager_for(self, proxy: Any, **_options: Any) -> Any:
        """Refuse a proxy instead of going round it."""
        raise Unsupported(f"the pool does not go through a proxy ({proxy})")

    def close(self) -> None:
        super().close()
        self._outside.close()
