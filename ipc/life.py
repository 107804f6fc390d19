"""The life of a connection, as a table."""

from collections.abc import Mapping
from enum import Enum


class Life(Enum):
    """What a connection is still good for."""

    OPEN = "open"
    FINISHING = "finishing"  # it is read, but new requests are refused: we are stopping
    HALF_CLOSED = "half-closed"  # the peer sends no more; it waits for its answers
    CLOSED = "closed"


TRANSITIONS: Mapping[Life, frozenset[Life]] = {
    Life.OPEN: frozenset({Life.FINISHING, Life.HALF_CLOSED, Life.CLOSED}),
    Life.FINISHING: frozenset({Life.HALF_CLOSED, Life.CLOSED}),
    Life.HALF_CLOSED: frozenset({Life.CLOSED}),
    Life.CLOSED: frozenset(),
}
"""PROTOCOL.md draws it; a test compares."""

READING = frozenset({Life.OPEN, Life.FINISHING})
