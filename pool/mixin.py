"""The override as a mixin, for connection classes written by hand, over both of boto's seams.

    class Archive(PooledMixin, S3Connection):
        ...

    Archive(pool=pool, keys=HeldKeys(access_key, secret_key))

boto asks for a connection by `new_http_connection(host, port, is_secure)`; older releases asked by
`get_http_connection(host, is_secure)`, and the host could carry its port. Both are served in both
forms, so that code written for either goes on working.
"""

import http.client
from typing import Any

from botod.pool.boto import PooledConnection


class PooledMixin(PooledConnection):
    """Put before a connection class of boto's: its requests go through the pool."""

    def new_http_connection(self, host: str | None, *where: Any, **named: Any) -> Any:
        """A place to make requests to: `(host, port, is_secure)`, or `(host, is_secure)`."""
        names = ("port", "is_secure") if len(where) + len(named) > 1 else ("is_secure",)
        given = dict(zip(names, where, strict=False)) | named
        if len(given) != len(where) + len(named) or given.keys() - {"port"} != {"is_secure"}:
            raise TypeError("give (host, port, is_secure) or (host, is_secure)")
        is_secure = bool(given["is_secure"])
        port = given.get("port") or self._port_of(host, is_secure)
        return super().new_http_connection(host, port, is_secure)

    def get_http_connection(self, host: str | None, *where: Any, **named: Any) -> Any:
        """The older seam. A connection here costs nothing, so none is kept."""
        return self.new_http_connection(host, *where, **named)

    def _port_of(self, host: str | None, is_secure: bool) -> int:  # noqa: FBT001
        """The port in the host's name; else this connection's, if it is to the same host."""
        name, _colon, port = (host or "").rpartition(":")
        if name and port.isdecimal() and (":" not in name or name.endswith("]")):
            return int(port)
        if host in {None, self.host} and is_secure == self.is_secure:
            return int(self.port)
        return http.client.HTTPS_PORT if is_secure else http.client.HTTP_PORT
