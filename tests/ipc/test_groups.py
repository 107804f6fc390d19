"""The groups of who connected, and whether they are the sender's."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from botod.ipc.groups import connected_with, groups_of
from botod.ipc.receiving import Credentials

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have any groups")

CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); input()"


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that this process has connected."""
    return socket.socketpair(socket.AF_UNIX)


def test_our_own() -> None:
    """The kernel has the groups that this process has."""
    one, other = pair()
    with one, other:
        assert connected_with(one) == frozenset(os.getgroups())


@needs_root
@pytest.mark.parametrize("groups", [range(4, 8), range(1, 401)], ids=["few", "more than 256"])
def test_all_groups_are_read(tmp_path: Path, groups: range) -> None:
    """However many there are."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", CONNECT, path],
            stdin=subprocess.PIPE,
            extra_groups=groups,
        )
        with child, listener.accept()[0] as peer:
            found = connected_with(peer)
            child.communicate(b"\n")
    assert found == frozenset(groups)


def test_they_are_the_sender_s_if_it_is_the_same_user_and_group() -> None:
    """Another process of the same user and group counts as the one that connected."""
    one, other = pair()
    groups = frozenset(os.getgroups())
    uid, gid = os.geteuid(), os.getegid()
    with one, other:
        assert groups_of(one, Credentials(1, uid, gid)) == (groups, frozenset())
        assert groups_of(one, Credentials(1, uid + 1, gid)) == (frozenset(), groups)
        assert groups_of(one, Credentials(1, uid, gid + 1)) == (frozenset(), groups)


def test_what_is_no_socket_of_ours() -> None:
    """The system's own error says so."""
    with socket.socket(socket.AF_INET) as stranger, pytest.raises(OSError, match="No data"):
        connected_with(stranger)
