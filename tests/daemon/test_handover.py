"""Fresh connections are passed from worker to worker."""

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from botod.daemon import handover
from botod.daemon.handover import Handover
from botod.daemon.listener import SocketInUse
from botod.daemon.share import Share
from support.daemons import short_folder
from support.loops import run, until
from support.pools import descriptors_num


class Worker:
    """One end, and what it adopted."""

    def __init__(self, folder: Path, number: int, workers_num: int = 2) -> None:
        self.adopted: list[socket.socket] = []
        self.handover = Handover(str(folder), Share(number, workers_num))
        self.handover.adopt = self.adopted.append
        self.handover.start()

    def close(self) -> None:
        self.handover.close()
        for sock in self.adopted:
            sock.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """The runtime directory; nothing may be left open at the end."""
    before = descriptors_num()
    with short_folder() as one:
        yield one
    assert descriptors_num() == before


def connection() -> tuple[socket.socket, socket.socket]:
    """A peer, and our end of it."""
    return socket.socketpair()


def test_it_goes_to_who_has_fewer(folder: Path) -> None:
    """With what its peer has sent already; here nothing of it is left open."""

    async def main() -> None:
        one, other = Worker(folder, 0), Worker(folder, 1)
        one.handover.count(1)
        peer, ours = connection()
        peer.send(b"hello")
        assert one.handover.take(ours)
        assert ours.fileno() == -1
        await until(lambda: other.adopted)
        (theirs,) = other.adopted
        assert theirs.recv(100) == b"hello"
        assert not os.get_inheritable(theirs.fileno())
        peer.close()
        for worker in (one, other):
            worker.close()

    run(main)


def test_it_stays_where_nobody_has_fewer(folder: Path) -> None:
    """And where nobody is."""

    async def main() -> None:
        one = Worker(folder, 0)
        peer, ours = connection()
        one.handover.count(5)
        assert not one.handover.take(ours)
        other = Worker(folder, 1)
        other.handover.count(5)
        assert not one.handover.take(ours)
        for sock in (peer, ours, one, other):
            sock.close()

    run(main)


def test_a_worker_that_was_killed_is_tried_once(folder: Path) -> None:
    """Its end has no reader; from then on it is known to be gone, until one comes again."""

    async def main() -> None:
        one, other = Worker(folder, 0, 3), Worker(folder, 1, 3)
        asyncio.get_running_loop().remove_reader(other.handover._sock)  # which keeps it open
        other.handover._sock.close()  # as the kernel does; its numbers stay
        one.handover.count(1)
        peer, ours = connection()
        assert not one.handover.take(ours)
        assert one.handover._balance.least() is None
        assert one.handover._balance.of(1) == 0
        again = Worker(folder, 1, 3)
        assert one.handover.take(ours)
        await until(lambda: again.adopted)
        other.handover._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        other.handover._sock.setblocking(False)
        peer.close()
        for worker in (one, other, again):
            worker.handover.leave()
            worker.close()

    run(main)


def test_a_worker_that_is_slow_is_not_waited_for(folder: Path) -> None:
    """What does not fit into its queue stays here."""

    async def main() -> None:
        one, other = Worker(folder, 0), Worker(folder, 1)
        peers = []
        for number in range(10_000):
            one.handover.count(1 + number)
            peer, ours = connection()
            peers.append(peer)
            if not one.handover.take(ours):
                ours.close()
                break
        else:
            raise AssertionError("the queue has no bound")
        assert one.handover._balance.of(1) == len(peers) - 1
        await until(lambda: len(other.adopted) == len(peers) - 1)
        assert one.handover._balance.of(1) == 0  # taken; the server counts those that it adopts
        for sock in (*peers, one, other):
            sock.close()

    run(main)


def test_who_leaves_passes_on_what_still_comes(folder: Path) -> None:
    """To somebody who is there, else it adopts; its name is free for the next."""

    async def main() -> None:
        one, other = Worker(folder, 0), Worker(folder, 1)
        one.handover.count(1)
        peer, ours = connection()
        assert one.handover.take(ours)
        other.handover.leave()  # and it lies in its queue
        assert not (folder / "worker-1.handover").exists()
        await until(lambda: one.adopted)
        assert other.adopted == []
        one.handover.leave()
        other.handover._serve(one.adopted.pop())
        assert len(other.adopted) == 1
        for sock in (peer, one, other):
            sock.close()

    run(main)


def test_who_leaves_late_does_not_take_the_next_one_s_name(folder: Path) -> None:
    """It looks whose it is."""

    async def main() -> None:
        old = Worker(folder, 0)
        new = Worker(folder, 0)
        old.handover.leave()
        assert (folder / "worker-0.handover").exists()
        new.handover.leave()
        assert not (folder / "worker-0.handover").exists()
        for worker in (old, new):
            worker.close()

    run(main)


def test_who_leaves_counts_nothing_in_the_next_one_s_row(folder: Path) -> None:
    """Not what it adopts, passes on, or sees the last of."""

    async def main() -> None:
        old, other = Worker(folder, 0), Worker(folder, 1)
        old.handover.count(3)
        other.handover.count(5)
        old.handover.leave()
        new = Worker(folder, 0)
        new.handover.count(9)
        old.handover.count(0)
        peer, ours = connection()
        old.handover._serve(ours)
        await until(lambda: other.adopted)
        assert [other.handover._balance.of(number) for number in (0, 1)] == [9, 5]
        late = Worker(folder, 0)
        new.handover.leave()  # its name is another one's
        other.handover.count(1)
        assert other.handover._balance.least() == 0
        for sock in (peer, old, other, new, late):
            sock.close()

    run(main)


def test_it_beats(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that others see that its loop turns."""
    monkeypatch.setattr(handover, "BEAT_S", 0.001)
    beats: list[int] = []

    async def main() -> None:
        one = Worker(folder, 0)
        one.handover._balance.beat = lambda: beats.append(1)  # type: ignore[method-assign]
        await until(lambda: len(beats) >= 3)
        one.handover.leave()
        one.close()

    run(main)


def test_a_message_that_is_none(folder: Path) -> None:
    """Root may write there; it brings no connection, and does no harm."""

    async def main() -> None:
        one, other = Worker(folder, 0), Worker(folder, 1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            for data in (b"", b"\xff", b"\x00"):
                sock.sendto(data, str(folder / "worker-0.handover"))
        await until(lambda: one.handover._balance.of(0) == 0)
        peer, ours = connection()
        other.handover.count(1)
        assert other.handover.take(ours)
        await until(lambda: one.adopted)
        for sock in (peer, one, other):
            sock.close()

    run(main)


def test_no_descriptor_is_left(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The connection is closed, and the log says why; its peer connects anew."""

    async def main() -> None:
        one, other = Worker(folder, 0), Worker(folder, 1)
        one.handover.count(1)
        peer, ours = connection()
        assert one.handover.take(ours)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            await until(lambda: "no descriptor is left" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert peer.recv(1) == b""
        assert other.adopted == []
        for sock in (peer, one, other):
            sock.close()

    run(main)
    caplog.clear()


def test_a_folder_that_is_none(folder: Path) -> None:
    """The start fails, and names it."""
    with pytest.raises(SocketInUse, match=r"no/worker-0\.handover: No such file or directory"):
        Handover(str(folder / "no"), Share(0, 2))
