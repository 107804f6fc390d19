"""The groups of a sender, by the kernel's word."""

import ctypes
import os
import socket
from typing import NamedTuple

from botod.ipc.receiving import Credentials, connected_as

_SO_PEERGROUPS = 59
"""Of asm-generic/socket.h; Python has no name for it."""

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
    """The supplementary groups that who connected had then. Raises OSError.

    By libc: Python's own getsockopt takes 1,024 bytes at most, which are 256 groups.
    """
    size = ctypes.c_uint32(ctypes.sizeof(_groups))
    failed = _libc.getsockopt(
        sock.fileno(), socket.SOL_SOCKET, _SO_PEERGROUPS, _groups, ctypes.byref(size)
    )
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return frozenset(_groups[: size.value // ctypes.sizeof(ctypes.c_uint32)])


_libc = ctypes.CDLL(None, use_errno=True)

_groups = (ctypes.c_uint32 * _MAX_GROUPS)()
"""Where all are read into, one at a time."""
