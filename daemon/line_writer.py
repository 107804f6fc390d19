"""Writes lines by a thread of its own, so that no disk and no reader can hold up the loop.

What waits is bounded. While nothing can be written the lines that wait are kept, and tried again
each second; those that find no room are counted, and the count is told when there is room again.
"""

import contextlib
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from botod.daemon.line_sinks import PIPE_BYTES, Sink

PAUSE_S = 0.02
"""Before each look for lines: those of so long a time are written at once. A look costs 120 us of
CPU, as thread and loop change places at the interpreter's lock: of 700 lines a second 8 us a
line, and 12 with half the pause. Nobody who reads along minds; SIGKILL takes as much with it."""

RETRY_S = 1.0
"""Between two tries of what could not be written."""

CLOSE_TIMEOUT_S = 2.0
"""For what waits to be written at the end: of a disk that works it takes milliseconds."""

BATCH_LINES = 4096

Lost = Callable[[int, str], bytes]
"""The line that says how many were lost, and why."""


class LineWriter:
    """Lines on their way to a sink.

    room_bytes: that may wait. lost: words the line about those for which there was no room.

    The thread pauses, looks, and writes what it finds; once it has found nothing it rests until the
    next line: a process that has nothing to say uses no CPU, and one that has wakes nobody.
    """

    def __init__(self, sink: Sink, *, room_bytes: int, lost: Lost, name: str) -> None:
        self.failure: OSError | None = None
        self.lost_total = 0
        self._sink = sink
        self._room_bytes = room_bytes
        self._lost = lost
        self._lines: deque[bytes] = deque()
        self._put_bytes = 0  # where lines are put
        self._written_bytes = 0  # in the thread: no lock is needed
        self._taken: list[bytes] = []  # the thread's: they go next, perhaps once more
        self._told_total = 0
        self._why = ""
        self._is_closing = False
        self._gives_up = False
        self._wants_reopen = False
        self._rests = False
        self._wake = threading.Event()
        self._hurry = threading.Event()
        # Not one that the process's end would wait for: it may hang in a disk.
        self._writer = threading.Thread(target=self._run, name=name, daemon=True)
        self._writer.start()

    def has_room(self, size: int) -> bool:
        return self._put_bytes - self._written_bytes + size <= self._room_bytes

    def put(self, line: bytes, *, is_owed: bool = False) -> bool:
        """Have a line written; False: there is no room for it, and it is lost.

        is_owed: room was looked for before, and it is taken whatever else came meanwhile.
        """
        size = len(line)
        if not (is_owed or self.has_room(size)):
            self.lost_total += 1
            self._why = str(self.failure or "they came faster than they could be written")
            return False
        self._lines.append(line)
        self._put_bytes += size  # without a call, at which another thread's turn could come
        if self._rests:
            self._rests = False
            self._wake.set()
        return True

    def reopen(self) -> None:
        """Have what comes from now on go to the file that has the name now; soon."""
        self._wants_reopen = True
        self._hurry.set()
        self._wake.set()

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Write what waits, for so long; whether all was. Idempotent."""
        self._is_closing = True
        self._hurry.set()
        self._wake.set()
        self._writer.join(timeout_s)
        self._gives_up = True
        return not self._writer.is_alive()

    def _run(self) -> None:
        while not self._gives_up and not (self._is_closing and self._is_done):
            self._pause()
            if self._is_done and self.failure is None and not self._wants_reopen:
                self._rest()
            else:
                self._work()
        self._sink.close()

    def _pause(self) -> None:
        self._hurry.wait(PAUSE_S if self.failure is None else RETRY_S)
        self._hurry.clear()
        if self._is_closing:
            self._hurry.set()
            if self.failure is not None:  # what hurries is the end: again and again until then
                time.sleep(PAUSE_S)

    def _rest(self) -> None:
        """Wait until there is something to do; only who finds it resting has to wake the thread."""
        self._wake.clear()
        self._rests = True
        # What came before it could know of us: look again.
        if self._is_done and not self._hurry.is_set():
            self._wake.wait()
        self._rests = False

    def _work(self) -> None:
        failures = [_failure_of(deed) for deed in (self._reopen, self._write)]
        self.failure = next(filter(None, failures), None)

    def _reopen(self) -> None:
        """Until it has succeeded, lines go where they went, and it is tried again."""
        if self._wants_reopen:
            self._wants_reopen = False
            try:
                self._sink.reopen()
            except OSError:
                self._wants_reopen = True
                raise

    def _write(self) -> None:
        taken, lines = self._taken, self._lines
        while not self._is_done:
            while lines and len(taken) < BATCH_LINES:
                taken.append(lines.popleft())
            number = self._sink.write(taken)
            self._written_bytes += sum(map(len, taken[:number]))
            del taken[:number]
            self._tell_lost()

    @property
    def _is_done(self) -> bool:
        return not (self._taken or self._lines)

    def _tell_lost(self) -> None:
        number = self.lost_total - self._told_total
        if number:
            self._told_total += number
            self.put(self._lost(number, self._why), is_owed=True)


def _failure_of(deed: Callable[[], None]) -> OSError | None:
    try:
        deed()
    except OSError as error:
        return error
    return None


class DirectWriter:
    """Writes lines at once, where there is room, for a process that may have no threads.

    A line that would have to wait is lost, and counted. fd: which tells whether there is room, for
    PIPE_BYTES, to which lines are cut; None: there always is, as in a file.
    """

    def __init__(self, sink: Sink, fd: int | None, *, lost: Lost) -> None:
        self._sink = sink
        self._lost = lost
        self._lost_num = 0
        self._poll: select.poll | None = None
        if fd is not None:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)

    def put(self, line: bytes) -> bool:
        """Write a line; False: it is lost."""
        if self._poll is not None and len(line) > PIPE_BYTES:
            line = line[: PIPE_BYTES - 1] + b"\n"
        lines = [line]
        if self._lost_num:
            lines.insert(0, self._lost(self._lost_num, "it could not be written at once"))
        try:
            while lines and (self._poll is None or self._poll.poll(0)):
                del lines[: self._sink.write(lines)]
        except OSError:
            pass  # it is counted
        if lines:
            self._lost_num += 1
            return False
        self._lost_num = 0
        return True

    def reopen(self) -> None:
        """Have the file that has the name now, if there can be one."""
        with contextlib.suppress(OSError):
            self._sink.reopen()

    def close(self) -> None:
        self._sink.close()
