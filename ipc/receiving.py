"""One read from a Unix socket: bytes, descriptors, and who sent them by the kernel's word."""

import array
import mmap
import socket
import struct
from typing import NamedTuple

from botod.ipc.descriptor_queue import MAX_FDS, SURPLUS_FDS

READ_BYTES = 256 * 1024
"""Read at a time from one peer: the others are served in between."""

_UCRED = struct.Struct("=iII")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_UCRED.size) + socket.CMSG_SPACE((SURPLUS_FDS + MAX_FDS) * 4)

_buffer = memoryview(mmap.mmap(-1, READ_BYTES, mmap.MAP_PRIVATE))
"""Where all are read into, one at a time: to have a new one for each read costs 30 µs. Mapped: it
takes memory as far as it was ever filled. Private: workers are forked, and each has its own."""


class Credentials(NamedTuple):
    """Process, user and group of a sender."""

    pid: int
    uid: int
    gid: int


class Received(NamedTuple):
    """What one read brought.

    data: empty at the end; good until the next read. fds: ours from now on. sender: None where the
    kernel does not say. is_cut: more descriptors came than were taken.
    """

    data: memoryview
    fds: "array.array[int]"
    sender: Credentials | None
    is_cut: bool


def receive(sock: socket.socket) -> Received | None:
    """Read once; None: nothing is there now."""
    try:
        size, ancillary, flags, _address = sock.recvmsg_into(
            [_buffer], _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
        )
    except (BlockingIOError, InterruptedError):
        return None
    fds: array.array[int] = array.array("i")
    sender = None
    for _level, kind, payload in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        elif kind == socket.SCM_CREDENTIALS and size:
            sender = Credentials(*_UCRED.unpack(payload))
    return Received(_buffer[:size], fds, sender, bool(flags & socket.MSG_CTRUNC))


def connected_as(sock: socket.socket) -> Credentials:
    """Who connected; who sends may be another, and is looked at then."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Credentials(*_UCRED.unpack(credentials))
