"""Peers that are killed in the middle of whatever they do. A program of its own.

    python -I -S victims.py SOCKET SECONDS SEED

Forks a number of peers, each of which does one thing over and over, and every 50 ms kills one with
SIGKILL and forks another. Prints how many it killed. Standard library only, without the project's
client, so that a new peer costs a fork.
"""

import json
import os
import random
import signal
import socket
import sys
import tempfile
import time

PEERS = 24
KILL_EVERY_S = 0.05

Params = dict[str, object]

SMALL = b"x" * 1024
LARGE = b"y" * (1024 * 1024)


class Peer:
    """One connection; speaks the wire by hand."""

    def __init__(self, path: str, chance: random.Random) -> None:
        self.chance = chance
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.buffer = b""
        self.last_id = 0

    def request(self, method: str, params: Params, **more: object) -> bytes:
        """A request as it stands on the wire."""
        self.last_id += 1
        envelope = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        return json.dumps({**envelope, **more}).encode() + b"\n"

    def tell(self, method: str, params: Params, **more: object) -> bytes:
        """A notification as it stands on the wire."""
        envelope = {"jsonrpc": "2.0", "method": method, "params": params}
        return json.dumps({**envelope, **more}).encode() + b"\n"

    def message(self) -> Params:
        """The next message; its bytes are dropped."""
        while b"\n" not in self.buffer:
            self.fill()
        line, _newline, self.buffer = self.buffer.partition(b"\n")
        envelope = json.loads(line)
        due = sum(envelope.get("bytes", [])) if isinstance(envelope, dict) else 0
        while len(self.buffer) < due:
            self.fill()
        self.buffer = self.buffer[due:]
        return envelope

    def answer(self) -> Params:
        """The next answer; what comes before it is passed over."""
        while "id" not in (envelope := self.message()):
            pass
        return envelope

    def fill(self) -> None:
        """Read once."""
        data = self.sock.recv(65536)
        if not data:
            sys.exit(0)
        self.buffer += data

    def key(self) -> Params:
        """Some object."""
        return {"Bucket": "bucket", "Key": f"k{self.chance.randrange(8)}"}

    def pipelined(self) -> None:
        """Many small requests, and answers read later."""
        for _ in range(20):
            self.sock.sendall(self.request("s3.get_object", self.key()))
        for _ in range(20):
            self.answer()

    def inline(self) -> None:
        """A body beside the line, sent in two halves."""
        body = {"Body": {"$bytes": 0}}
        line = self.request("s3.put_object", self.key() | body, bytes=[len(LARGE)])
        self.sock.sendall(line + LARGE[: len(LARGE) // 2])
        time.sleep(self.chance.random() * 0.02)
        self.sock.sendall(LARGE[len(LARGE) // 2 :])
        self.answer()

    def stream_up(self) -> None:
        """A stream to the daemon, a piece at a time."""
        number = self.last_id + 1
        params = self.key() | {"Body": {"$stream": number}, "ContentLength": 10 * len(SMALL)}
        self.sock.sendall(self.request("s3.put_object", params, streams=[number]))
        self.message()
        for _ in range(10):
            self.sock.sendall(
                self.tell("stream.data", {"stream": number}, bytes=[len(SMALL)]) + SMALL
            )
            time.sleep(0.002)
        self.sock.sendall(self.tell("stream.end", {"stream": number}))
        self.answer()

    def stream_down(self) -> None:
        """A stream from the daemon, read a little at a time."""
        if self.last_id == 0:
            self.sock.sendall(self.request("botod.hello", {"stream_credit_bytes": 4096}))
            self.answer()
        self.sock.sendall(self.request("s3.get_object", {"Bucket": "bucket", "Key": "large"}))
        streams = self.answer().get("streams", [])
        while streams:
            envelope = self.message()
            if envelope.get("method") == "stream.end":
                return
            credit = {"stream": streams[0], "bytes": envelope["bytes"][0]}
            self.sock.sendall(self.tell("stream.credit", credit))
            time.sleep(0.001)

    def pipe_up(self) -> None:
        """A pipe whose other end is written slowly."""
        reads, writes = os.pipe()
        params = self.key() | {"Body": {"$fd": 0, "length": 4 * len(SMALL)}}
        line = self.request("s3.put_object", params, fds=1)
        socket.send_fds(self.sock, [line], [reads])
        os.close(reads)
        for _ in range(4):
            os.write(writes, SMALL)
            time.sleep(0.005)
        os.close(writes)
        self.answer()

    def file_down(self) -> None:
        """A file that the daemon writes."""
        with tempfile.TemporaryFile() as file:
            params = {"Bucket": "bucket", "Key": "large", "Body": {"$fd": 0, "offset": 0}}
            socket.send_fds(
                self.sock, [self.request("s3.get_object", params, fds=1)], [file.fileno()]
            )
            self.answer()

    def joined(self) -> None:
        """What others ask for at the same moment."""
        options = {"idempotency_key": f"key {int(time.time() * 10)}"}
        params = {"Bucket": "bucket", "Key": "k0"}
        self.sock.sendall(self.request("s3.get_object", params, **options))
        self.answer()

    def finished(self) -> None:
        """What goes on when this one is dead, and what nobody waits for."""
        self.sock.sendall(self.tell("s3.get_object", self.key()))
        self.sock.sendall(self.request("s3.get_object", self.key(), on_hangup="finish"))
        self.answer()


DEEDS = (
    Peer.pipelined, Peer.inline, Peer.stream_up, Peer.stream_down, Peer.pipe_up, Peer.file_down,
    Peer.joined, Peer.finished,
)  # fmt: skip


def live(path: str, seed: int) -> None:
    """Be a peer until killed."""
    chance = random.Random(seed)
    deed = DEEDS[seed % len(DEEDS)]
    peer = Peer(path, chance)
    while True:
        deed(peer)


def main() -> None:
    """Fork, kill, fork."""
    path, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    alive: list[int] = []
    killed = 0

    def fork() -> None:
        nonlocal seed
        seed += 1
        pid = os.fork()
        if not pid:
            try:
                live(path, seed)
            finally:
                os._exit(1)
        alive.append(pid)

    for _ in range(PEERS):
        fork()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(KILL_EVERY_S)
        victim = alive.pop(chance.randrange(len(alive)))
        os.kill(victim, signal.SIGKILL)
        _pid, status = os.waitpid(victim, 0)
        killed += os.WIFSIGNALED(status)  # one that ended by itself was hung up on
        fork()
    for victim in alive:
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main()
