"""An easy handle that carries one transfer after the other."""

from collections.abc import Callable
from itertools import product

import pytest

from botod.pool import Pool, spawn
from botod.pool.handle import LARGE_BUFFER_BYTES, _jittered
from botod.pool.origin import Origin
from botod.pool.request import Request
from botod.pool.transfer import State, Transfer
from botod.pool.upload import WHOLE_BYTES, Upload
from support.http_server import Exchange, http_server
from support.loops import run
from support.pools import open_pool, until_ended

LARGE = bytes(range(256)) * (LARGE_BUFFER_BYTES // 128)


def fed(body: bytes, length_bytes: int | None) -> Upload:
    """A body that curl asks for."""
    upload = Upload(length_bytes)
    upload.feed(body)
    upload.finished = length_bytes is None
    return upload


KINDS: dict[str, tuple[str, Callable[[], Upload | None], bytes]] = {
    "get": ("GET", lambda: None, b""),
    "head": ("HEAD", lambda: None, b""),
    "delete": ("DELETE", lambda: None, b""),
    "whole": ("POST", lambda: Upload(4, b"body"), b"body"),
    "longest whole": ("PUT", lambda: Upload(WHOLE_BYTES, LARGE[:WHOLE_BYTES]), LARGE[:WHOLE_BYTES]),
    "empty": ("POST", lambda: Upload(0, b""), b""),
    "fed": ("PUT", lambda: fed(b"fed", 3), b"fed"),
    "large": ("PUT", lambda: fed(LARGE, len(LARGE)), LARGE),
    "in chunks": ("PATCH", lambda: fed(b"chunks", None), b"chunks"),
}


async def carried(pool: Pool, port: int, kind: str) -> Transfer:
    """A transfer of one of the kinds, at its end."""
    method, upload, _body = KINDS[kind]
    headers = (b"Host: 127.0.0.1", b"Content-Type:", f"X-Kind: {kind}".encode())
    request = Request(method, Origin("http", "127.0.0.1", port), f"/{method}", headers, upload())
    transfer = Transfer(request, on_end=lambda _transfer: None)
    pool.client.start(transfer)
    await spawn(until_ended, transfer)
    return transfer


def as_it_should_be(seen: Exchange, kind: str) -> bool:
    """Whether a request of this kind stood on the wire, and nothing of another one."""
    method, upload, body = KINDS[kind]
    meant = upload()
    lengths = {
        "content-length": None if meant is None else meant.length_bytes,
        "transfer-encoding": "chunked"
        if meant is not None and meant.length_bytes is None
        else None,
    }
    said = {name: str(value) for name, value in lengths.items() if value is not None}
    fixed = {"host": "127.0.0.1", "x-kind": kind, "user-agent": seen.headers["user-agent"]}
    headers = {
        name: value for name, value in seen.headers.items() if name not in {"accept", "expect"}
    }
    return (seen.method, seen.target, seen.body, headers) == (
        method, f"/{method}", body, fixed | said,
    )  # fmt: skip


def test_each_kind_of_request_after_each() -> None:
    """One handle carries them in any order, each as if it were new, and the second alike."""
    order = [kind for pair in product(KINDS, KINDS) for kind in pair]

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                for kind in order:
                    transfer = await carried(pool, server.port, kind)
                    assert transfer.state is State.COMPLETE, (kind, transfer.failure)
                    assert b"".join(transfer.take(None)) == (b"" if kind == "head" else b"fine")
        assert server.connections_total == 1
        for seen, kind in zip(server.requests, order, strict=True):
            assert as_it_should_be(seen, kind), (kind, seen)

    run(scenario)


def test_what_curl_refuses_leaves_nothing() -> None:
    """A request of which it took a part only is not what the next one is compared with."""

    async def scenario() -> None:
        with http_server() as server:
            async with open_pool() as pool:
                await carried(pool, server.port, "head")
                origin = Origin("http", "127.0.0.1", server.port)
                refused = Transfer(Request("GÜT", origin, "/", ()), on_end=lambda _transfer: None)
                with pytest.raises(ValueError, match="not a request that can be sent"):
                    pool.client.start(refused)
                await carried(pool, server.port, "head")
        assert all(as_it_should_be(seen, "head") for seen in server.requests)
        assert len(server.requests) == 2

    run(scenario)


def test_lifetimes_differ_by_up_to_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections of a burst are not all replaced in one moment."""
    monkeypatch.setattr("botod.pool.handle.random", lambda: 1.0)
    assert _jittered(3600) == 3240
    monkeypatch.setattr("botod.pool.handle.random", lambda: 0.0)
    assert _jittered(3600) == 3600
