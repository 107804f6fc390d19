"""The override: boto's connections take theirs from the pool, and only that.

`pooled(S3Connection)` is boto's class with `new_http_connection` replaced. boto's own pool is never
given anything: it would take a connection back before its response is read. boto's retry loop
stays, but sleeps as a greenlet sleeps (`blocking`); who has a loop of his own says so by
`retries_itself`. Keys come from outside, by `HeldKeys`.
"""

import copy
import importlib
import logging
import sys
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any, cast

from botod.pool import blocking
from botod.pool.brief import briefly_logged
from botod.pool.connection import HTTPConnection
from botod.pool.keys import HeldKeys
from botod.pool.lane import COMMON_LANE, Lane
from botod.pool.locks import GreenletLock
from botod.pool.origin import Origin, Proxy
from botod.pool.pool import Pool
from botod.pool.response import HTTPResponse
from botod.pool.signing import faster
from botod.pool.terms import Hints, Terms, current_terms

import boto.connection
import boto.utils
from boto.connection import AWSAuthConnection

AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")

FIRST_SPECIAL = 300
"""An answer with a lower status is what was asked for."""

FIRST_ERROR = 400
"""An answer with this status, or a higher one, is an error."""

RETRIED = frozenset({500, 502, 503, 504})
"""Answers after which boto's loop tries again; it tells them by no name."""

DEFAULT_REGION = "us-east-1"
"""What servers that are not AWS's expect to be called, unless they are told another name."""


class PooledConnection(AWSAuthConnection):  # type: ignore[misc]
    """What `pooled` mixes into a connection class of boto's.

    retries_itself: boto's loop does what it does. False: one try is all, and whatever comes of it
    is handed on, whatever it says. follows_redirects: but redirects are still followed; boto signs
    for wherever they lead and sends the body there, so this is for who looks where that is.
    """

    pool: Pool
    lane: Lane
    retries_itself = True
    follows_redirects = False
    _auth_handler: Any
    _via: Proxy | None

    def __init__(
        self, *, pool: Pool, keys: HeldKeys, lane: Lane = COMMON_LANE, **kwargs: Any
    ) -> None:
        """Everything by keyword: pool, keys, lane, and what boto's class takes.

        Most of boto's classes take keys but no provider; each makes one, which is replaced.
        """
        self.pool = pool
        self.lane = lane
        super().__init__(
            aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key, **kwargs
        )
        self.provider = keys
        self._auth_handler = faster(self._auth_handler)
        self._auth_handler.update_provider(keys)
        capability = self._required_auth_capability()
        self._says_host = "s3" not in capability and not getattr(self, "anon", False)
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

    def get_path(self, path: str = "/") -> str:
        """boto's, which takes each apart for a microsecond; most need nothing done to them."""
        is_normal = path[:1] == "/" == self.path and "//" not in path
        return path if is_normal else str(super().get_path(path))

    def _mexe(
        self,
        request: Any,
        sender: Any = None,
        override_num_retries: int | None = None,
        retry_handler: Any = None,
    ) -> Any:
        """Carry a request; by boto's loop, unless the first answer is one that it would return.

        The loop formats fourteen debug lines and asks its configuration twice: 10 us. Where it has
        something to decide, it is given the outcome as that of its own first try.
        """
        terms = current_terms()
        if terms.headers:
            request.headers.update(terms.headers)
        is_usual = not (retry_handler or self.https_connection_factory)
        if not self.retries_itself or (is_usual and not boto.log.isEnabledFor(logging.DEBUG)):
            outcome = self._first_try(request, sender)
            if isinstance(outcome, Exception):
                if not self.retries_itself:
                    raise outcome
            elif outcome.status < FIRST_SPECIAL or not self._is_for_the_loop(outcome, terms):
                if self.request_hook is not None:
                    self.request_hook.handle_request_data(request, outcome)
                return outcome
            sender = _Replay(outcome, sender)
            del outcome  # an error holds this frame
        briefly_logged(request)
        retries = override_num_retries if self.retries_itself else 0
        return super()._mexe(request, sender, retries, retry_handler)

    def _first_try(self, request: Any, sender: Any) -> HTTPResponse | Exception:
        """What the loop does to send a request; its answer, or an error that the loop catches."""
        connection = self.new_http_connection(request.host, request.port, self.is_secure)
        if isinstance(request.body, str):
            request.body = request.body.encode()
        try:
            request.authorize(connection=self)
            if self._says_host and not request.headers.get("Host"):
                self.set_host_header(request)
            if self.request_hook is not None:
                request.start_time = datetime.now()  # noqa: DTZ005 - as boto has it
            send = sender or _send
            response: HTTPResponse = send(
                connection, request.method, request.path, request.body, request.headers
            )
        except self.http_exceptions as error:
            return cast("Exception", error)
        if request.method == "HEAD":
            response.chunked = False
        return response

    def _is_for_the_loop(self, response: HTTPResponse, terms: Terms) -> bool:
        """Whether boto's loop tries again, or elsewhere. The terms get what an error hints at."""
        if response.status < FIRST_ERROR:
            is_redirect = bool(response.getheader("location"))
            return is_redirect and (self.retries_itself or self.follows_redirects)
        terms.hints = Hints(
            response.getheader("date") or "", response.getheader("retry-after") or ""
        )
        return self.retries_itself and response.status in RETRIED

    def new_http_connection(self, host: str | None, port: int, is_secure: bool) -> Any:  # noqa: FBT001
        """A place to make requests to; each leases its slot when it starts."""
        failed = sys.exception()
        if isinstance(failed, ConnectionError):
            # boto tries again and keeps the error of the try before, which holds boto's frame by
            # its traceback: a cycle, with the connection of that try in it.
            failed.__traceback__ = None
        if self.https_connection_factory is not None:  # how boto's users put in their own
            return super().new_http_connection(host, port, is_secure)
        origin = _origin(self.server_name() if host is None else host, port, is_secure, self.lane)
        timeout = self.http_connection_kwargs.get("timeout")
        return HTTPConnection(self.pool, origin, timeout=timeout, proxy=self._via)

    def origin_of(self, host: str, port: int | str, is_secure: bool) -> Origin:  # noqa: FBT001
        """Whose host pool a request to `host` goes by."""
        return _origin(host, port, is_secure, self.lane)

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


class _Replay:
    """A sender, as boto's loop takes one, that gives the first try what it has come to already.

    It sends the tries after that by `send`, or as the loop does without a sender. One-shot: nothing
    keeps an answer that the loop has dropped, or an error.
    """

    def __init__(self, outcome: HTTPResponse | Exception, send: Any) -> None:
        self._outcome: HTTPResponse | Exception | None = outcome
        self._send = send or _send

    def __call__(self, connection: Any, method: str, path: str, body: Any, headers: Any) -> Any:
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            return self._send(connection, method, path, body, headers)
        if not isinstance(outcome, Exception):
            return outcome
        try:
            raise outcome
        finally:
            del outcome  # its traceback holds this frame


def _send(connection: Any, method: str, path: str, body: Any, headers: Any) -> Any:
    """Send a request whose body is at hand, as boto's loop does."""
    connection.request(method, path, body, headers)
    return connection.getresponse()


@lru_cache(1024)
def _origin(host: str, port: int | str, is_secure: bool, lane: Lane) -> Origin:  # noqa: FBT001 - boto's arguments
    name = boto.utils.parse_host(host).strip("[]").lower()
    return Origin("https" if is_secure else "http", name, int(port), lane)


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
