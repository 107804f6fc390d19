"""Signature Version 4, checked as a server does: from what arrived and the secret key."""

import hashlib
import hmac
import re

from support.http_server import Exchange

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+),"
    r"\s?SignedHeaders=(?P<headers>[^,]+),\s?Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(exchange: Exchange, secret_key: str, *, scope: str) -> bool:
    """Whether a request carries a good signature for `region/service`."""
    match = AUTHORIZATION.fullmatch(exchange.headers.get("authorization", ""))
    if match is None or not match["scope"].endswith(f"/{scope}/aws4_request"):
        return False
    names = match["headers"].split(";")
    path, _question, query = exchange.target.partition("?")
    canonical = "\n".join([
        exchange.method,
        path,
        "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part)),
        *(f"{name}:{exchange.headers[name]}" for name in names),
        "",
        match["headers"],
        exchange.headers["x-amz-content-sha256"],
    ])
    text = "\n".join([
        "AWS4-HMAC-SHA256",
        exchange.headers["x-amz-date"],
        match["scope"],
        hashlib.sha256(canonical.encode("latin-1")).hexdigest(),
    ])
    key = f"AWS4{secret_key}".encode()
    for part in match["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex() == match["signature"]
