"""Where lines go: whole, in one piece each, whatever the disk and the reader do."""

import array
import errno
import os
import resource
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from botod.daemon.line_sinks import FILE_BYTES, PIPE_BYTES, FileSink, JournalSink, first_of
from support.daemons import BOUND_S, short_folder

LINES = [b"one\n", b"two\n", b"three\n"]


def test_a_file_is_appended_to_with_its_own_rights(tmp_path: Path) -> None:
    """It is made if it is missing, with these whatever the process's mask."""
    path = tmp_path / "log"
    umask = os.umask(0o077)
    for line in LINES:
        sink = FileSink(str(path), 0o640)
        assert sink.write([line]) == 1
        sink.close()
    os.umask(umask)
    assert path.read_bytes() == b"".join(LINES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_renamed_file_is_written_until_it_is_reopened(tmp_path: Path) -> None:
    """As whoever rotates logs expects it."""
    path, old = tmp_path / "log", tmp_path / "log.1"
    sink = FileSink(str(path))
    sink.write(LINES[:1])
    path.rename(old)
    sink.write(LINES[1:2])
    sink.reopen()
    sink.write(LINES[2:])
    sink.close()
    assert (old.read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")


def test_a_removed_file_is_made_anew(tmp_path: Path) -> None:
    """Nobody would find what is written to it; without its folder it is an error, which passes."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "log"
    sink = FileSink(str(path))
    path.unlink()
    sink.write(LINES[:1])
    assert path.read_bytes() == b"one\n"
    path.unlink()
    folder.rmdir()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            sink.write(LINES[1:2])
    folder.mkdir()
    sink.write(LINES[1:2])
    sink.close()
    assert path.read_bytes() == b"two\n"


def test_a_full_disk_is_an_error() -> None:
    """/dev/full is one."""
    sink = FileSink("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        sink.write(LINES)
    assert caught.value.errno == errno.ENOSPC
    sink.close()


def test_a_line_that_was_cut_follows_whole(tmp_path: Path) -> None:
    """The part of it is taken back, so that others that append do not go on in it."""
    path = tmp_path / "log"
    sink, other = FileSink(str(path)), FileSink(str(path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        assert sink.write(LINES) == 2  # and two bytes of the third
        with pytest.raises(OSError, match="only a part"):
            sink.write(LINES[2:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert other.write([b"other\n"]) == 1
    assert sink.write([*LINES[2:], b"four\n"]) == 2
    for one in (sink, other):
        one.close()
    assert path.read_bytes() == b"one\ntwo\nother\nthree\nfour\n"


def test_a_part_that_cannot_be_taken_back_ends_its_line(tmp_path: Path) -> None:
    """As in what was opened by somebody else: the line follows on one of its own."""
    path = tmp_path / "log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with path.open("wb") as file:
        sink = FileSink(file.fileno())
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            assert sink.write(LINES) == 2  # and two bytes of the third
            with pytest.raises(OSError, match="File too large"):
                sink.write(LINES[2:])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert sink.write([*LINES[2:], b"four\n"]) == 2
    assert path.read_bytes() == b"one\ntwo\nth\nthree\nfour\n"


def test_a_pipe_gets_what_it_takes_as_one_piece() -> None:
    """4,096 bytes: several workers' lines are not mixed. A longer line goes by itself."""
    reader, writer = os.pipe()
    sink = FileSink(writer)
    line = b"x" * 1023 + b"\n"
    assert sink.write([line] * 9) == PIPE_BYTES // len(line)
    assert os.read(reader, 65536) == line * 4
    assert sink.write([b"x" * 5000 + b"\n", line]) == 1
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        sink.write([line])
    sink.close()
    os.close(writer)  # which it has left open


def test_a_line_with_ends_in_it_is_one() -> None:
    """As a stack is: what follows it and found no room is not taken for written."""
    reader, writer = os.pipe()
    sink = FileSink(writer)
    lines = [b"stack\n" + b"\tframe\n" * 20, *[b"x" * 1023 + b"\n"] * 9]
    assert sink.write(lines) == 4
    assert os.read(reader, 65536) == b"".join(lines[:4])
    os.close(reader)
    os.close(writer)


def test_a_line_that_was_cut_at_an_end_in_it_follows_whole(tmp_path: Path) -> None:
    """It is not a line that ends there."""
    path = tmp_path / "log"
    sink = FileSink(str(path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, before[1]))
    try:
        with pytest.raises(OSError, match="only a part"):
            sink.write([b"stack\n\tframe\n"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sink.write([b"stack\n\tframe\n", b"two\n"]) == 2
    sink.close()
    assert path.read_bytes() == b"stack\n\tframe\ntwo\n"


def test_several_that_make_the_same_file_do_not_hinder_each_other(tmp_path: Path) -> None:
    """As workers do at the first start and at each rotation; without root's rights."""
    script = """
import os, sys, threading
from botod.daemon.line_sinks import FileSink
failed = []
if os.geteuid() == 0:
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
def make(path, both):
    both.wait()
    try:
        FileSink(path, 0o600)
    except OSError as error:
        failed.append(error)
for number in range(200):
    both = threading.Barrier(2)
    makers = [threading.Thread(target=make, args=[f"{number}", both]) for _ in "ab"]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
sys.exit(f"{len(failed)} failed: {failed[:1]}" if failed else 0)
"""
    tmp_path.chmod(0o777)
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_how_much_goes_at_once() -> None:
    """One line always, however long."""
    assert first_of([b"x" * FILE_BYTES * 2, b"y"], FILE_BYTES) == [b"x" * FILE_BYTES * 2]
    assert first_of([b"12", b"34", b"5"], 4) == [b"12", b"34"]


def received(sock: socket.socket) -> bytes:
    """One datagram, or what is in the memory that came with it."""
    data, ancillary, _flags, _address = sock.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    if not ancillary:
        return data
    fds = array.array("i", ancillary[0][2])
    with os.fdopen(fds[0], "rb") as file:
        file.seek(0)
        return file.read()


def test_the_journal_gets_a_datagram_a_line() -> None:
    """In its native protocol; one that is too long for a datagram comes in sealed memory."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        path = str(folder / "socket")
        journal.bind(path)
        journal.settimeout(BOUND_S)
        sink = JournalSink("botod-audit", path)
        assert sink.write([b'{"n":1}\n', b'{"n":2}\n']) == 2
        head = b"PRIORITY=6\nSYSLOG_IDENTIFIER=botod-audit\nMESSAGE="
        assert [received(journal) for _ in range(2)] == [head + b'{"n":1}\n', head + b'{"n":2}\n']
        large = b"x" * 4_000_000 + b"\n"
        assert sink.write([large]) == 1
        assert received(journal) == head + large
        sink.close()


def test_a_journal_that_was_started_anew_is_found() -> None:
    """While there is none it is an error."""
    with short_folder() as folder:
        path = str(folder / "socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
            first.bind(path)
            sink = JournalSink("botod-audit", path)
        Path(path).unlink()
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                sink.write([b"one\n"])
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
            second.bind(path)
            assert sink.write([b"one\n"]) == 1
        sink.close()
