"""Lines are written by a thread, within bounds, whatever becomes of the disk."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from botod.daemon import line_writer
from botod.daemon.line_sinks import PIPE_BYTES, FileSink
from botod.daemon.line_writer import DirectWriter, LineWriter
from support.daemons import full_pipe
from support.loops import BOUND_S


class Disk:
    """A sink that fails, or waits, where it is told to. lines: what it has, of so many writes."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.writes_num = 0
        self.error: OSError | None = None
        self.works = threading.Event()
        self.works.set()
        self.tried = threading.Semaphore(0)
        self.reopened = 0
        self.folder = threading.Semaphore(0)
        self.has_folder = True
        self.is_closed = threading.Event()

    def write(self, lines: Sequence[bytes]) -> int:
        self.tried.release()
        self.works.wait(BOUND_S)
        if self.error is not None:
            raise self.error
        self.lines += lines
        self.writes_num += 1
        return len(lines)

    def reopen(self) -> None:
        self.reopened += 1
        self.error = None
        if not self.has_folder:
            self.folder.release()
            raise FileNotFoundError(2, "No such file or directory")

    def close(self) -> None:
        self.is_closed.set()


def lost(number: int, why: str) -> bytes:
    """The words about lines that were lost."""
    return f"{number} lost: {why}\n".encode()


def writer_to(disk: Disk, room_bytes: int = 100) -> LineWriter:
    """With so much room."""
    return LineWriter(disk, room_bytes=room_bytes, lost=lost, name="test")


def test_all_lines_are_there_at_the_end() -> None:
    """In their order; closing waits for them."""
    disk = Disk()
    writer = writer_to(disk, 100_000)
    lines = [f"{number}\n".encode() for number in range(10_000)]
    assert all(map(writer.put, lines))
    assert writer.close()
    assert disk.lines == lines
    assert writer.has_room(100_000)
    assert disk.is_closed.is_set()
    assert writer.close()


def test_what_comes_within_a_pause_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread looks once for all of it; the end does not wait for the pause."""
    monkeypatch.setattr(line_writer, "PAUSE_S", BOUND_S)
    disk = Disk()
    writer = writer_to(disk)
    for line in (b"first\n", b"second\n", b"third\n"):
        assert writer.put(line)
    assert writer.close()
    assert (disk.writes_num, disk.lines) == (1, [b"first\n", b"second\n", b"third\n"])


def test_without_lines_the_thread_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wake at all, and uses no CPU; the next line is written all the same."""
    monkeypatch.setattr(line_writer, "PAUSE_S", 0.001)
    disk = Disk()
    writer = writer_to(disk)
    for _ in range(2):
        until_it_rests(writer)
        assert writer.put(b"line\n")
        assert disk.tried.acquire(timeout=BOUND_S)
    assert writer.close()


def until_it_rests(writer: LineWriter) -> None:
    """Until its thread does not wake, as the kernel counts, for the time of twenty pauses."""
    status = Path(f"/proc/self/task/{writer._writer.native_id}/status")
    end, before = time.monotonic() + BOUND_S, ""
    while (now := status.read_text().partition("voluntary_ctxt_switches")[2]) != before:
        assert time.monotonic() < end, "it wakes again and again"
        before = now
        time.sleep(20 * line_writer.PAUSE_S)


def test_what_finds_no_room_is_counted_and_told() -> None:
    """The loop never waits for a disk that hangs: a line more than there is room for is lost."""
    disk = Disk()
    disk.works.clear()
    writer = writer_to(disk, 12)
    assert writer.put(b"first\n")
    disk.tried.acquire()
    assert writer.put(b"later\n")
    assert not writer.put(b"x\n")
    assert not writer.has_room(1)
    assert writer.put(b"owed\n", is_owed=True)
    disk.works.set()
    assert writer.close()
    told = b"1 lost: they came faster than they could be written\n"
    assert sorted(disk.lines) == sorted([b"first\n", b"later\n", b"owed\n", told])
    assert writer.lost_total == 1


def test_what_could_not_be_written_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, and what was lost meanwhile is told with the reason."""
    monkeypatch.setattr(line_writer, "RETRY_S", 0.001)
    disk = Disk()
    disk.error = OSError(28, "No space left on device")
    writer = writer_to(disk, 12)
    assert writer.put(b"first\n")
    for _ in range(3):
        assert disk.tried.acquire(timeout=BOUND_S)
    assert writer.failure is disk.error
    assert writer.put(b"later\n")
    assert not writer.put(b"x\n")
    disk.error = None
    assert writer.close()
    why = b"1 lost: [Errno 28] No space left on device\n"
    assert sorted(disk.lines) == sorted([b"first\n", b"later\n", why])


def test_a_disk_that_hangs_does_not_hold_up_the_end() -> None:
    """For longer than it is given; whether all was written is told."""
    disk = Disk()
    disk.works.clear()
    writer = writer_to(disk)
    writer.put(b"first\n")
    disk.tried.acquire()
    assert not writer.close(0.01)
    disk.works.set()
    assert disk.is_closed.wait(BOUND_S)


def test_a_disk_that_fails_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again until then."""
    disk = Disk()
    disk.error = OSError(28, "No space left on device")
    writer = writer_to(disk)
    writer.put(b"first\n")
    assert not writer.close(0.1)
    disk.error = None
    assert disk.is_closed.wait(BOUND_S)
    assert disk.lines == [b"first\n"]


def test_reopening_ends_a_failure_at_once() -> None:
    """There may be room where the new file is."""
    disk = Disk()
    disk.error = OSError(28, "No space left on device")
    writer = writer_to(disk)
    writer.put(b"first\n")
    disk.tried.acquire()
    writer.reopen()
    assert disk.tried.acquire(timeout=BOUND_S)
    assert writer.close()
    assert (disk.reopened, disk.lines) == (1, [b"first\n"])


def test_reopening_is_tried_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are written where they were before, meanwhile; what is wrong is there to be read."""
    monkeypatch.setattr(line_writer, "RETRY_S", 0.001)
    disk = Disk()
    disk.has_folder = False
    writer = writer_to(disk)
    writer.reopen()
    writer.put(b"first\n")
    assert disk.tried.acquire(timeout=BOUND_S)
    for _ in range(3):
        assert disk.folder.acquire(timeout=BOUND_S)
    assert isinstance(writer.failure, FileNotFoundError)
    assert disk.lines == [b"first\n"]
    disk.has_folder = True
    writer.put(b"second\n")
    assert writer.close()
    assert writer.failure is None
    assert disk.lines == [b"first\n", b"second\n"]


def test_without_threads_a_line_that_would_wait_is_lost() -> None:
    """A full pipe holds up no master; when it has room again the number is told."""
    reader, end = full_pipe()
    writer = DirectWriter(FileSink(end), end, lost=lost)
    assert not writer.put(b"first\n")
    assert not writer.put(b"second\n")
    while os.read(reader, 65536)[-1:] == b"x" and not writer.put(b"third\n"):
        pass
    os.close(end)
    rest = b""
    while piece := os.read(reader, 65536):
        rest += piece
    os.close(reader)
    assert rest.lstrip(b"x") == b"2 lost: it could not be written at once\nthird\n"


def test_without_threads_a_reader_that_is_gone_does_no_harm() -> None:
    """Its lines are lost."""
    reader, end = os.pipe()
    writer = DirectWriter(FileSink(end), end, lost=lost)
    os.close(reader)
    assert not writer.put(b"first\n")
    writer.reopen()
    writer.close()
    os.close(end)


def test_without_threads_a_long_line_does_not_wait_for_the_rest_of_its_room() -> None:
    """It is cut to what a pipe with room is sure to take."""
    reader, end = full_pipe()
    writer = DirectWriter(FileSink(end), end, lost=lost)
    assert len(os.read(reader, PIPE_BYTES)) == PIPE_BYTES
    told: list[bool] = []
    putting = threading.Thread(
        target=lambda: told.append(writer.put(b"y" * 3 * PIPE_BYTES + b"\n")), daemon=True
    )
    putting.start()
    putting.join(BOUND_S)
    assert told == [True]
    os.close(end)
    rest = b""
    while piece := os.read(reader, 65536):
        rest += piece
    os.close(reader)
    assert rest.lstrip(b"x") == b"y" * (PIPE_BYTES - 1) + b"\n"
