"""AWS's real names on this machine alone: a network namespace whose every name is loopback.

Run as `python -m support.private_network FOLDER COMMAND…` inside `unshare -n -m`: it brings up
loopback, answers every DNS question with 127.0.0.1, serves TLS on port 443 with certificates of a
throwaway authority (FOLDER/ca.pem) before a real S3-, SQS- and STS-speaking server, and runs the
command. So boto keeps its host names, HTTPS, virtual-host buckets and signing scopes.
"""

import fcntl
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from botod.daemon.commands.demo import server
from support.certificates import new_authority
from support.daemons import KEYS, NO_METADATA, short_folder

SIOCSIFFLAGS = 0x8914
IFF_UP = 1

REGIONS = ("us-east-1", "eu-central-1")

NAMES = [
    "*.amazonaws.com",
    "*.s3.amazonaws.com",
    *(f"*.{region}.amazonaws.com" for region in REGIONS),
    *(f"*.s3.{region}.amazonaws.com" for region in REGIONS),
    *(f"*.s3.dualstack.{region}.amazonaws.com" for region in REGIONS),
]
"""What certificates are for; a `*` stands for one label."""

A = 1
"""The only kind of DNS record there is here."""


def bring_up_loopback() -> None:
    """What `ip link set lo up` does."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def ask_here(folder: Path) -> None:
    """Have this mount namespace's resolver ask on loopback."""
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1\n")
    subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)


def answer_names() -> None:
    """Say 127.0.0.1 to every question, until the process ends."""
    with name_socket() as port:
        while True:
            question, asker = port.recvfrom(4096)
            port.sendto(answer_to(question), asker)


def name_socket() -> socket.socket:
    """Where questions come to."""
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.bind(("127.0.0.1", 53))
    return port


def answer_to(question: bytes) -> bytes:
    """127.0.0.1; to who asks for something else than an address of four bytes: nothing."""
    end = question.index(b"\0", 12) + 5
    is_a = struct.unpack(">H", question[end - 4 : end - 2])[0] == A
    header = question[:2] + struct.pack(">HHHHH", 0x8180, 1, int(is_a), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", A, 1, 60, 4) + b"\x7f\0\0\1"
    return header + question[12:end] + (record if is_a else b"")


def serve_tls(context: ssl.SSLContext, port: int) -> None:
    """Hand on what comes to 443 to a plain server, until the process ends."""
    listener = socket.create_server(("127.0.0.1", 443), backlog=128)
    while True:
        came, _address = listener.accept()
        threading.Thread(target=hand_on, args=(context, came, port), daemon=True).start()


def hand_on(context: ssl.SSLContext, came: socket.socket, port: int) -> None:
    """One connection, both ways, until one side ends it."""
    with suppress(OSError), came:
        client = context.wrap_socket(came, server_side=True)
        behind = socket.create_connection(("127.0.0.1", port))
        back = threading.Thread(target=copy, args=(behind, client), daemon=True)
        back.start()
        copy(client, behind)
        back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    """All that comes."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def run_in_it(code: str, bound_s: float) -> dict[str, Any]:
    """Run Python code in such a network; what it prints, which is JSON.

    `sys.argv[1]` is a folder, with the authority in it.
    """
    with short_folder() as folder:
        done = subprocess.run(
            [
                *("unshare", "--net", "--mount"),
                *(sys.executable, "-m", "support.private_network", str(folder)),
                *(sys.executable, "-c", code, str(folder)),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(Path(__file__).parents[1]),
                **KEYS,
                **NO_METADATA,
            },
            capture_output=True,
            text=True,
            timeout=bound_s,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Set up the network, run the command in it, and give its exit status."""
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    bring_up_loopback()
    ask_here(folder)
    threading.Thread(target=answer_names, daemon=True).start()
    context = new_authority(folder).server_context(*NAMES)
    with server("botod.daemon.demo.aws") as url:
        port = int(url.rpartition(":")[2])
        threading.Thread(target=serve_tls, args=(context, port), daemon=True).start()
        return subprocess.run(command, check=False, env=os.environ).returncode


if __name__ == "__main__":
    sys.exit(main())
