"""Which workers live: each holds the lock on one byte of a shared file for as long as it does.

The kernel lets go of a lock with the process, however that ends, and a pid may be somebody else's
by then. The byte's position is a worker's name, drawn from 2**62, so that nobody ever has that of
a dead one. Locks may lie beyond a file's end: this one stays empty. They belong to the open file
and not to the process (F_OFD_SETLK), so that two owners in one process are two.
"""

import fcntl
import os
import secrets
import struct

NAMES = 2**62
"""Positions to draw from: off_t has 63 bits."""

FLOCK = "hhqqi"
"""struct flock on 64-bit Linux: type, whence, start, length, and a pid, which has to be nought."""


class Owners:
    """The owners that share the file at `path`, and one of them. Raises OSError."""

    def __init__(self, path: str) -> None:
        self.own = secrets.randbelow(NAMES)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _byte(self.own))

    def is_alive(self, owner: int) -> bool:
        if owner == self.own:  # the kernel tells of others' locks only
            return True
        found = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, _byte(owner))
        return bool(struct.unpack(FLOCK, found)[0] != fcntl.F_UNLCK)

    def close(self) -> None:
        """Be dead."""
        self._file.close()


def _byte(position: int) -> bytes:
    return struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, position, 1, 0)
