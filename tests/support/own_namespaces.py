"""Networks and mounts of a test's own, where it is root."""

import contextlib
import ctypes
import json
import os
import threading
from collections.abc import Iterator

import pytest

from support.private_network import bring_up_loopback

CLONE_NEWNET = 0x40000000

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces of its own")

_libc = ctypes.CDLL(None, use_errno=True)

IN_PRIVATE_MOUNTS = """
import json, os, subprocess, sys
from ctypes import CDLL
assert CDLL(None).unshare(0x20000) == 0
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
for words in json.loads(sys.argv.pop(1)):
    subprocess.run(["mount", *words], check=True)
from botod.daemon.cli import main
sys.exit(main(sys.argv[1:]))
"""


def with_mounts(*mounts: tuple[str, ...]) -> tuple[str, ...]:
    """What Python runs to be a daemon that alone sees these mounts; each is mount's arguments.

    Others find them below /proc/PID/root.
    """
    return ("-c", IN_PRIVATE_MOUNTS, json.dumps(mounts), "run")


@contextlib.contextmanager
def private_network() -> Iterator[None]:
    """Have a network with nothing but loopback in it, for the length of a block.

    It is the calling thread's, and that of all threads and processes that it starts meanwhile.
    """
    before = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    try:
        _checked(_libc.unshare(CLONE_NEWNET))
        bring_up_loopback()
        yield
    finally:
        _checked(_libc.setns(before, CLONE_NEWNET))
        os.close(before)


def _checked(status: int) -> None:
    assert status == 0, os.strerror(ctypes.get_errno())
