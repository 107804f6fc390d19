"""What is asked of a server, as it goes out."""

from typing import NamedTuple

from botod.pool.origin import Origin, Proxy
from botod.pool.upload import Upload


class Request(NamedTuple):
    """What goes out. `target` and `headers` stand on the wire as they are here.

    target: path and query of the request line. headers: encoded lines without line ends. proxy: who
    takes it there; None: nobody, whatever the environment says. is_last: on its connection: it asks
    the server to close, which need not say that it does.
    """

    method: str
    origin: Origin
    target: str
    headers: tuple[bytes, ...]
    upload: Upload | None = None
    proxy: Proxy | None = None
    is_last: bool = False

    @property
    def wire_target(self) -> str:
        """What stands in the request line: to a proxy that has to find the server, a whole URL."""
        is_proxied = self.proxy is not None and self.origin.scheme == "http"
        return f"{self.origin}{self.target}" if is_proxied else self.target
