"""A load of jobs on a daemon, and the account of it: what was asked, answered, and seen by AWS."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from botod.ipc import Connection, connect
from support.daemons import BOUND_S
from support.http_server import Exchange, HttpServer, http_server
from support.services import form_of, query_xml

THREADS = 10


def play_sqs(exchange: Exchange) -> None:
    """Take each message."""
    query_xml("SendMessage", f"<MessageId>m-{exchange.number}</MessageId>")(exchange)


@dataclass
class Load:
    """What came of the jobs.

    may_fail: kinds of errors that may come, where a process is killed. lost: jobs that had one.
    failures: all others.
    """

    path: str
    server: HttpServer
    rate: float
    may_fail: tuple[str, ...] = ()
    lost: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    asked_num: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_more(self, number: int) -> None:
        """Wait until so many more jobs are answered."""
        with self._changed:
            wanted = len(self.answered) + number
            met = self._changed.wait_for(
                lambda: len(self.answered) >= wanted or self.failures, BOUND_S
            )
        assert met, f"no more answers: {len(self.answered)} of {self.asked_num}"

    def check(self) -> None:
        """Every job was answered, and was one message."""
        assert not self.failures, f"{len(self.failures)} failed: {self.failures[:5]}"
        assert len(self.answered) + len(self.lost) == self.asked_num
        copies = Counter(form_of(request)["MessageBody"] for request in self.server.requests)
        assert copies.keys() - self.lost == self.answered
        assert set(copies.values()) <= {1}, copies.most_common(3)

    def _run(self, number: int, ask: "Callable[[str], None]") -> None:
        due = time.monotonic()
        count = 0
        while not self._stop.is_set():
            body = f"{number}-{count}"
            count += 1
            with self._changed:
                self.asked_num += 1
            try:
                ask(body)
            except Exception as error:  # noqa: BLE001 - each is counted
                with self._changed:
                    if type(error).__name__ in self.may_fail:
                        self.lost.add(body)
                    else:
                        self.failures.append(f"{body}: {error!r}")
                    self._changed.notify_all()
            else:
                with self._changed:
                    self.answered.add(body)
                    self._changed.notify_all()
            due += THREADS / self.rate
            self._stop.wait(max(0.0, due - time.monotonic()))


@contextlib.contextmanager
def sqs_server() -> Iterator[HttpServer]:
    """Where the messages go."""
    with http_server(play_sqs) as server:
        yield server


@contextlib.contextmanager
def load_on(
    path: str, server: HttpServer, *, rate: float = 500, may_fail: tuple[str, ...] = ()
) -> Iterator[Load]:
    """Jobs, so many a second, for the length of a block; then the account is checked.

    Half of the threads keep their connection, the others make one for each job. None of them waits
    for a daemon that is not there: a refused connection is a failure.
    """
    load = Load(path, server, rate, may_fail)

    def keeping(number: int) -> None:
        with connect(path, wait_s=0) as connection:
            load._run(number, lambda body: send(connection, body))

    def anew(number: int) -> None:
        def ask(body: str) -> None:
            with connect(path, wait_s=0) as connection:
                send(connection, body)

        load._run(number, ask)

    threads = [
        threading.Thread(target=keeping if number % 2 else anew, args=[number], daemon=True)
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load._stop.set()
        for thread in threads:
            thread.join(BOUND_S)
    assert not any(thread.is_alive() for thread in threads), "a job was never answered"
    load.check()


def send(connection: Connection, body: str) -> None:
    """One job, which is not safe to repeat, and one message of its own."""
    message = {"QueueUrl": "http://h/1/q", "MessageBody": body}
    connection.call("sqs.send_message", message, batch=False)
