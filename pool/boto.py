"""The override: boto's connections take theirs from the pool, and only that.

`pooled(S3Connection)` is boto's class with `new_http_connection` replaced. boto's own pool is never
given anything: it would take a connection back before its response is read. boto's retry loop
stays, but sleeps as a greenlet sleeps. Keys come from outside, by `HeldKeys`.
"""

import time
from functools import cache
from typing import Any

import boto.connection
import boto.provider
import boto.utils
from boto.connection import AWSAuthConnection
from boto.provider import Provider
from boto.pyami.config import Config

from botod.pool import bridge
from botod.pool.connection import HTTPConnection
from botod.pool.errors import Unsupported
from botod.pool.pool import Pool
from botod.pool.transfer import Origin


class _GreenletTime:
    """The `time` module as boto.connection sees it: `sleep` parks where it can."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        if bridge.in_greenlet():
            bridge.sleep(seconds)
        else:
            time.sleep(seconds)


# boto's retry loop (connection.py, _mexe) sleeps up to a minute between tries. Its own name for the
# module is replaced, never the module.
boto.connection.time = _GreenletTime()


class _LateConfig(Config):  # type: ignore[misc]
    """boto's reader of the shared credentials file, which reads when something is looked up.

    boto reads the file for each connection that is made, also where keys were given; on the loop
    that is a wait, and an error in it would quote the secret.
    """

    _path: str | None = None

    def load_from_path(self, path: str) -> None:
        """Called by Provider's constructor, and for a file that another one imports."""
        self._path = path

    @property
    def _parser(self) -> Any:
        path, self._path = self._path, None
        if path is not None:
            super().load_from_path(path)
        return self._read

    @_parser.setter
    def _parser(self, parser: Any) -> None:
        self._read = parser


boto.provider.Config = _LateConfig


class HeldKeys(Provider):  # type: ignore[misc]
    """A provider of boto's that holds the keys it was given and never looks for any.

    boto's asks the metadata service from its constructor, and again in the middle of signing once
    its keys grow old. New keys are pushed in with `hold`.
    """

    def __init__(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        super().__init__("aws", access_key, secret_key, security_token)

    def get_credentials(
        self,
        access_key: str | None = None,
        secret_key: str | None = None,
        security_token: str | None = None,
        profile_name: str | None = None,  # noqa: ARG002 - boto's signature
    ) -> None:
        """Called by boto's constructor, to find keys; takes what it is given."""
        if access_key is None or secret_key is None:
            raise ValueError("HeldKeys needs an access key and a secret key")
        self.hold(access_key, secret_key, security_token)

    def hold(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        """Sign with these from the next request on."""
        self._access_key = access_key
        self._secret_key = secret_key
        self._security_token = security_token

    def _credentials_need_refresh(self) -> bool:
        return False


class PooledConnection(AWSAuthConnection):  # type: ignore[misc]
    """What `pooled` mixes into a connection class of boto's."""

    pool: Pool

    def __init__(self, *, pool: Pool, keys: HeldKeys, **kwargs: Any) -> None:
        """Everything by keyword: pool, keys, and what boto's class takes.

        Most of boto's classes take keys but no provider; each makes one, which is replaced.
        """
        self.pool = pool
        super().__init__(
            aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key, **kwargs
        )
        self.provider = keys
        self._auth_handler.update_provider(keys)

    def new_http_connection(self, host: str | None, port: int, is_secure: bool) -> Any:  # noqa: FBT001
        """A place to make requests to; each leases its slot when it starts."""
        if self.https_connection_factory is not None:  # how boto's users put in their own
            return super().new_http_connection(host, port, is_secure)
        name = boto.utils.parse_host(self.server_name() if host is None else host)
        origin = Origin("https" if is_secure else "http", name.strip("[]").lower(), int(port))
        return HTTPConnection(self.pool, origin, timeout=self.http_connection_kwargs.get("timeout"))

    def get_http_connection(self, host: str | None, port: int, is_secure: bool) -> Any:  # noqa: FBT001
        return self.new_http_connection(host, port, is_secure)

    def put_http_connection(self, *_args: Any) -> None:
        """boto returns a connection here before it has read the response: keep nothing."""

    def server_name(self, port: int | None = None) -> str:
        """The host alone, unless a port is asked for.

        boto appends any port but 80, and then signs S3 requests for `host:port:port`.
        """
        return self.host if port is None else str(super().server_name(port))

    def handle_proxy(
        self, proxy: str | None, proxy_port: Any, proxy_user: Any, proxy_pass: Any
    ) -> None:
        """Refuse a proxy instead of going round it; the environment's is not looked at."""
        if proxy:
            raise Unsupported("connections of the pool do not go through a proxy")
        self.proxy, self.proxy_port = None, proxy_port
        self.proxy_user, self.proxy_pass = proxy_user, proxy_pass
        self.no_proxy = ""
        self.use_proxy = False


@cache
def pooled(connection_class: type) -> type:
    """`connection_class`, one of boto's, over the pool: `pooled(S3Connection)(pool=…, keys=…)`."""
    return type(f"Pooled{connection_class.__name__}", (PooledConnection, connection_class), {})
