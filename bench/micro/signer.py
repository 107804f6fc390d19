"""The signer: Version 4, as S3 and SQS want it, with the signing key at hand; beside boto's own."""

from collections.abc import Callable, Iterator
from typing import Any

import botod.pool.old_boto  # noqa: F401 - before the first import of boto
from botod.pool.signing import faster
from micro.piece import Piece

import boto
from boto import auth
from boto.connection import HTTPRequest
from boto.provider import Provider


def _signing(handler: Any, method: str, params: dict[str, str]) -> Callable[[], None]:
    def sign() -> None:
        body = "" if method == "GET" else None
        request = HTTPRequest(method, "https", "localhost", 443, "/bucket/k", "/bucket/k",
                              dict(params), {}, body or "")  # fmt: skip
        request.authorize(_Signed(handler))

    return sign


class _Signed:
    """As much of a connection as a request asks for when it is signed."""

    def __init__(self, handler: Any) -> None:
        self._auth_handler = handler


def pieces() -> Iterator[Piece]:
    """Ours has a budget, boto's shows what it saves."""
    provider = Provider("aws", "access", "secret")
    kinds = {"S3": "hmac-v4-s3", "SQS": "hmac-v4"}
    for service, kind in kinds.items():
        method, params = ("GET", {}) if service == "S3" else ("POST", {"Action": "SendMessage"})
        stock = auth.get_auth_handler("localhost", boto.config, provider, [kind])
        stock.region_name, stock.service_name = "us-east-1", service.lower()
        ours = faster(auth.get_auth_handler("localhost", boto.config, provider, [kind]))
        ours.region_name, ours.service_name = "us-east-1", service.lower()
        yield Piece(f"sign for {service}", 12.0, _signing(ours, method, params))
        yield Piece(f"boto's own, for {service}", float("inf"), _signing(stock, method, params))
