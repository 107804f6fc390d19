"""A server that keeps objects as S3 does, parts and conditions among them, and fails where told."""

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from support.http_server import Exchange

Rule = Callable[[Exchange], bool]
"""Called with each request first; True: it was answered, or broken off."""


@dataclass
class S3:
    """Its objects by path, and its uploads by id: what is left there of them.

    rules: what is asked first, the last added before all others.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    headers: dict[str, list[str]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, body: bytes, *headers: str) -> None:
        """Keep an object; headers are told with it."""
        self.objects[path] = body
        self.etags[path] = f'"{_md5(body)}"'
        self.headers[path] = list(headers)

    def __call__(self, exchange: Exchange) -> None:
        self.log.append(name_of(exchange))
        if not any(rule(exchange) for rule in reversed(self.rules)):
            self.serve(exchange)

    def once(self, name: str, do: Callable[[Exchange], object]) -> None:
        """Have the next request of this kind answered by `do`; its name is as in the log."""
        done: list[str] = []

        def rule(exchange: Exchange) -> bool:
            if done or name_of(exchange) != name:
                return False
            done.append(name)
            do(exchange)
            return True

        self.rules.append(rule)

    def always(self, name: str, do: Callable[[Exchange], object]) -> None:
        """Have all requests of this kind answered by `do`."""

        def rule(exchange: Exchange) -> bool:
            if name_of(exchange) != name:
                return False
            do(exchange)
            return True

        self.rules.append(rule)

    def serve(self, exchange: Exchange) -> None:
        """Answer as if there were no rules."""
        url = urlsplit(exchange.target)
        query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        with self._lock:
            answer = self._answer(exchange, url.path, query)
        answer()

    def _answer(self, exchange: Exchange, path: str, query: dict[str, str]) -> Callable[[], None]:
        name, upload_id = _name(exchange.method, query), query.get("uploadId")
        if upload_id is not None and upload_id not in self.uploads:
            return lambda: error(exchange, "NoSuchUpload", "404 Not Found")
        if upload_id is not None or name == "create":
            return self._of_upload(exchange, path, name, query)
        if name == "put":
            self.put(path, exchange.body)
            return lambda: exchange.ok(b"", f"ETag: {self.etags[path]}")
        return self._read(exchange, path)

    def _of_upload(
        self, exchange: Exchange, path: str, name: str, query: dict[str, str]
    ) -> Callable[[], None]:
        if name == "create":
            made = f"upload-{len(self.log)}"
            self.uploads[made] = {}
            document = (
                f"<InitiateMultipartUploadResult><UploadId>{made}</UploadId>"
                "</InitiateMultipartUploadResult>"
            )
            return lambda: exchange.ok(document.encode())
        upload_id = query["uploadId"]
        if name == "part":
            self.uploads[upload_id][int(query["partNumber"])] = exchange.body
            return lambda: exchange.ok(b"", f'ETag: "{_md5(exchange.body)}"')
        if name == "complete":
            return self._complete(exchange, path, upload_id)
        if name == "abort":
            del self.uploads[upload_id]
            return lambda: exchange.ok(status="204 No Content")
        return lambda: exchange.ok(b"<ListPartsResult/>")

    def _complete(self, exchange: Exchange, path: str, upload_id: str) -> Callable[[], None]:
        parts = self.uploads.pop(upload_id)
        found = ET.fromstring(exchange.body).findall(".//{*}ETag")
        told = [element.text or "" for element in found]
        assert told == [f'"{_md5(part)}"' for _number, part in sorted(parts.items())]
        body = b"".join(part for _number, part in sorted(parts.items()))
        digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in told)
        self.put(path, body)
        etag = self.etags[path] = f'"{_md5(digests)}-{len(parts)}"'
        return lambda: exchange.ok(
            f"\n\n<CompleteMultipartUploadResult><ETag>{etag.replace(chr(34), '&quot;')}</ETag>"
            "</CompleteMultipartUploadResult>".encode()
        )

    def _read(self, exchange: Exchange, path: str) -> Callable[[], None]:
        if path not in self.objects:
            return lambda: error(exchange, "NoSuchKey", "404 Not Found")
        body, etag = self.objects[path], self.etags[path]
        if exchange.headers.get("if-match", etag) != etag:
            return lambda: error(exchange, "PreconditionFailed", "412 Precondition Failed")
        headers = [f"ETag: {etag}", *self.headers[path]]
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", exchange.headers.get("range", ""))
        if found is None:
            return lambda: exchange.ok(body, *headers)
        begin, end = int(found[1]), min(int(found[2]) + 1, len(body))
        where = f"Content-Range: bytes {begin}-{end - 1}/{len(body)}"
        return lambda: exchange.ok(body[begin:end], where, *headers, status="206 Partial Content")


def error(exchange: Exchange, code: str, status: str) -> None:
    """Answer with an error as S3 has them."""
    exchange.ok(
        f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), status=status
    )


def name_of(exchange: Exchange) -> str:
    """What a request is: put, get, head, create, part, complete, abort, list_parts."""
    query = dict.fromkeys(parse_qs(urlsplit(exchange.target).query, True), "")
    return _name(exchange.method, query)


def _name(method: str, query: dict[str, str]) -> str:
    if "uploads" in query:
        return "create"
    if "uploadId" in query:
        return {"PUT": "part", "POST": "complete", "DELETE": "abort", "GET": "list_parts"}[method]
    return method.lower()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
