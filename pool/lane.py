"""What keeps connections to one host apart: whose they are, and how they prove who is there.

A host pool is one lane's to one origin. Two lanes to the same host have slots of their own, and
share no connection that curl would set up otherwise.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class TlsVersion(StrEnum):
    """The oldest version of TLS that is spoken."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class Tls(NamedTuple):
    """How a server proves who it is, and how we do. A tuple: a lookup is made for each request.

    ca_file: PEM file of trusted roots; None: the client's. cert_file, key_file: PEM files by which
    we say who we are, where a server asks for that; the key may be in cert_file.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    min_version: TlsVersion = TlsVersion.TLS_1_2


USUAL_TLS = Tls()
"""The client's roots, and nothing of who we are."""


@dataclass(frozen=True, eq=False)
class Lane:
    """One user's connections, compared by identity: a lookup is made for each request.

    name: for those who read stats. slots: transfers at once to one host; None: the pool's.
    """

    name: str = ""
    tls: Tls = USUAL_TLS
    slots: int | None = None


COMMON_LANE = Lane()
"""Of those who name none."""
