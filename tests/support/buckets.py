"""A server that speaks as much of S3 as copying needs, with objects in memory.

A test may hold up an object's bytes in the middle, in either direction.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from support.daemons import Daemon
from support.http_server import Exchange, HttpServer, http_server
from support.services import s3_error

BUCKET = "photos"

PAGE = 100
"""Keys of one answer: so few that tests have several."""

BOUND_S = 30.0


@dataclass
class Buckets:
    """What is kept, by key, in the one bucket there is.

    refused: codes and words of S3's errors for keys that get one.
    held: keys of which a GET gets the first half only, until `go_on` is set; is_held: one does.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str | None] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    is_held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)

    def forget(self) -> None:
        """Be as new; what was held goes on."""
        self.go_on.set()
        for kept in (self.objects, self.types, self.refused, self.held):
            kept.clear()
        self.is_held = threading.Event()
        self.go_on = threading.Event()

    def answer(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.target)
        bucket, _slash, key = unquote(parts.path).removeprefix("/").partition("/")
        if bucket != BUCKET:
            s3_error("NoSuchBucket", "There is no such bucket", "404 Not Found")(exchange)
        elif key in self.refused:
            s3_error(*self.refused[key], "403 Forbidden")(exchange)
        elif not key:
            self._list(exchange, {name: one[0] for name, one in parse_qs(parts.query).items()})
        elif exchange.method == "PUT":
            self._put(exchange, key)
        elif key not in self.objects:
            s3_error("NoSuchKey", "There is no such key", "404 Not Found")(exchange)
        else:
            self._get(exchange, key)

    def _put(self, exchange: Exchange, key: str) -> None:
        source = exchange.headers.get("x-amz-copy-source")
        if source is None:
            self.objects[key] = exchange.body
            self.types[key] = exchange.headers.get("content-type")
            exchange.ok(b"", 'ETag: "e"')
            return
        whence = unquote(source).partition("/")[2]
        self.objects[key] = self.objects[whence]
        self.types[key] = self.types.get(whence)
        exchange.ok(b'<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>')

    def _get(self, exchange: Exchange, key: str) -> None:
        data = self.objects[key]
        if key not in self.held or exchange.method == "HEAD":
            exchange.ok(data, 'ETag: "e"')
            return
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        exchange.send(data[: len(data) // 2])
        self.is_held.set()
        self.go_on.wait(BOUND_S)
        exchange.send(data[len(data) // 2 :])

    def _list(self, exchange: Exchange, query: dict[str, str]) -> None:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        contents = "".join(
            f"<Contents><Key>{escape(quote(key))}</Key><Size>{len(self.objects[key])}</Size>"
            "</Contents>"
            for key in keys[:PAGE]
        )
        more = len(keys) > PAGE
        token = "".join(
            f"<NextContinuationToken>{escape(key)}</NextContinuationToken>"
            for key in keys[PAGE - 1 : PAGE]
        )
        exchange.ok(
            f"<ListBucketResult><EncodingType>url</EncodingType><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token if more else ''}"
            f"{contents}</ListBucketResult>".encode()
        )


class Served(NamedTuple):
    """A bucket, its server and a daemon for it."""

    buckets: Buckets
    server: HttpServer
    daemon: Daemon


@contextlib.contextmanager
def running_buckets() -> Iterator[tuple[Buckets, HttpServer]]:
    """The server for the length of a block."""
    buckets = Buckets()
    with http_server(buckets.answer) as server:
        try:
            yield buckets, server
        finally:
            buckets.go_on.set()
