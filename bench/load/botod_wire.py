"""The daemon, by a client of a few lines: one connection, so many requests on it at once."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

from load.meter import Meter
from load.task import MESSAGE, Task

READ_BYTES = 1 << 20


def envelope(task: Task, number: int) -> bytes:
    """The request with this id, its raw bytes after it."""
    request: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
    if task.kind == "sqs":
        params = {"QueueUrl": f"{task.url}/1/q", "MessageBody": MESSAGE, "DelaySeconds": 0}
        request |= {"method": "sqs.send_message", "params": params}
        return json.dumps(request).encode() + b"\n"
    if task.kind == "put":
        params = {"Bucket": "put", "Key": "botod", "Body": {"$bytes": 0}}
        request |= {"method": "s3.put_object", "params": params, "bytes": [len(task.body)]}
        return json.dumps(request).encode() + b"\n" + task.body
    request |= {"method": "s3.get_object", "params": {"Bucket": "bucket", "Key": task.key}}
    return json.dumps(request).encode() + b"\n"


class Line:
    """The connection."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self._data = bytearray()

    def answers(self) -> Iterator[Any]:
        """Each as it comes, without its raw bytes."""
        while True:
            while (end := self._data.find(b"\n")) < 0:
                self._fill()
            answer = json.loads(self._data[:end])
            if "error" in answer:
                raise RuntimeError(answer["error"])
            end += 1 + sum(answer.get("bytes", ()))
            while len(self._data) < end:
                self._fill()
            # At once: others may come for ever before all that is here is used up.
            del self._data[:end]
            yield answer

    def _fill(self) -> None:
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the daemon hung up")
        self._data += data


def run(task: Task) -> Meter:
    meter, line = Meter(task), Line(task.socket)
    answers = line.answers()
    _drive(line, answers, task, task.warm_up, [])
    meter.begin()
    _drive(line, answers, task, task.number, meter.took_s)
    meter.end()
    return meter


def _drive(
    line: Line, answers: Iterator[Any], task: Task, number: int, took_s: list[float]
) -> None:
    """So many requests; who is answered asks again at once."""
    began: dict[int, float] = {}
    requests = [envelope(task, number) for number in range(task.in_flight)]

    def ask(one: int) -> None:
        began[one] = time.perf_counter()
        line.socket.sendall(requests[one])

    first = min(task.in_flight, number)
    for one in range(first):
        ask(one)
    left = number - first
    while began:
        one = next(answers)["id"]
        took_s.append(time.perf_counter() - began.pop(one))
        if left:
            left -= 1
            ask(one)
