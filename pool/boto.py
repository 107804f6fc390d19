"""The override: boto's connections take theirs from the pool, and only that.

`pooled(S3Connection)` is boto's class with `new_http_connection` replaced. boto's own pool is never
given anything: it would take a connection back before its response is read. boto's retry loop
stays, but sleeps as a greenlet sleeps (`blocking`). Keys come from outside, by `HeldKeys`.
"""

import copy
import importlib
import sys
from functools import cache, lru_cache, partial
from typing import Any

from botod.pool import blocking
from botod.pool.brief import briefly_logged
from botod.pool.connection import HTTPConnection
from botod.pool.keys import HeldKeys
from botod.pool.locks import GreenletLock
from botod.pool.pool import Pool
from botod.pool.signing import faster
from botod.pool.transfer import Origin, Proxy

import boto.connection
import boto.utils
from boto.connection import AWSAuthConnection

AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")

DEFAULT_REGION = "us-east-1"
"""What servers that are not AWS's expect to be called, unless they are told another name."""


class PooledConnection(AWSAuthConnection):  # type: ignore[misc]
    """What `pooled` mixes into a connection class of boto's."""

    pool: Pool
    _auth_handler: Any
    _via: Proxy | None

    def __init__(self, *, pool: Pool, keys: HeldKeys, **kwargs: Any) -> None:
        """Everything by keyword: pool, keys, and what boto's class takes.

        Most of boto's classes take keys but no provider; each makes one, which is replaced.
        """
        self.pool = pool
        super().__init__(
            aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key, **kwargs
        )
        self.provider = keys
        self._auth_handler = faster(self._auth_handler)
        self._auth_handler.update_provider(keys)
        self._name_region()
        if hasattr(self, "_mutex"):  # STS holds one over its request
            self._mutex = GreenletLock()

    def _name_region(self) -> None:
        """Say the region that signatures are for, where the host's name does not tell it.

        boto takes a part of the name for the region, whatever it is; for a name without dots its S3
        signer fails with UnboundLocalError.
        """
        known = getattr(self._auth_handler, "region_name", DEFAULT_REGION)
        if known is None and not self.host.endswith(AWS_DOMAINS):
            region = getattr(self, "region", None)
            self._auth_handler.region_name = DEFAULT_REGION if region is None else region.name

    def _mexe(
        self,
        request: Any,
        sender: Any = None,
        override_num_retries: int | None = None,
        retry_handler: Any = None,
    ) -> Any:
        briefly_logged(request)
        return super()._mexe(request, sender, override_num_retries, retry_handler)

    def new_http_connection(self, host: str | None, port: int, is_secure: bool) -> Any:  # noqa: FBT001
        """A place to make requests to; each leases its slot when it starts."""
        failed = sys.exc_info()[1]
        if isinstance(failed, ConnectionError):
            # boto tries again and keeps the error of the try before, which holds boto's frame by
            # its traceback: a cycle, with the connection of that try in it.
            failed.__traceback__ = None
        if self.https_connection_factory is not None:  # how boto's users put in their own
            return super().new_http_connection(host, port, is_secure)
        origin = _origin(self.server_name() if host is None else host, port, is_secure)
        timeout = self.http_connection_kwargs.get("timeout")
        return HTTPConnection(self.pool, origin, timeout=timeout, proxy=self._via)

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
        """Go through the proxy that was given; the environment's is not looked at.

        curl talks to it, so boto is to write its requests as if there were none.
        """
        self.proxy, self.proxy_port = proxy, proxy_port
        self.proxy_user, self.proxy_pass = proxy_user, proxy_pass
        self._via = None
        if proxy:
            if not proxy_port:
                raise ValueError(f"the proxy {proxy!r} needs a port, proxy_port")
            self._via = Proxy(proxy, int(proxy_port), proxy_user, proxy_pass)
        self.no_proxy = ""
        self.use_proxy = False


@lru_cache(1024)
def _origin(host: str, port: int | str, is_secure: bool) -> Origin:  # noqa: FBT001 - boto's arguments
    name = boto.utils.parse_host(host).strip("[]").lower()
    return Origin("https" if is_secure else "http", name, int(port))


@cache
def pooled(connection_class: type) -> type:
    """`connection_class`, one of boto's, over the pool: `pooled(S3Connection)(pool=…, keys=…)`."""
    blocking.unblock_loaded()
    return type(f"Pooled{connection_class.__name__}", (PooledConnection, connection_class), {})


def connect(service: str, region: str, *, pool: Pool, keys: HeldKeys, **kwargs: Any) -> Any:
    """A connection of boto's to a service in a region, as `boto.SERVICE.connect_to_region` gives.

    service: the name of boto's package, such as "dynamodb2" or "ec2.autoscale". Raises ValueError
    for what boto does not know.
    """
    try:
        regions = importlib.import_module(f"boto.{service}").regions()
    except (ImportError, AttributeError):
        raise ValueError(f"boto has no service {service!r} with regions") from None
    known = {info.name: info for info in regions}
    if region not in known:
        raise ValueError(f"boto.{service} knows no region {region!r}; it knows: {', '.join(known)}")
    info = copy.copy(known[region])
    info.connection_cls = partial(pooled(info.connection_cls), pool=pool, keys=keys)
    return info.connect(**kwargs)
