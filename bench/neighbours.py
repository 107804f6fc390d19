"""A well-behaved peer beside bad ones: how long its small jobs take, alone and in company.

    python bench/neighbours.py            # ten seconds each, under two minutes
    python bench/neighbours.py --quick    # three seconds each

The claim: the p99 of a peer that sends one GET of 1 KiB after another is at most twice as long
beside each of these as it is alone, measured before and after: peers that send a byte of their line
at a time; that ask for 1 MiB again and again and read it slowly; that send requests and never read,
until they are hung up on; 2,000 connections that do nothing; and peers that are refused, again and
again, for what they pass or declare. Exit status 1 if not.

The bad ones run in a process of their own; nginx with TLS is the server.
"""

import argparse
import json
import multiprocessing
import os
import resource
import socket
import sys
import time
from collections.abc import Callable

from nginx import running_nginx

from daemon import Client, Daemon, running_daemon

TIMES_MAX = 2.0
SLOW_PEERS = 50
IDLE_PEERS = 2_000
LARGE = 1024 * 1024


def _line(method: str, **params: object) -> bytes:
    envelope = {"jsonrpc": "2.0", "id": None, "method": method, "params": params}
    return json.dumps(envelope).encode() + b"\n"


GET_SMALL = _line("s3.get_object", Bucket="bucket", Key="k")
GET_LARGE = _line("s3.get_object", Bucket="bucket", Key="large")


def _sockets(path: str, number: int) -> list[socket.socket]:
    made = []
    for _ in range(number):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        made.append(sock)
    return made


def idle(path: str) -> None:
    """Connect, and do nothing."""
    _kept = _sockets(path, IDLE_PEERS)
    time.sleep(3600)


def slow_senders(path: str) -> None:
    """Send a byte of a line every ten milliseconds."""
    peers = _sockets(path, SLOW_PEERS)
    while True:
        for byte in GET_SMALL[:-1]:
            for peer in peers:
                peer.sendall(bytes([byte]))
            time.sleep(0.01)
        for peer in peers:
            peer.sendall(b"\n")
            peer.recv(65536)


def slow_readers(path: str) -> None:
    """Ask for much, and take 4 KiB of each answer every ten milliseconds."""
    peers = _sockets(path, SLOW_PEERS)
    for peer in peers:
        peer.sendall(GET_LARGE)
    while True:
        for peer in peers:
            data = peer.recv(4096)
            if data.endswith(b"\0" * 64) and len(data) < 4096:
                peer.sendall(GET_LARGE)
        time.sleep(0.01)


def never_read(path: str) -> None:
    """Send 320 requests a second and read no answer; connect anew when hung up on."""
    while True:
        (peer,) = _sockets(path, 1)
        peer.setblocking(False)
        try:
            while True:
                peer.send(GET_SMALL)
                time.sleep(0.003)
        except OSError:
            peer.close()


def refused(path: str) -> None:
    """Pass directories, declare too much, send what is no request."""
    line = json.dumps({
        "jsonrpc": "2.0", "id": 1, "method": "s3.put_object", "fds": 1,
        "params": {"Bucket": "bucket", "Key": "k", "Body": {"$fd": 0}},
    }).encode()  # fmt: skip
    directory = os.open("/", os.O_RDONLY)
    client = Client(path)
    while True:
        socket.send_fds(client.socket, [line + b"\n"], [directory])
        client.read()
        client.socket.sendall(b'{"jsonrpc":"2.0","id":2,"method":7}\n[]\n')
        client.read()
        client.read()
        time.sleep(0.002)


COMPANY: dict[str, Callable[[str], None]] = {
    "2,000 idle": idle,
    "slow senders": slow_senders,
    "slow readers": slow_readers,
    "never reading": never_read,
    "refused": refused,
}


def p99_ms(daemon: Daemon, seconds: float) -> tuple[float, float]:
    """Median and p99 of small jobs, one after another."""
    client, took = daemon.connect(), []
    ends = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        client.ask("s3.get_object", {"Bucket": "bucket", "Key": "k"})
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


def beside(daemon: Daemon, seconds: float, bad: Callable[[str], None]) -> tuple[float, float]:
    """The same while others misbehave."""
    process = multiprocessing.Process(target=bad, args=(daemon.path,), daemon=True)
    process.start()
    time.sleep(1.0)  # until they are at it
    try:
        return p99_ms(daemon, seconds)
    finally:
        process.kill()
        process.join()


def main() -> None:
    """Measure alone, beside each, and alone again, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three seconds each")
    seconds = 3.0 if parser.parse_args().quick else 10.0
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    limits = (
        f"peers = {2 * IDLE_PEERS}\npeers_per_uid = {2 * IDLE_PEERS}\n"
        "unread_timeout_s = 1.0\nunread_bytes = 1048576"
    )
    good = True
    print(f"{'beside':<16}{'p50 ms':>8}{'p99 ms':>8}{'times alone':>13}")
    with (
        running_nginx() as server,
        running_daemon(server, limits=limits) as daemon,
    ):
        (server.files / "large").write_bytes(bytes(LARGE))
        (server.files / "large").chmod(0o755)
        p99_ms(daemon, 1.0)
        for name, bad in COMPANY.items():
            before = p99_ms(daemon, seconds)
            middle = beside(daemon, seconds, bad)
            after = p99_ms(daemon, seconds)
            alone = (before[1] + after[1]) / 2
            times = middle[1] / alone
            good = good and times <= TIMES_MAX
            print(f"{'nobody':<16}{before[0]:>8.2f}{before[1]:>8.2f}")
            print(f"{name:<16}{middle[0]:>8.2f}{middle[1]:>8.2f}{times:>13.2f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
