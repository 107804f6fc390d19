"""Peers of the daemon's soak: jobs of every kind, one after the other in some threads. A program.

    python bench/soak_peers.py SOCKET SEED THREADS

Prints a line of JSON a second: what came of the jobs since the last, by kind and outcome, how long
those took that were done, in ms, and how many answers were another's. At the end of its input it
finishes what is under way, and says besides which messages were acknowledged, and which jobs were
never answered.
"""

import hashlib
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable

from soak_upstream import expected

from botod.ipc import Connection, DaemonUnavailable, RpcError, connect

TIMEOUT_S = 5.0
"""Of each job."""

LOST_AFTER_S = 60.0
"""A job that has no answer by then never has one."""

ABOVE_INLINE = 300_000
"""Bytes of an object that comes as a stream."""

TRICKLE_S = 0.002


class WrongAnswer(Exception):
    """What came belongs to another job, or to none."""


class Account:
    """What came of the jobs, since it was last told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: Counter[str] = Counter()
        self._took_ms: list[float] = []
        self.acknowledged: list[str] = []
        self.wrong: list[str] = []

    def note(self, kind: str, outcome: str, took_s: float) -> None:
        """One job has come to its end."""
        with self._lock:
            self._outcomes[f"{kind}: {outcome}"] += 1
            if outcome == "done":
                self._took_ms.append(round(took_s * 1000, 1))

    def tell(self) -> dict[str, object]:
        """What came since the last time."""
        with self._lock:
            told = {"outcomes": self._outcomes, "took_ms": self._took_ms}
            self._outcomes, self._took_ms = Counter(), []
        return told


class Peer:
    """One thread's: the jobs that it may do."""

    def __init__(self, path: str, name: str, account: Account) -> None:
        self._path = path
        self._name = name
        self._account = account
        self._draw = random.Random(name)
        self._number = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the peer
        self.jobs: list[Callable[[Connection], None]] = [
            *(self.get, self.get, self.send, self.send, self.put, self.receive),
            *(self.stream, self.upload, self.download, self.cancel, self.hang_up, self.keyed),
        ]

    def run(self, stopped: threading.Event) -> None:
        """Do jobs until it is stopped."""
        connection = connect(self._path, timeout_s=TIMEOUT_S, wait_s=TIMEOUT_S)
        with connection:
            while not stopped.is_set():
                job = self._draw.choice(self.jobs)
                began = time.monotonic()
                self._account.note(job.__name__, self._outcome(job, connection), _since(began))

    def _outcome(self, job: Callable[[Connection], None], connection: Connection) -> str:
        self._number += 1
        try:
            job(connection)
        except RpcError as error:
            return str(type(error).__name__)
        except (DaemonUnavailable, ConnectionError) as error:
            return type(error).__name__
        except WrongAnswer as error:
            self._account.wrong.append(f"{job.__name__}: {error}")
            return "wrong"
        return "done"

    def _object(self, size: int) -> tuple[str, bytes]:
        name = f"{self._draw.randrange(1_000_000_000)}-{size}"
        return name, expected(name)

    def get(self, connection: Connection) -> None:
        key, body = self._object(self._draw.randrange(1, 20_000))
        _check(connection.call("s3.get_object", _named(key), timeout_s=TIMEOUT_S)["Body"], body)

    def put(self, connection: Connection) -> None:
        key, body = self._object(self._draw.randrange(1, 50_000))
        params = _named(key) | {"Body": body}
        told = connection.call("s3.put_object", params, timeout_s=TIMEOUT_S)
        _check_etag(told, body)

    def send(self, connection: Connection, **options: object) -> None:
        text = f"{self._name}-{self._number}"
        params = {"QueueUrl": "http://h/1/q", "MessageBody": text}
        told = connection.call("sqs.send_message", params, timeout_s=TIMEOUT_S, **options)
        _check(told["MessageId"], text)
        self._account.acknowledged.append(text)

    def keyed(self, connection: Connection) -> None:
        self.send(connection, idempotency_key=f"{self._name}-{self._number}")

    def receive(self, connection: Connection) -> None:
        params = {"QueueUrl": "http://h/1/q", "WaitTimeSeconds": 1}
        told = connection.call("sqs.receive_message", params, timeout_s=TIMEOUT_S)
        for message in told.get("Messages", []):
            _check(message["Body"], message["MessageId"])

    def stream(self, connection: Connection) -> None:
        key, body = self._object(ABOVE_INLINE)
        with connection.client("s3").get_object(**_named(key))["Body"] as coming:
            pieces = []
            while piece := coming.read(65_536):
                pieces.append(piece)
                time.sleep(TRICKLE_S)
        _check(b"".join(pieces), body)

    def upload(self, connection: Connection) -> None:
        key, body = self._object(100_000)
        os.ftruncate(self._file.fileno(), 0)
        os.pwrite(self._file.fileno(), body, 0)
        self._file.seek(0)
        connection.client("s3").upload_fileobj(self._file, "bucket", key)

    def download(self, connection: Connection) -> None:
        key, body = self._object(100_000)
        os.ftruncate(self._file.fileno(), 0)
        self._file.seek(0)
        connection.client("s3").download_fileobj("bucket", key, self._file)
        _check(os.pread(self._file.fileno(), len(body) + 1, 0), body)

    def cancel(self, _connection: Connection) -> None:
        """Ask, and say at once that it is not wanted: an answer comes in any case."""
        key, _body = self._object(1000)
        with self._raw() as sock:
            sock.sendall(_line("s3.get_object", _named(key), id=7))
            sock.sendall(_line("$/cancelRequest", {"id": 7}))
            if not sock.recv(1):
                raise ConnectionResetError("no answer to a cancelled job")

    def hang_up(self, _connection: Connection) -> None:
        """Ask for a large object, and leave."""
        key, _body = self._object(1_000_000)
        with self._raw() as sock:
            sock.sendall(_line("s3.get_object", _named(key), id=1))
            time.sleep(self._draw.random() * 0.02)

    def _raw(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(LOST_AFTER_S)
        sock.connect(self._path)
        return sock


def _named(key: str) -> dict[str, object]:
    return {"Bucket": "bucket", "Key": key}


def _line(method: str, params: dict[str, object], **more: object) -> bytes:
    envelope = {"jsonrpc": "2.0", "method": method, "params": params, **more}
    return json.dumps(envelope).encode() + b"\n"


def _check(came: object, wanted: object) -> None:
    if came != wanted:
        raise WrongAnswer(f"{str(came)[:60]!r} instead of {str(wanted)[:60]!r}")


def _check_etag(told: dict[str, object], body: bytes) -> None:
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    _check(told["ETag"], f'"{digest}"')


def _since(began: float) -> float:
    return time.monotonic() - began


def main() -> None:
    """Run the threads, and tell of them."""
    path, seed, threads_num = sys.argv[1], sys.argv[2], int(sys.argv[3])
    account, stopped, ended = Account(), threading.Event(), threading.Event()
    threads = [
        threading.Thread(
            target=Peer(path, f"{seed}-{number}", account).run, args=[stopped], daemon=True
        )
        for number in range(threads_num)
    ]
    for thread in threads:
        thread.start()

    def until_told() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=until_told, daemon=True).start()
    while not ended.wait(1.0):
        print(json.dumps(account.tell()), flush=True)
    stopped.set()
    deadline = time.monotonic() + LOST_AFTER_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    lost = sum(thread.is_alive() for thread in threads)
    more = {"acknowledged": account.acknowledged, "wrong": account.wrong, "lost": lost}
    print(json.dumps(account.tell() | more), flush=True)


if __name__ == "__main__":
    main()
