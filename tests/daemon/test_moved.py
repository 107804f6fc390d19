"""How far a job's bodies have come."""

from botod.daemon.moved import Counted, Moved
from botod.daemon.sources import BytesSource


def test_each_part_s_latest_try_counts() -> None:
    """A try that broke off is taken back, not what other parts have sent."""
    moved = Moved()
    one, other = (Counted(BytesSource(b"x" * size), moved) for size in (10, 7))
    assert b"".join(other.blocks()) == b"x" * 7
    for _ in range(3):
        assert b"".join(one.blocks()) == b"x" * 10
    assert moved.sent_bytes == 17
