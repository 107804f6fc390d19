"""What a signature is made of, in AWS's canonical forms: keys, headers' lines, queries, stamps.

No class of boto's is derived from here, so that it may be compiled; `signing` has those.
"""

import hmac
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import boto.utils

KEYS_MAX = 64
"""Keys kept ready: of Version 4 one a day for each secret, region and service in use. One that is
used no more, hence one of a secret that was replaced, goes when so many newer ones have come."""

NAMES_MAX = 64
"""Sets of headers' names kept ready: most requests have one of a few. Who asks for them to be sent
may choose many names: S3's 2 KiB of metadata make 0.1 MB of a set."""

UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")

QUOTED = [quote(bytes([byte]), safe="-_~") for byte in range(256)]

# OpenSSL prepares a key in more time than it takes to sign with it (hmac.digest does both, each
# time). So what is kept is an HMAC that has its key; who signs takes a copy.


@lru_cache(maxsize=KEYS_MAX)
def keyed(secret_key: str, algorithm: str) -> hmac.HMAC:
    """An HMAC with the secret itself."""
    return hmac.new(secret_key.encode(), digestmod=algorithm)


@lru_cache(maxsize=KEYS_MAX)
def keyed_v4(secret_key: str, day: str, region: str, service: str) -> hmac.HMAC:
    """An HMAC with Version 4's signing key, which is the same for a day."""
    key = ("AWS4" + secret_key).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


@lru_cache(4)
def stamp_of(second: datetime) -> str:
    """A time of UTC as X-Amz-Date has it: 20261129T170000Z."""
    return second.isoformat().replace("-", "").replace(":", "") + "Z"


Names = tuple[str, list[tuple[str, str]]]
"""Of the headers that are signed: joined, as a signature lists them; and each as it was given and
as it is signed."""


@lru_cache(NAMES_MAX)
def names_for_v4(given: tuple[str, ...]) -> Names:
    """Those that boto signs for any service: Host, and AWS's own."""
    signed = [name for name in given if name == "Host" or name.lower().startswith("x-amz")]
    return names_to_sign(signed)


@lru_cache(NAMES_MAX)
def names_for_s3(given: tuple[str, ...]) -> Names:
    """Those that boto signs for S3: all."""
    return names_to_sign([name for name in given if name.lower() != "authorization"])


def names_to_sign(given: list[str]) -> Names:
    """Those of headers that are all signed."""
    pairs = [(name, name.lower().strip()) for name in given]
    return ";".join(sorted([name for _given, name in pairs])), pairs


def lines_to_sign(
    headers: dict[str, Any], names: list[tuple[str, str]], as_text: Callable[[Any], str]
) -> list[str]:
    """A line for each header. They are sorted whole: `a-b:` before `a:`.

    as_text: what a value is that is no text.
    """
    lines = []
    for given, name in names:
        value = headers[given]
        text = value if type(value) is str else as_text(value)
        folded = text.strip() if '"' in text else " ".join(text.split())
        lines.append(f"{name}:{folded}")
    lines.sort()
    return lines


def text_of(value: Any) -> str:
    """A header's value that may be bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def query_of(params: dict[str, Any]) -> str:
    """Parameters as a query or a form, in order and quoted as boto has them."""
    pairs = []
    for name in sorted(params):
        value = params[name]
        if type(value) is not str or not UNRESERVED.fullmatch(value):
            value = quoted(value)
        pairs.append(f"{_quoted_name(name)}={value}")
    return "&".join(pairs)


def quoted(value: Any) -> str:
    """A value as UTF-8, each byte that is not unreserved as %XX."""
    data = value.encode() if type(value) is str else boto.utils.get_utf8_value(value)
    return "".join(map(QUOTED.__getitem__, data))


_quoted_name = lru_cache(1024, typed=True)(quoted)
"""The names of parameters: a few dozen, again and again."""
