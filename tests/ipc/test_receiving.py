"""One read: what came, beside it, and from whom."""

import os
import socket
from collections.abc import Iterator

import pytest

from botod.ipc.descriptor_queue import MAX_FDS, SURPLUS_FDS
from botod.ipc.receiving import READ_BYTES, Credentials, connected_as, receive

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Ours, as a server sets it up, and theirs."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_nothing_is_there(pair: Pair) -> None:
    """To read would block."""
    assert receive(pair[0]) is None


def test_bytes_and_their_sender(pair: Pair) -> None:
    """The kernel says which process of which user and group."""
    pair[1].sendall(b"hello")
    received = receive(pair[0])
    assert received is not None
    data, fds, sender, is_cut = received
    assert bytes(data) == b"hello"
    assert sender is not None
    assert Credentials.unpack(sender) == (os.getpid(), os.geteuid(), os.getegid())
    assert not fds
    assert not is_cut


def test_the_end(pair: Pair) -> None:
    """No bytes, and nobody sent them."""
    pair[1].shutdown(socket.SHUT_WR)
    received = receive(pair[0])
    assert received is not None
    data, _fds, sender, _is_cut = received
    assert not data
    assert sender is None


def test_the_next_read_overwrites_what_came(pair: Pair) -> None:
    """Whoever needs the bytes for longer takes a copy."""
    pair[1].sendall(b"one")
    first = receive(pair[0])
    pair[1].sendall(b"two")
    assert receive(pair[0]) is not None
    assert first is not None
    assert bytes(first[0]) == b"two"


def test_a_forked_process_has_a_buffer_of_its_own(pair: Pair) -> None:
    """Workers are forked from one master: what one reads may not come among another's bytes."""
    pair[1].sendall(b"one")
    received = receive(pair[0])
    pair[1].sendall(b"two")
    pid = os.fork()
    if not pid:
        os._exit(receive(pair[0]) is None)
    assert os.waitpid(pid, 0)[1] == 0
    assert received is not None
    assert bytes(received[0]) == b"one"


def test_not_more_than_one_buffer_at_a_time(pair: Pair) -> None:
    """The rest is there for the next read."""
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * READ_BYTES)
    pair[1].setblocking(False)
    sent = pair[1].send(b"x" * (READ_BYTES + 100_000))
    first, second = receive(pair[0]), receive(pair[0])
    assert first is not None
    got = len(first[0]) + (0 if second is None else len(second[0]))
    assert len(first[0]) <= READ_BYTES
    assert got == min(sent, 2 * READ_BYTES)


def test_descriptors_are_ours(pair: Pair) -> None:
    """Those that came are told, open, and closed in other programs that we start."""
    reads, writes = os.pipe()
    socket.send_fds(pair[1], [b"x"], [writes])
    os.close(writes)
    received = receive(pair[0])
    assert received is not None
    _data, (fd,), _sender, _is_cut = received
    assert not os.get_inheritable(fd)
    os.write(fd, b"through")
    os.close(fd)
    assert os.read(reads, 100) == b"through"
    os.close(reads)


def test_more_descriptors_than_are_taken(pair: Pair) -> None:
    """It is told; those that did come have to be closed all the same."""
    read_end, write_end = os.pipe()
    socket.send_fds(pair[1], [b"x"], [read_end] * (SURPLUS_FDS + MAX_FDS + 30))
    received = receive(pair[0])
    assert received is not None
    _data, fds, _sender, is_cut = received
    assert is_cut
    for fd in (*fds, read_end, write_end):
        os.close(fd)


def test_who_connected(pair: Pair) -> None:
    """Known before the first byte."""
    assert connected_as(pair[0]) == (os.getpid(), os.geteuid(), os.getegid())
