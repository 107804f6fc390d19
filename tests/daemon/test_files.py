"""Descriptors: which are taken, and what the kernel says of them."""

import fcntl
import os
import resource
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from botod.daemon import files
from botod.daemon.file_threads import FileThreads
from botod.daemon.files import DescriptorFailed
from botod.daemon.services.shapes import InvalidParam
from botod.ipc.descriptors import Descriptor
from botod.pool import spawn
from botod.pool.pieces import Piece, Pieces
from support.bodies import LARGE, Rig, opened, pipe
from support.loops import run


def refused(fd: int, *, sends: bool, words: str) -> None:
    """A descriptor that is not even tried."""
    with pytest.raises(DescriptorFailed) as caught:
        Rig().put(Descriptor(fd)) if sends else Rig().get(b"x", fd)
    assert words in str(caught.value)
    assert caught.value.errno_name == ""


@pytest.mark.parametrize("sends", [True, False])
def test_what_is_neither_a_file_nor_a_pipe(tmp_path: Path, sends: bool) -> None:
    """Each is called by its name."""
    with opened(tmp_path, os.O_RDONLY) as fd:
        refused(fd, sends=sends, words="is a directory; a file or a pipe is wanted")
    with opened(Path("/dev/full"), os.O_RDWR) as fd:
        refused(fd, sends=sends, words="is a device; ")
    with opened(Path("/dev/null"), os.O_PATH) as fd:
        refused(fd, sends=sends, words="opened with O_PATH")
    with socket.socket(socket.AF_UNIX) as one:
        refused(one.fileno(), sends=sends, words="is a socket; ")
    event = os.eventfd(0)
    try:
        refused(event, sends=sends, words="is neither a file nor a pipe")
    finally:
        os.close(event)


@pytest.mark.parametrize("sends", [True, False])
def test_the_wrong_way_round(tmp_path: Path, sends: bool) -> None:
    """A descriptor that is open the other way only, of a file or of a pipe."""
    words = f"the descriptor is not open for {'reading' if sends else 'writing'}"
    flags = os.O_WRONLY if sends else os.O_RDONLY
    with opened(tmp_path / "f", flags | os.O_CREAT) as fd:
        refused(fd, sends=sends, words=words)
    with pipe() as (reader, writer):
        refused(writer if sends else reader, sends=sends, words=words)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The limit's signal is ignored by Python; the kernel's word comes back."""
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path / "f", os.O_RDWR, b"") as fd:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
        try:
            with pytest.raises(DescriptorFailed) as caught:
                Rig().get(LARGE, fd)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno_name == "EFBIG"
    assert "writing to the descriptor failed: File too large (EFBIG)" in str(caught.value)


@pytest.mark.parametrize(("flags", "write"), [(0, "pwritev"), (os.O_APPEND, "writev")])
def test_what_the_kernel_does_not_take_at_once(
    flags: int, write: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may be cut short, within a piece as well as between two; the rest follows."""
    real = getattr(os, write)
    sizes: list[int] = []

    def short(fd: int, pieces: Sequence[Piece], *offset: int) -> int:
        assert len(pieces) <= files.PIECES_MAX
        some = Pieces(pieces).take(30_011)
        sizes.append(real(fd, some, *offset))
        return sizes[-1]

    monkeypatch.setattr(os, write, short)
    with opened(tmp_path / "f", os.O_RDWR | flags, b"") as fd:
        Rig().get(LARGE, fd)
    assert (tmp_path / "f").read_bytes() == LARGE
    assert len(sizes) > len(LARGE) / 30_011


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
def test_more_pieces_than_the_kernel_takes(flags: int, tmp_path: Path) -> None:
    """Of one byte each, so that nothing is where it belongs by chance."""
    data = os.urandom(2 * files.PIECES_MAX + 1)
    with opened(tmp_path / "f", os.O_RDWR | flags, b"") as fd:
        one = Descriptor(os.dup(fd))

        async def main() -> None:
            threads = FileThreads()
            file = await spawn(files.open_to_write, one, threads.of(0))
            await spawn(file.write_at, 0, [data[at : at + 1] for at in range(len(data))])
            threads.shutdown(wait=True)

        run(main)
        one.close()
    assert (tmp_path / "f").read_bytes() == data


def test_a_file_that_is_sealed() -> None:
    """Whatever the kernel says is passed on by its name."""
    fd = os.memfd_create("body", os.MFD_ALLOW_SEALING)
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        with pytest.raises(DescriptorFailed) as caught:
            Rig().get(b"x", fd, offset=0)
        assert caught.value.errno_name == "EPERM"
    finally:
        os.close(fd)


def test_a_pipe_has_no_offset() -> None:
    """Neither way."""
    with pipe() as (reader, writer):
        with pytest.raises(InvalidParam, match="offset is for files, not for pipes"):
            Rig().put(Descriptor(reader, offset=0))
        with pytest.raises(InvalidParam, match="offset is for files, not for pipes"):
            Rig().get(b"x", writer, offset=0)


def test_an_object_is_written_at_the_end_of_a_file_that_only_grows(tmp_path: Path) -> None:
    """An offset would be ignored by the kernel, so it is refused."""
    path = tmp_path / "f"
    with opened(path, os.O_WRONLY | os.O_APPEND, b"head") as fd:
        one = Rig()
        one.get(LARGE, fd)
        assert one.bodies is not None
        assert one.bodies.has_added
        with pytest.raises(InvalidParam, match="not opened with O_APPEND"):
            Rig().get(b"x", fd, offset=0)
    assert path.read_bytes() == b"head" + LARGE
