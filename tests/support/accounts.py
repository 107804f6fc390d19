"""A server that names each of its answers as AWS does, and what an audit record says of them."""

import json
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from support.http_server import Exchange

STATUS = re.compile(rb"HTTP/1\.1 [2-5]\d\d [^\r\n]*\r\n")


class Naming:
    """Puts a request id into each answer of a server. named: those that were sent."""

    def __init__(self, answer: Callable[[Exchange], object]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.named: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        send = exchange.send
        name = f"R{exchange.number}"

        def named(data: bytes) -> None:
            found = STATUS.match(data)
            if found is not None:
                with self._lock:
                    self.named.append(name)
                header = f"x-amz-request-id: {name}\r\n".encode()
                data = data[: found.end()] + header + data[found.end() :]
            send(data)

        exchange.send = named  # type: ignore[method-assign]
        self._answer(exchange)


def records_of(path: Path) -> list[dict[str, Any]]:
    """What stands in an audit record."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def requests_in(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each request that records tell of, by its number; of several tellings the fullest."""
    told: dict[str, dict[str, Any]] = {}
    for record in records:
        for request in record.get("requests", ()):
            known = told.get(request["id"])
            if known is None or known["status"] is None:
                told[request["id"]] = request
            else:
                assert request in (known, {**known, "status": None, "request_id": None})
    return told
