"""One of a host's workers leads: it does what is to be done once. Who holds a lock on a file does.

The kernel lets go of the lock with the process, however that ends; the next to ask has it.
"""

import fcntl
import os


class Leader:
    """The lock on the file at `path`, made if missing. Raises OSError."""

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._is_ours = False

    def leads(self) -> bool:
        """Whether this process leads, from now on if nobody else does."""
        if not self._is_ours:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._is_ours = True
        return True

    def close(self) -> None:
        """Let another one lead."""
        self._file.close()
