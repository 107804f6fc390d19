"""Standard input as lines that are numbered and bounded, for `botod call --batch`."""

import os
from collections import deque

STDIN = 0

MAX_LINE_BYTES = 32 * 1024 * 1024
"""The 16 MiB that a request may carry, as base64, and room for the rest."""

READ_BYTES = 256 * 1024


class Lines:
    """The lines of standard input, numbered from 1; None stands for one that was too long."""

    def __init__(self) -> None:
        self.has_ended = False
        self.ready: deque[tuple[int, bytes | None]] = deque()
        self._number = 0
        self._rest = bytearray()
        self._is_too_long = False

    def read(self) -> None:
        """Read once; blocks if nothing is there. What is whole becomes `ready`."""
        data = os.read(STDIN, READ_BYTES)
        self.has_ended = not data
        first, *others = data.split(b"\n")
        self._rest += first
        for other in others:
            self._end_line()
            self._rest += other
        if len(self._rest) > MAX_LINE_BYTES:
            self._is_too_long = True
            self._rest.clear()
        if self.has_ended:
            self._end_line()

    def _end_line(self) -> None:
        line = bytes(self._rest).strip()
        self._number += 1
        if line or self._is_too_long:
            self.ready.append((self._number, None if self._is_too_long else line))
        self._rest.clear()
        self._is_too_long = False
