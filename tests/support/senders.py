"""A steady load of small jobs from one process, counted. A program of its own.

    python -I -S senders.py SOCKET NAME RATE [may-lose] [may-be-drained]

Sends RATE messages of SQS a second, whether the ones before are answered or not: four of five on
connections that are kept, pipelined, the others each on one of its own. Every 50 ms it prints how
many are answered, failed and lost so far, and at the end of its input, when the last is answered,
what came of all.

What was not read, by the kernel's word or the daemon's, goes out again, on another connection. With
may-lose what had no answer when its connection ended is lost, and the outcome of a job may be
unknown: somebody is killed. With may-be-drained what a drained daemon refuses is lost. Standard
library only, and the wire by hand: cheap, so that a rate is really offered.
"""

import json
import select
import socket
import sys
import time

KEPT = 4
ALONE_EVERY = 5
TICK_S = 0.005
TELL_S = 0.05
LAST_ANSWERS_S = 30.0

OUTCOME_UNKNOWN, SHUTTING_DOWN, DRAINED = -32001, -32006, -32019


class Connection:
    """One to the daemon. open: jobs without an answer, by their id; unsent: not written whole yet.

    Nothing is waited for: a peer that waits for room reads no answers, which a daemon that stops
    waits for, before the next one makes room.
    """

    def __init__(self, path: str, *, is_kept: bool) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.setblocking(False)
        self.is_kept = is_kept
        self.open: dict[int, str] = {}
        self.unsent: list[tuple[int, str, bytes]] = []
        self.rest = b""
        self.was_reset = False

    def add(self, number: int, job: str) -> None:
        """One more to be sent."""
        message = {"QueueUrl": "http://h/1/q", "MessageBody": job}
        line = {"jsonrpc": "2.0", "id": number, "method": "sqs.send_message", "params": message}
        self.unsent.append((number, job, json.dumps({**line, "batch": False}).encode() + b"\n"))

    def send(self) -> None:
        """What there is room for. Raises OSError: the daemon has closed it."""
        while self.unsent:
            number, job, line = self.unsent[0]
            try:
                sent = self.sock.send(line)
            except BlockingIOError:
                return
            if sent < len(line):
                self.unsent[0] = number, job, line[sent:]
            else:
                del self.unsent[0]
                self.open[number] = job


class Senders:
    """All connections, and the account."""

    def __init__(self, path: str, *, may_lose: bool, may_be_drained: bool) -> None:
        self.path = path
        self.may_lose = may_lose
        self.may_be_drained = may_be_drained
        self.kept: list[Connection] = []
        self.by_fd: dict[int, Connection] = {}
        self.poll = select.poll()
        self.asked_num = self.again_num = 0
        self.answered: list[str] = []
        self.lost: list[str] = []
        self.failures: list[str] = []

    def ask(self, job: str) -> None:
        """Send a job."""
        self.asked_num += 1
        self.send(job, is_alone=self.asked_num % ALONE_EVERY == 0)

    def send(self, job: str, *, is_alone: bool) -> None:
        """On a connection of its own, or on one that is kept; nothing waits for a daemon."""
        try:
            if is_alone:
                connection = self.connect(is_kept=False)
            elif len(self.kept) < KEPT:
                connection = self.connect(is_kept=True)
            else:
                connection = self.kept[self.asked_num % KEPT]
        except OSError as error:
            self.failures.append(f"{job}: no connection: {error}")
            return
        connection.add(self.asked_num + self.again_num, job)
        self.write(connection)

    def write(self, connection: Connection) -> None:
        """What there is room for; the rest as soon as there is."""
        try:
            connection.send()
        except OSError as error:  # what the daemon wrote before is there
            connection.was_reset = isinstance(error, ConnectionResetError)
            while connection.sock.fileno() in self.by_fd:
                self.read(connection)
            return
        wanted = select.POLLIN | (select.POLLOUT if connection.unsent else 0)
        self.poll.modify(connection.sock, wanted)

    def again(self, job: str) -> None:
        """Nothing was done of it."""
        self.again_num += 1
        self.send(job, is_alone=False)

    def connect(self, *, is_kept: bool) -> Connection:
        """A new connection. Raises OSError."""
        connection = Connection(self.path, is_kept=is_kept)
        self.by_fd[connection.sock.fileno()] = connection
        self.poll.register(connection.sock, select.POLLIN)
        if is_kept:
            self.kept.append(connection)
        return connection

    def drop(self, connection: Connection) -> None:
        """It is over; who waits for an answer on it is left in `open`."""
        if self.by_fd.pop(connection.sock.fileno(), None) is not None:
            self.poll.unregister(connection.sock)
        if connection in self.kept:
            self.kept.remove(connection)
        connection.sock.close()

    def turn(self, timeout_s: float) -> None:
        """Read what has come."""
        for fd, event in self.poll.poll(timeout_s * 1000):
            if event & select.POLLOUT and fd in self.by_fd:
                self.write(self.by_fd[fd])
            if fd in self.by_fd:
                self.read(self.by_fd[fd])

    def read(self, connection: Connection) -> None:
        """Some answers, or the end."""
        data = b""
        try:
            data = connection.sock.recv(65536)
        except BlockingIOError:  # only room for more, or what was ready had this number before
            return
        except ConnectionResetError:
            connection.was_reset = True
        *lines, connection.rest = (connection.rest + data).split(b"\n")
        for line in lines:
            self.take(connection, json.loads(line))
        is_used = connection.is_kept or connection.open or connection.unsent
        if not data or not is_used:
            self.drop(connection)
            for _number, job, _line in connection.unsent:
                self.again(job)
            for job in connection.open.values():
                self.ended(job, is_unread=connection.was_reset)

    def ended(self, job: str, *, is_unread: bool) -> None:
        """A connection ended before this job's answer: by the kernel's word, unread, or not."""
        if self.may_lose:
            self.lost.append(job)
        elif is_unread:
            self.again(job)
        else:
            self.failures.append(f"{job}: the daemon hung up")

    def take(self, connection: Connection, answer: dict[str, object]) -> None:
        """One answer, or what is said to all on a connection."""
        error = answer.get("error")
        code = error["code"] if isinstance(error, dict) else 0
        number = answer.get("id")
        if not isinstance(number, int):
            self.failures.append(f"to all on a connection: {error}")
            return
        job = connection.open.pop(number)
        if not code:
            self.answered.append(job)
        elif code == SHUTTING_DOWN:
            if connection in self.kept:
                self.kept.remove(connection)
            self.again(job)
        elif (code == OUTCOME_UNKNOWN and self.may_lose) or (
            code == DRAINED and self.may_be_drained
        ):
            self.lost.append(job)
        else:
            self.failures.append(f"{job}: {error}")

    def is_waiting(self) -> bool:
        """Whether there are jobs without an answer."""
        return any(connection.open or connection.unsent for connection in self.by_fd.values())


def offer(senders: Senders, name: str, rate: float) -> float:
    """Send until the input ends; for how many seconds that was."""
    began = told = time.monotonic()
    stdin = select.poll()
    stdin.register(0, select.POLLIN | select.POLLHUP)
    while not stdin.poll(0):
        now = time.monotonic()
        while senders.asked_num < (now - began) * rate:
            senders.ask(f"{name}-{senders.asked_num}")
        senders.turn(TICK_S)
        if now - told > TELL_S:
            told = now
            tell(senders)
    return time.monotonic() - began


def tell(senders: Senders) -> None:
    """How it goes; a failure ends the wait for more."""
    counts = len(senders.answered), len(senders.failures), len(senders.lost)
    sys.stdout.write("{} {} {}\n".format(*counts))
    sys.stdout.flush()


def main() -> None:
    """Send, wait for the last answers, and print the account."""
    path, name, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
    words = sys.argv[4:]
    senders = Senders(path, may_lose="may-lose" in words, may_be_drained="may-be-drained" in words)
    seconds = offer(senders, name, rate)
    deadline = time.monotonic() + LAST_ANSWERS_S
    while senders.is_waiting() and time.monotonic() < deadline:
        senders.turn(TICK_S)
    account = {
        "seconds": seconds,
        "asked": senders.asked_num,
        "again": senders.again_num,
        "answered": senders.answered,
        "lost": senders.lost,
        "failures": senders.failures,
    }
    sys.stdout.write(json.dumps(account) + "\n")


if __name__ == "__main__":
    main()
