"""Sockets as the kernel sees them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from botod.pool.origin import Origin
from botod.pool.sockets import Reason, Route, Sockets, SocketStats

ORIGIN = Origin("http", "127.0.0.1", 80)


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket, Route]]:
    """Both ends of a connection, and its route as our end sees it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _address = listener.accept()
        with ours, theirs:
            route = Route(
                "127.0.0.1", "127.0.0.1", listener.getsockname()[1], ours.getsockname()[1]
            )
            yield ours, theirs, route


def test_an_open_socket_is_counted_until_the_kernel_closes_it() -> None:
    """Nobody has to tell that it was closed."""
    sockets = Sockets()
    with connected() as (ours, _theirs, _route):
        sockets.opened(ours.fileno(), ORIGIN)
        assert sockets.stats(ORIGIN) == SocketStats(open_num=1, opened_total=1, reused_total=0)
    closed = SocketStats(0, opened_total=1, reused_total=0, closed_total={"retired": 1})
    assert sockets.stats(ORIGIN) == closed


def test_a_descriptor_that_became_something_else_is_not_counted() -> None:
    """A file that got the number of a closed socket is none of ours."""
    sockets = Sockets()
    with connected() as (ours, _theirs, _route), open(os.devnull, "rb") as other:  # noqa: PTH123
        fd = ours.fileno()
        sockets.opened(fd, ORIGIN)
        os.dup2(other.fileno(), fd)
        assert sockets.stats(ORIGIN).open_num == 0


def test_a_server_that_left_is_noticed_before_anything_is_sent() -> None:
    """An idle connection whose other end was closed is dead, even with bytes still unread."""
    sockets = Sockets()
    with connected() as (ours, theirs, route):
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.connected(route, [ours.fileno()])
        assert not sockets.server_left(route)
        theirs.sendall(b"unread, as TLS tickets are")
        assert not sockets.server_left(route)
        theirs.close()
        assert sockets.server_left(route)


def test_a_socket_is_warm_for_a_while_after_its_last_use() -> None:
    """After that curl takes a new one, though the server would still keep it."""
    now = 1000.0
    sockets = Sockets(lambda: now)
    with connected() as (ours, theirs, route):
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.connected(route, [ours.fileno()])
        assert sockets.warm_num(ORIGIN, within_s=50) == 1
        now = 1049.0
        assert not sockets.server_left(route)
        now = 1098.0
        assert sockets.warm_num(ORIGIN, within_s=50) == 1
        now = 1100.0
        assert sockets.warm_num(ORIGIN, within_s=50) == 0
        assert sockets.stats(ORIGIN).open_num == 1
        now = 1098.0
        theirs.close()
        assert sockets.warm_num(ORIGIN, within_s=50) == 0


def test_a_connection_that_is_not_known_is_taken_for_alive() -> None:
    """What cannot be told is left to curl."""
    sockets = Sockets()
    with connected() as (ours, theirs, route):
        theirs.close()
        assert not sockets.server_left(route)
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.connected(route._replace(local_port=1), [ours.fileno()])
        assert not sockets.server_left(route)


def test_a_descriptor_used_again_replaces_the_one_before() -> None:
    """Nothing is kept of sockets whose descriptors were used again: it would grow for ever."""
    sockets = Sockets()
    for _ in range(3):
        with connected() as (ours, theirs, route):
            fd = os.dup2(ours.fileno(), 200)
            sockets.opened(fd, ORIGIN)
            sockets.connected(route, [fd])
            assert not sockets.server_left(route)
            theirs.close()
    try:
        assert sockets.stats(ORIGIN).opened_total == 3
        assert len(sockets._sockets) == len(sockets._by_route) == 1
    finally:
        os.close(200)


def test_why_a_socket_was_closed_is_what_was_known_of_it_last() -> None:
    """The server's leaving, and what became of a transfer on it."""
    sockets = Sockets()
    with connected() as (ours, theirs, route):
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.connected(route, [ours.fileno()])
        theirs.close()
        assert sockets.server_left(route)
    with connected() as (ours, theirs, route):
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.connected(route, [ours.fileno()])
        sockets.given_up((), route, Reason.ABORTED)
    with connected() as (ours, theirs, route):
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.given_up([ours.fileno()], None, Reason.FAILED)
    with connected() as (ours, theirs, route):
        sockets.opened(ours.fileno(), ORIGIN)
        sockets.connected(route, [ours.fileno()])
    by_reason = {"server": 1, "aborted": 1, "failed": 1, "retired": 1}
    assert sockets.stats(ORIGIN).closed_total == by_reason
    sockets.forget_origin(ORIGIN)
    assert sockets.stats(ORIGIN).closed_total == {}
