"""Whom requests go to: a server, and the proxy on the way there."""

from typing import NamedTuple
from urllib.parse import quote

from botod.pool.lane import COMMON_LANE, Lane


class Origin(NamedTuple):
    """Whom a connection is to, and whose it is. It names the host pool."""

    scheme: str
    host: str
    port: int
    lane: Lane = COMMON_LANE

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host  # an IPv6 address
        return f"{host}:{self.port}"


class Proxy(NamedTuple):
    """An HTTP proxy: requests over http go to it, for https it opens a tunnel."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        """As curl takes it, secrets included: not for messages."""
        login = ""
        if self.user is not None:
            login = f"{quote(self.user, safe='')}:{quote(self.password or '', safe='')}@"
        return f"http://{login}{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Proxy {self.host}:{self.port}>"
