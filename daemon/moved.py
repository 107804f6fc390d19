"""How far a job's bodies have come."""

from collections.abc import Callable, Iterator

from botod.daemon.services.operation import Source


class Moved:
    """Bytes of bodies that a job has moved so far; those sent, in the latest try of each part."""

    sent_bytes = 0
    received_bytes = 0


class Counted:
    """A source whose bytes are counted as they are taken."""

    def __init__(self, source: Source, moved: Moved) -> None:
        self.length_bytes = source.length_bytes
        self._source = source
        self._moved = moved
        self._taken_bytes = 0

    @property
    def can_repeat(self) -> bool:
        return self._source.can_repeat

    def blocks(self) -> Iterator[bytes]:
        self._moved.sent_bytes -= self._taken_bytes
        self._taken_bytes = 0
        for block in self._source.blocks():
            yield block
            self._taken_bytes += len(block)
            self._moved.sent_bytes += len(block)

    def look_through(self, take: Callable[[bytes], object]) -> None:
        self._source.look_through(take)
