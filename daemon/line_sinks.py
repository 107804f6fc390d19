"""Where lines go: a file, what standard error is, or journald. All of it may block."""

import array
import errno
import fcntl
import os
import socket
import stat
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

FILE_BYTES = 256 * 1024
"""Appended to a file at once. With O_APPEND a write is one piece, whoever else appends."""

PIPE_BYTES = 4096
"""Written at once to what is no file: PIPE_BUF, what a pipe takes as one piece whoever writes."""

JOURNAL_SOCKET = "/run/systemd/journal/socket"

JOURNAL_TIMEOUT_S = 5.0
"""For journald to take one record: it may be starting anew, or sweeping."""

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
"""That journald wants on memory that it is passed."""


class Sink(Protocol):
    """Takes lines, each with its end."""

    def write(self, lines: Sequence[bytes]) -> int:
        """Write the first of them; how many. Raises OSError if not even one could be, whole."""

    def reopen(self) -> None:
        """Have the file that has the name now. Raises OSError, and keeps what it has."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


class FileSink:
    """A file by its name, or an open descriptor, which stays open.

    mode: the rights of a file that is made. Where only a part of a line could be written, on a full
    disk say, it is taken back, or others that append would go on in it; or else the line follows
    once more, whole and on a line of its own.
    """

    def __init__(self, file: str | int, mode: int = 0o640) -> None:
        """Open it. Raises OSError."""
        self._file = file
        self._mode = mode
        self._fd = self._open()
        self._is_torn = False

    def write(self, lines: Sequence[bytes]) -> int:
        is_file = self._look()
        batch = first_of(lines, FILE_BYTES if is_file else PIPE_BYTES)
        data = b"".join([b"\n", *batch] if self._is_torn else batch)
        written = os.write(self._fd, data)
        if written == len(data):
            self._is_torn = False
            return len(batch)
        ends = list(accumulate(map(len, batch), initial=int(self._is_torn)))
        number = bisect_right(ends, written) - 1  # a stack is one line here, with several ends
        part = written - (ends[number] if number >= 0 else 0)
        self._is_torn = written not in ends and not self._take_back(part)
        if number <= 0:
            raise OSError(errno.ENOSPC, "only a part of a line could be written")
        return number

    def reopen(self) -> None:
        if isinstance(self._file, str):
            fd, self._fd = self._fd, self._open()
            os.close(fd)
            self._is_torn = False

    def close(self) -> None:
        fd, self._fd = self._fd, -1  # a second time the number may be somebody else's
        if isinstance(self._file, str) and fd >= 0:
            os.close(fd)

    def _open(self) -> int:
        if isinstance(self._file, int):
            return self._file
        # Without O_NONBLOCK the opening of a pipe would wait until somebody reads it.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:  # with rights from the first: other workers open it in this very moment
            fd = os.open(self._file, flags | os.O_CREAT | os.O_EXCL, self._mode)
        except FileExistsError:
            fd = os.open(self._file, flags | os.O_CREAT, self._mode)
        else:
            os.fchmod(fd, self._mode)  # the unit's mask is for what is nobody else's
        os.set_blocking(fd, True)
        return fd

    def _take_back(self, size: int) -> bool:
        """Cut off the end that was written just now; False: it cannot be, or is no end any more."""
        if not isinstance(self._file, str):
            return False
        try:
            end = os.lseek(self._fd, 0, os.SEEK_CUR)
            is_end = os.fstat(self._fd).st_size == end
            if is_end:
                os.ftruncate(self._fd, end - size)
        except OSError:  # a pipe, or a file that only grows
            return False
        return is_end

    def _look(self) -> bool:
        """Whether it is a file. One that was removed is made anew: nobody would find these lines.

        One that was renamed has a name still, and is written until somebody says `reopen`.
        """
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            return False
        if not status.st_nlink:
            self.reopen()
        return True


class JournalSink:
    """journald, by its native protocol: a datagram a line.

    identifier: as what it stands in the journal (`journalctl -t`).
    """

    def __init__(self, identifier: str, path: str = JOURNAL_SOCKET) -> None:
        """Connect. Raises OSError."""
        self._head = f"PRIORITY=6\nSYSLOG_IDENTIFIER={identifier}\nMESSAGE=".encode()
        self._path = path
        self._sock = self._connect()

    def write(self, lines: Sequence[bytes]) -> int:
        for number, line in enumerate(lines):
            try:
                self._send(self._head + line)
            except OSError:
                if number:
                    return number
                self._connect_again()
                self._send(self._head + line)
        return len(lines)

    def reopen(self) -> None:
        """There is nothing to be rotated."""

    def close(self) -> None:
        self._sock.close()

    def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(JOURNAL_TIMEOUT_S)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        return sock

    def _connect_again(self) -> None:
        """A journald that was started anew has another socket of that name. Raises OSError."""
        sock, self._sock = self._sock, self._connect()
        sock.close()

    def _send(self, datagram: bytes) -> None:
        try:
            self._sock.send(datagram)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._pass(datagram)

    def _pass(self, datagram: bytes) -> None:
        """Send what is too long for a datagram: in memory that nobody can change any more."""
        memory = os.memfd_create("botod-audit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(memory, "wb", closefd=False) as file:
                file.write(datagram)
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memory]))]
            self._sock.sendmsg([b""], passed)
        finally:
            os.close(memory)


def first_of(lines: Sequence[bytes], most_bytes: int) -> Sequence[bytes]:
    """Those of the first that have so many bytes together; one at least."""
    total = 0
    for number, line in enumerate(lines):
        total += len(line)
        if total > most_bytes and number:
            return lines[:number]
    return lines
