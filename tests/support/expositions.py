"""What a daemon tells Prometheus, over HTTP and by prometheus_client's own parser."""

import http.client
import socket
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from support.loops import BOUND_S


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path | str) -> None:
        super().__init__("localhost", timeout=BOUND_S)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(BOUND_S)
        self.sock.connect(self._path)


def ask(
    place: Path | str | int, target: str, method: str = "GET", **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    """Status, body and headers of an answer. place: a Unix socket's path, or a port of loopback."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", place, timeout=BOUND_S)
        if isinstance(place, int)
        else UnixConnection(place)
    )
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


class Exposition:
    """The samples of one exposition."""

    def __init__(self, text: str) -> None:
        self.families = {one.name: one for one in text_string_to_metric_families(text)}
        self.samples: list[Sample] = [
            sample for one in self.families.values() for sample in one.samples
        ]

    @property
    def names(self) -> set[str]:
        """Those of the samples, and of series that have none yet."""
        return {sample.name for sample in self.samples}

    def found(self, name: str, **labels: str) -> list[Sample]:
        return [
            sample
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def total(self, name: str, **labels: str) -> float:
        """Over all series of a name that have these labels."""
        return sum(sample.value for sample in self.found(name, **labels))

    def label_values(self) -> Iterable[str]:
        return {value for sample in self.samples for value in sample.labels.values()}


def scrape(place: Path | str | int) -> Exposition:
    """What Prometheus would read."""
    status, text, _headers = ask(place, "/metrics")
    assert status == 200, text
    return Exposition(text)
