"""A load of jobs on a daemon, and the account of it: what was asked, answered, and seen by AWS."""

import contextlib
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botod.ipc import Connection
from support.daemons import BOUND_S
from support.http_server import Exchange, HttpServer, http_server
from support.services import form_of, query_xml

RATE = 500.0
"""Jobs a second."""

PROCESSES = 2

ROOM: dict[str, Any] = {
    "limits": {
        "peers": 8000,
        "peers_per_uid": 4000,
        "in_flight_per_peer": 4000,
        "in_flight_per_uid": 8000,
        "jobs": 16_000,
    },
    "pool": {"max_waiting": 16_000, "max_waiting_per_uid": 8000},
}
"""A daemon's settings: what piles up while a busy machine starts Python is refused by no limit."""

SENDER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("senders.py"))]


def play_sqs(exchange: Exchange) -> None:
    """Take each message."""
    query_xml("SendMessage", f"<MessageId>m-{exchange.number}</MessageId>")(exchange)


@dataclass
class Load:
    """What came of the jobs, when it is over.

    lost: those whose daemon was killed meanwhile, or refused them as it was drained.
    """

    server: HttpServer
    asked_num: int = 0
    again_num: int = 0
    rate: float = 0.0
    answered: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _so_far: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_more(self, number: float) -> None:
        """Wait until so many more jobs are answered."""
        with self._changed:
            wanted = self._answered_num() + number
            self._changed.wait_for(
                lambda: self._answered_num() >= wanted or self._failures_num(), BOUND_S
            )
            assert self._failures_num() or self._answered_num() >= wanted, "no more answers"

    def wait_for_loss(self) -> None:
        """Wait until a job is lost."""
        with self._changed:
            assert self._changed.wait_for(self._lost_num, BOUND_S), "none is lost"

    def check(self) -> None:
        """Every job was answered, and was one message."""
        assert not self.failures, f"{len(self.failures)} failed: {self.failures[:5]}"
        assert len(self.answered) + len(self.lost) == self.asked_num
        copies = Counter(form_of(request)["MessageBody"] for request in self.server.requests)
        assert copies.keys() - set(self.lost) == set(self.answered)
        assert set(copies.values()) <= {1}, copies.most_common(3)

    def _answered_num(self) -> int:
        return sum(answered for answered, _failures, _lost in self._so_far.values())

    def _failures_num(self) -> int:
        return sum(failures for _answered, failures, _lost in self._so_far.values())

    def _lost_num(self) -> int:
        return sum(lost for _answered, _failures, lost in self._so_far.values())

    def listen_to(self, number: int, sender: "subprocess.Popen[str]") -> None:
        """Gather what one says, to its end; run by a thread."""
        assert sender.stdout is not None, "standard output is a pipe"
        with sender.stdout:
            for line in sender.stdout:
                with self._changed:
                    self._take(number, line)
                    self._changed.notify_all()

    def _take(self, number: int, line: str) -> None:
        if line.startswith("{"):
            self._add(json.loads(line))
        else:
            answered, failures, lost = map(int, line.split())
            self._so_far[number] = answered, failures, lost

    def _add(self, account: dict[str, Any]) -> None:
        self.asked_num += account["asked"]
        self.again_num += account["again"]
        self.rate += account["asked"] / account["seconds"]
        self.answered += account["answered"]
        self.lost += account["lost"]
        self.failures += account["failures"]


@contextlib.contextmanager
def sqs_server() -> Iterator[HttpServer]:
    """Where the messages go."""
    with http_server(play_sqs) as server:
        yield server


@contextlib.contextmanager
def load_on(
    path: str,
    server: HttpServer,
    *,
    rate: float = RATE,
    may_lose: bool = False,
    may_be_drained: bool = False,
) -> Iterator[Load]:
    """Jobs, so many a second, for the length of a block; then the account is checked.

    They are offered whether the daemon keeps up or not, by processes that wait for no daemon that
    is not there: a refused connection is a failure. may_lose: somebody is killed meanwhile.
    may_be_drained: the daemon is.
    """
    load = Load(server)
    words = ["may-lose"] * may_lose + ["may-be-drained"] * may_be_drained
    senders = [
        subprocess.Popen(
            [*SENDER, path, str(number), str(rate / PROCESSES), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    threads = [
        threading.Thread(target=load.listen_to, args=one, daemon=True) for one in enumerate(senders)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
        for sender in senders:
            sender.stdin.close()  # type: ignore[union-attr]
        for thread in threads:
            thread.join(2 * BOUND_S)
    finally:
        for sender in senders:
            sender.kill()
            sender.wait(BOUND_S)
    load.check()
    assert load.rate > 0.5 * rate, "the machine did not come to offer that much"
    print(  # noqa: T201 - what was offered is what was claimed
        f"{load.asked_num} jobs, {load.rate:.0f} a second, {load.again_num} sent again unread, "
        f"{len(load.lost)} lost"
    )


def send(connection: Connection, body: str) -> None:
    """One job, which is not safe to repeat, and one message of its own."""
    message = {"QueueUrl": "http://h/1/q", "MessageBody": body}
    connection.call("sqs.send_message", message, batch=False)
