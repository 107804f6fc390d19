"""HTTP for who watches the daemon: counts only, for reading only.

    /metrics       for Prometheus
    /healthz       200 while the loop of whoever serves this answers
    /readyz        200 while a worker takes jobs; 503 at the start and while none does
    /status.json   the merged status, counts only
    /              a page for a person, which reads /status.json; its script and style

On a loopback port anybody on the host can ask, and a browser there can be led to by a page from
elsewhere, under a name that is made to point here: so the Host header has to be a name of this
host's. Each connection carries one request, whose size and time are bounded; so is their number.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import split_host_and_port
from tornado.iostream import IOStream
from tornado.web import Application, HTTPError, RequestHandler

from botod.daemon.metrics.snapshot import whole_status

logger = logging.getLogger(__name__)

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")

CONNECTIONS_MAX = 16
"""At once: some scrapers and a few people; one more is closed at once."""

REQUEST_TIMEOUT_S = 15.0
"""For a connection from its first byte to its last: Prometheus waits for 10."""

HEAD_MAX_BYTES = 8 * 1024
"""A request's head; Prometheus's has some 300."""

FRONT_PAGE_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "connect-src 'self'; script-src 'self'; style-src 'self'; "
    "img-src data:; "  # the empty icon, for which a browser would ask else
    "require-trusted-types-for 'script'"  # what is written as text stays text
)
"""What the page may load: its own script, style and numbers."""


@dataclass(frozen=True)
class Source:
    """Where the pages get what they show.

    snapshots: what each worker that answers tells. is_ready: whether any of them takes jobs.
    """

    snapshots: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
    is_ready: Callable[[], Awaitable[bool]]


class Page(RequestHandler):
    """What all pages have in common. checks_host: it is asked for over TCP."""

    def initialize(self, source: Source, *, checks_host: bool) -> None:
        self.source = source
        self._checks_host = checks_host

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'")

    def prepare(self) -> None:
        host, _port = split_host_and_port(self.request.host.lower())
        if self._checks_host and host not in LOCAL_NAMES:
            raise HTTPError(HTTPStatus.FORBIDDEN)
        if self.request.method not in ("GET", "HEAD"):
            self.set_header("Allow", "GET, HEAD")
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED)

    async def head(self) -> None:
        await self.get()

    async def get(self) -> None:
        raise HTTPError(HTTPStatus.NOT_FOUND)

    def write_error(self, status_code: int, **_error: Any) -> None:
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET, HEAD")
        self.finish(f"{HTTPStatus(status_code).phrase}\n")


class MetricsPage(Page):
    """For Prometheus."""

    async def get(self) -> None:
        snapshots = await self.source.snapshots()
        accept = self.request.headers.get("Accept", "")
        body, content_type = await asyncio.to_thread(_exposition, snapshots, accept)
        self.set_header("Content-Type", content_type)
        self.finish(body)


class HealthPage(Page):
    """For who restarts what does not answer."""

    async def get(self) -> None:
        self.finish("ok\n")


class ReadyPage(Page):
    """For who sends work elsewhere meanwhile."""

    async def get(self) -> None:
        if not await self.source.is_ready():
            self.set_status(HTTPStatus.SERVICE_UNAVAILABLE)
            self.finish("no jobs are taken now\n")
            return
        self.finish("ready\n")


class StatusPage(Page):
    """For programs that show what is going on."""

    async def get(self) -> None:
        snapshots = await self.source.snapshots()
        body = await asyncio.to_thread(_status_text, snapshots)
        self.set_header("Content-Type", "application/json")
        self.finish(body)


class FilePage(Page):
    """A file of the page for a person, which says nothing of the daemon: its script asks."""

    name: str
    media_type: str

    async def get(self) -> None:
        body = await asyncio.to_thread(_file, self.name)
        self.set_header("Content-Type", f"{self.media_type}; charset=utf-8")
        self.finish(body)


class FrontPage(FilePage):
    """For a person."""

    name = "dashboard.html"
    media_type = "text/html"

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", FRONT_PAGE_POLICY)


class ScriptPage(FilePage):
    """What asks, and shows what is answered."""

    name = "dashboard.js"
    media_type = "text/javascript"


class StylePage(FilePage):
    """How it looks."""

    name = "dashboard.css"
    media_type = "text/css"


PAGES: Mapping[str, type[Page]] = {
    "/": FrontPage,
    "/dashboard.css": StylePage,
    "/dashboard.js": ScriptPage,
    "/healthz": HealthPage,
    "/metrics": MetricsPage,
    "/readyz": ReadyPage,
    "/status.json": StatusPage,
}


class BoundedServer(HTTPServer):
    """An HTTP server of Tornado's that carries so many connections, each for so long."""

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            stream.close()
            return
        asyncio.get_running_loop().call_later(REQUEST_TIMEOUT_S, stream.close)
        super().handle_stream(stream, address)


def make_server(source: Source, *, checks_host: bool) -> BoundedServer:
    """A server that wants listening sockets."""
    arguments = {"source": source, "checks_host": checks_host}
    pages = Application(
        [(path, page, arguments) for path, page in PAGES.items()],
        default_handler_class=Page,
        default_handler_args=arguments,
        log_function=_log,
    )
    return BoundedServer(
        pages,
        no_keep_alive=True,
        max_header_size=HEAD_MAX_BYTES,
        max_body_size=0,
        idle_connection_timeout=REQUEST_TIMEOUT_S,
    )


def _exposition(snapshots: Sequence[Mapping[str, Any]], accept: str) -> tuple[bytes, str]:
    """What Prometheus reads. Blocks."""
    from botod.daemon.metrics.exposition import exposition  # noqa: PLC0415 - for who scrapes only

    return exposition(snapshots, accept)


def _status_text(snapshots: Sequence[Mapping[str, Any]]) -> str:
    """The merged status as JSON. Takes milliseconds: some workers' last minutes are in it."""
    return json.dumps(whole_status(snapshots)) + "\n"


@cache
def _file(name: str) -> bytes:
    """What is in a file beside this one. Blocks the first time."""
    return (files("botod.daemon.metrics") / name).read_bytes()


def _log(page: RequestHandler) -> None:
    request = page.request
    logger.debug("%s %s: %d", request.method, request.path, page.get_status())
