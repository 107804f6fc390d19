"""Requests to any of AWS's services, over boto's transport and the pool.

boto has connection classes for the services of its time, each with paths and queries made in its
own way. Here a request is sent as it was put together elsewhere, to the byte: boto's connection
authorizes it, retries it and takes its connection from the pool, and nothing else.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import quote

from botod.pool.boto import pooled
from botod.pool.canonical import NAMES_MAX, Names, lines_to_sign, names_to_sign
from botod.pool.signing import CONTENT_SHA256, HmacV4, named

from boto.connection import AWSAuthConnection, HTTPRequest

UNSIGNED = frozenset({
    "authorization",
    "content-length",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
})
"""Headers that are made after the signature, or that a hop on the way may change."""


class ExactV4(HmacV4):
    """Signature Version 4 of a request whose path, query and headers stay as they are.

    is_single: the path is signed as it is sent, as S3 and its kin want it; all others want it
    quoted once more.
    """

    is_single = False

    def add_auth(self, req: Any, **_kwargs: Any) -> None:
        payload = req.headers.get(CONTENT_SHA256) or self.payload(req)
        if self.is_single:
            req.headers[CONTENT_SHA256] = payload
        req.headers.pop("Authorization", None)  # of the try before
        date = self._stamp(req.headers)
        query = req.path.partition("?")[2]
        self._authorize(req, date, canonical_query(query), payload)

    def _names_and_lines(self, req: Any) -> tuple[str, list[str]]:
        names, signed = _names(tuple(req.headers))
        return names, lines_to_sign(req.headers, signed, str)

    def canonical_uri(self, http_request: Any) -> str:
        path: str = http_request.path.partition("?")[0]
        return path if self.is_single else quote(normal_path(path), safe="/~")


class AnyServiceConnection(pooled(AWSAuthConnection)):  # type: ignore[misc]
    """A connection to one service, which signs under any name.

    signing_name: what the service is called in the scope of signatures. is_single: see ExactV4.
    """

    _auth_handler: Any

    def __init__(
        self,
        *,
        region: str,
        signing_name: str,
        is_single: bool = False,
        **kwargs: Any,
    ) -> None:
        """Everything else as `PooledConnection` takes it: pool, keys, host and more."""
        super().__init__(**kwargs)
        handler: Any = object.__new__(named(ExactV4))
        handler.__dict__.update(self._auth_handler.__dict__)
        handler.region_name, handler.service_name = region, signing_name
        handler.is_single = is_single
        self._auth_handler = handler

    def _required_auth_capability(self) -> list[str]:
        return ["hmac-v4"]

    def carry(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        *,
        prefix: str = "",
        sender: Any = None,
    ) -> Any:
        """Send a request and give its response.

        target: path and query as they go into the request line. prefix: of the host's name. sender:
        as boto's loop takes one, for a body that is not at hand.
        """
        host = prefix + self.host
        request = HTTPRequest(
            method, self.protocol, host, self.port, target, target, {}, dict(headers), body
        )
        request.headers["Host"] = self._auth_handler.host_header(host, request)
        return self._mexe(request, sender)


@lru_cache(NAMES_MAX)
def _names(given: tuple[str, ...]) -> Names:
    return names_to_sign([name for name in given if name.lower() not in UNSIGNED])


def canonical_query(query: str) -> str:
    """A query as it is signed: its pairs, quoted already, in order."""
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def normal_path(path: str) -> str:
    """Without empty parts, as the services read a path that they are to check the signature of."""
    parts = [part for part in path.split("/") if part]
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")
