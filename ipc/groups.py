"""The groups of a sender, by the kernel's word."""

import errno
import os
import socket
import struct
from typing import NamedTuple

from botod.ipc.receiving import Credentials, connected_as

_SO_PEERGROUPS = 59
"""Of asm-generic/socket.h; Python has no name for it."""

_PYTHON_TAKES_BYTES = 1024
"""At most, of any option: 256 groups."""

_MAX_GROUPS = 65536
"""NGROUPS_MAX of the kernel."""


class Groups(NamedTuple):
    """Supplementary groups: those that a sender has, and those that it may have or not."""

    certain: frozenset[int]
    doubtful: frozenset[int]


def groups_of(sock: socket.socket, sender: Credentials) -> Groups:
    """The groups of who sent a message over a Unix socket. Raises OSError.

    The kernel names them for who connected only. They are the sender's too if user and group are
    the same; else it may have left them, as root does that drops its rights.
    """
    groups = connected_with(sock)
    is_same = connected_as(sock)[1:] == sender[1:]
    return Groups(groups, frozenset()) if is_same else Groups(frozenset(), groups)


def connected_with(sock: socket.socket) -> frozenset[int]:
    """The supplementary groups that who connected had then. Raises OSError."""
    try:
        groups = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _PYTHON_TAKES_BYTES)
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        groups = _by_libc(sock)
    return frozenset(struct.unpack(f"{len(groups) // 4}I", groups))


def _by_libc(sock: socket.socket) -> bytes:
    """The option as it is, for who is in so many groups that Python does not take them all."""
    import ctypes  # noqa: PLC0415 - 0.7 MB that hardly any host needs

    groups = (ctypes.c_uint32 * _MAX_GROUPS)()
    size = ctypes.c_uint32(ctypes.sizeof(groups))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(
        sock.fileno(), socket.SOL_SOCKET, _SO_PEERGROUPS, groups, ctypes.byref(size)
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return bytes(groups)[: size.value]
