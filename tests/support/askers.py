"""Processes of other users that ask a daemon something."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from support.daemons import BOUND_S, Daemon

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

CHILD = """
import json, os, socket, sys
path, when, cgroup, ids, requests = sys.argv[1:]
uid, groups = json.loads(ids)

def drop():
    os.setgroups(groups); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)

if cgroup:
    with open(cgroup + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(30)
if when == "before":
    drop()
else:
    os.setgroups(groups)
sock.connect(path)
if when == "after":
    groups = []
    drop()
lines = sock.makefile("rb")
for number, (method, params) in enumerate(json.loads(requests)):
    line = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    sock.sendall(json.dumps(line).encode() + b"\\n")
    answer = json.loads(lines.readline())
    print(answer["error"]["code"] if "error" in answer else 0)
    if "bytes" in answer:
        lines.read(sum(answer["bytes"]))
"""
"""Asks as a user of its own, which it becomes before it connects, or after; prints codes."""


def ask(
    daemon: Daemon,
    uid: int,
    *requests: tuple[str, dict[str, Any]],
    groups: tuple[int, ...] = (),
    when: str = "before",
    cgroup: str = "",
) -> list[int]:
    """What a process of this user is answered: the code of each error, 0 for a result."""
    words = (daemon.socket_path, when, cgroup, json.dumps([uid, groups]), json.dumps(requests))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CHILD, *words],
        stdout=subprocess.PIPE,
        timeout=BOUND_S,
        check=True,
        text=True,
    )
    return [int(line) for line in done.stdout.split()]
