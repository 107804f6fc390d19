"""The pages over HTTP."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest
from tornado.netutil import bind_sockets

from botod.daemon.metrics import web
from botod.daemon.metrics.source import Source
from botod.daemon.metrics.web import CONNECTIONS_MAX, PAGES, make_server
from support.expositions import ask
from support.loops import run, until
from support.tellers import told

LOCAL = ("localhost", "LOCALHOST:9393", "127.0.0.1", "127.0.0.1:1", "[::1]:9393", "[::1]")
FILES = ("dashboard.js", "dashboard.css")

FOREIGN = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example:80",
    "10.0.0.1",
    "[::2]",
)


@contextlib.asynccontextmanager
async def served(
    *, checks_host: bool = True, is_ready: bool = True, snapshots: Sequence[Mapping[str, Any]] = ()
) -> AsyncIterator[int]:
    """The pages on a port of loopback."""

    async def ready() -> bool:
        return is_ready

    async def told_by_all() -> Sequence[Mapping[str, Any]]:
        return snapshots

    server = make_server(Source(told_by_all, ready), checks_host=checks_host)
    (sock,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([sock])
    try:
        yield sock.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


def asked(served_as: Callable[[], Any], *request: str, **headers: str) -> Any:
    """Status, body and headers of one answer."""
    found: list[Any] = []

    async def main() -> None:
        async with served_as() as port:
            found.append(await asyncio.to_thread(ask, port, *request, **headers))

    run(main)
    return found[0]


@pytest.mark.parametrize("host", LOCAL)
def test_names_of_this_host(host: str) -> None:
    """With a port or without."""
    assert asked(served, "/healthz", Host=host)[:2] == (200, "ok\n")


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", [*PAGES, "/no/such"])
def test_another_name_is_refused(host: str, path: str) -> None:
    """A page from elsewhere may have made that name point here."""
    status, body, _headers = asked(served, path, Host=host)
    assert (status, body) == (403, "Forbidden\n")


def test_on_a_unix_socket_any_name_will_do() -> None:
    """No browser can be led there."""
    assert asked(lambda: served(checks_host=False), "/healthz", Host="botod")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_but_reading(method: str, path: str) -> None:
    """Other methods are refused, by name."""
    status, _body, headers = asked(served, path, method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_a_body(path: str) -> None:
    """The headers are the same."""
    snapshots = [told(0, 0)]
    status, body, headers = asked(lambda: served(snapshots=snapshots), path, "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 0


def test_readiness() -> None:
    """For who sends work elsewhere meanwhile."""
    assert asked(served, "/readyz")[:2] == (200, "ready\n")
    status, body, _headers = asked(lambda: served(is_ready=False), "/readyz")
    assert (status, body) == (503, "no jobs are taken now\n")
    assert asked(lambda: served(is_ready=False), "/healthz")[0] == 200


def test_the_status_is_json() -> None:
    """Counts of all workers."""
    snapshots = [told(0, 1), told(1, 1)]
    status, body, headers = asked(lambda: served(snapshots=snapshots), "/status.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body)["jobs"]["jobs_total"] == 2


def test_unknown_pages_and_the_front_one() -> None:
    """The front page links to what there is for programs."""
    assert asked(served, "/etc/passwd")[:2] == (404, "Not Found\n")
    body = asked(served, "/")[1]
    links = set(re.findall(r'(?:href|src)="(/[^"]*)"', body))
    assert links == PAGES.keys() - {"/"}


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/", "text/html"), ("/dashboard.css", "text/css"), ("/dashboard.js", "text/javascript")],
)
def test_the_page_for_a_person(path: str, media_type: str) -> None:
    """Its files have their types, and are the same whatever a daemon would tell."""
    status, body, headers = asked(served, path)
    assert (status, headers["Content-Type"]) == (200, f"{media_type}; charset=utf-8")
    hostile = told(0, 0)
    hostile["profile_keys"] = {"<script>alert(1)</script>": {"has_keys": False}}
    assert asked(lambda: served(snapshots=[hostile]), path)[1] == body
    assert asked(lambda: served(checks_host=False), path, Host="botod")[1] == body


def test_the_page_loads_its_own_files_only() -> None:
    """By its policy; and its script never takes a text for anything but text."""
    policy = asked(served, "/")[2]["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules.pop("img-src") == "data:"
    own = {name for name, value in rules.items() if value == "'self'"}
    assert own == {"connect-src", "script-src", "style-src"}
    assert {rules[name] for name in rules.keys() - own} == {"'none'"}
    html, script, style = (asked(served, f"/{end}")[1] for end in ("", *FILES))
    assert not re.search(r"https?://|//[a-z]", html + style)
    assert "<style" not in html
    assert not re.search(r"<script(?! src)| style=| on\w+=", html)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


def test_headers_tell_nothing_and_allow_nothing() -> None:
    """No server's name and version; nothing is stored, guessed or loaded."""
    headers = asked(served, "/metrics")[2]
    assert headers["Server"] is None
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["Connection"] == "close"


def test_a_request_has_bounds(caplog: pytest.LogCaptureFixture) -> None:
    """A head beyond 8 KiB and a body of any size end the connection."""

    async def main() -> None:
        async with served() as port:
            head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            for rest in (b"X: " + b"x" * 9000 + b"\r\n\r\n", b"Content-Length: 1\r\n\r\nx"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(head + rest)
                with contextlib.suppress(ConnectionResetError):
                    assert b"200 OK" not in await reader.read()
                writer.close()

    run(main)
    caplog.clear()


def test_a_connection_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says nothing, or does not read what comes, is hung up on."""
    monkeypatch.setattr(web, "REQUEST_TIMEOUT_S", 0.05)

    async def main() -> None:
        async with served() as port:
            for said in (b"", b"GET /healthz HTTP/1.1\r\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(said)
                assert await reader.read() == b""
                writer.close()

    run(main)


def test_so_many_connections_at_once() -> None:
    """One more is closed at once; when one has gone there is room again."""

    async def main() -> None:
        async with served() as port:
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS_MAX)]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            for one in idle:
                one.close()
            statuses: list[int] = []

            async def is_served() -> bool:
                with contextlib.suppress(OSError):
                    statuses.append((await asyncio.to_thread(ask, port, "/healthz"))[0])
                return 200 in statuses

            while not await is_served():
                await until(lambda: True)

    run(main)
