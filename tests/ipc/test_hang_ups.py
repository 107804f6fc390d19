"""Hang-up is told from end of input."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

from botod.ipc.hang_ups import HangUps
from support.ipc import run, until
from support.pools import descriptors_num


@contextlib.contextmanager
def hang_ups() -> Iterator[HangUps]:
    """A watcher that is closed at the end."""
    watcher = HangUps()
    try:
        yield watcher
    finally:
        watcher.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Our end of a connection, and the peer's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ours.setblocking(False)
    return ours, theirs


def test_a_peer_that_is_gone_is_told() -> None:
    """Closing the other end is a hang-up, whether it was half-closed before or not."""

    async def scenario() -> None:
        for half_closed_before in (True, False):
            told: list[str] = []
            ours, theirs = pair()
            with ours, theirs, hang_ups() as watcher:
                if half_closed_before:
                    theirs.shutdown(socket.SHUT_WR)
                watcher.watch(ours, lambda told=told: told.append("gone"))  # type: ignore[misc]
                theirs.close()
                await until(lambda told=told: told)  # type: ignore[misc]
                watcher.forget(ours)

    run(scenario())


def test_the_end_of_input_is_no_hang_up() -> None:
    """A half-closed peer, with data of its own unread, is not told while another one is."""

    async def scenario() -> None:
        told: list[str] = []
        ours, theirs = pair()
        other_ours, other_theirs = pair()
        with ours, theirs, other_ours, other_theirs, hang_ups() as watcher:
            theirs.sendall(b"not read yet")
            theirs.shutdown(socket.SHUT_WR)
            watcher.watch(ours, lambda: told.append("half-closed"))
            watcher.watch(other_ours, lambda: told.append("gone"))
            other_theirs.close()
            await until(lambda: told)
            assert set(told) == {"gone"}
            watcher.forget(other_ours)
            watcher.forget(ours)

    run(scenario())


def test_who_is_forgotten_is_not_told() -> None:
    """After `forget` a socket may hang up, be closed, and its number be used again."""

    async def scenario() -> None:
        told: list[str] = []
        ours, theirs = pair()
        with hang_ups() as watcher:
            watcher.watch(ours, lambda: told.append("forgotten"))
            watcher.forget(ours)
            theirs.close()
            number = ours.fileno()
            ours.close()
            again, again_theirs = pair()
            with again, again_theirs:
                assert number in {again.fileno(), again_theirs.fileno()}
                watched = again if again.fileno() == number else again_theirs
                watcher.watch(watched, lambda: told.append("new"))
                (again_theirs if watched is again else again).close()
                await until(lambda: told)
                watcher.forget(watched)
            assert set(told) == {"new"}

    run(scenario())


def test_forgetting_a_stranger_does_nothing() -> None:
    """A connection that was never watched may be forgotten, and one that was, twice."""

    async def scenario() -> None:
        ours, theirs = pair()
        with ours, theirs, hang_ups() as watcher:
            watcher.forget(ours)
            watcher.watch(ours, lambda: None)
            watcher.forget(ours)
            watcher.forget(ours)

    run(scenario())


def test_one_who_is_told_may_forget_the_other() -> None:
    """Of two that hang up in one turn the first may take the second with it."""

    async def scenario() -> None:
        told: list[str] = []
        ours, theirs = pair()
        other_ours, other_theirs = pair()
        with ours, theirs, other_ours, other_theirs, hang_ups() as watcher:

            def gone(name: str) -> None:
                told.append(name)
                watcher.forget(ours)
                watcher.forget(other_ours)

            watcher.watch(ours, lambda: gone("one"))
            watcher.watch(other_ours, lambda: gone("other"))
            theirs.close()
            other_theirs.close()
            await until(lambda: told)
            assert len(told) == 1

    run(scenario())


def test_closing_takes_the_watcher_off_the_loop() -> None:
    """A closed watcher leaves neither a descriptor nor a reader of it with the loop."""

    async def scenario() -> None:
        before = descriptors_num()
        watcher = HangUps()
        number = watcher._epoll.fileno()
        watcher.close()
        assert descriptors_num() == before
        assert not asyncio.get_running_loop().remove_reader(number)

    run(scenario())
