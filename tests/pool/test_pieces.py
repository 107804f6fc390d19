"""Bytes in pieces: what is taken is what was added."""

from hypothesis import given
from hypothesis import strategies as some

from botod.pool.pieces import SMALL_BYTES, Pieces, size_of

DATA = some.binary(max_size=20) | some.integers(SMALL_BYTES - 1, SMALL_BYTES + 1).map(bytes)


@given(some.lists(DATA | some.integers(0, 3 * SMALL_BYTES), max_size=30))
def test_what_is_taken_is_what_was_added(steps: list[bytes | int]) -> None:
    """Whatever is added and taken in between; an integer takes so many."""
    pieces, added, taken = Pieces(), b"", b""
    for step in steps:
        if isinstance(step, bytes):
            pieces.add(step)
            added += step
        else:
            some_of_it = b"".join(pieces.take(step))
            assert len(some_of_it) == min(step, len(added) - len(taken))
            taken += some_of_it
        assert pieces.size_bytes == len(added) - len(taken)
    assert taken + b"".join(pieces.take()) == added
    assert pieces.size_bytes == 0


@given(some.lists(DATA, max_size=10), some.integers(1, SMALL_BYTES))
def test_one_after_the_other(steps: list[bytes], size: int) -> None:
    """Each is at most as large as is asked for; there is nothing after the last."""
    pieces = Pieces()
    for step in steps:
        pieces.add(step)
    taken = []
    while piece := pieces.take_one(size):
        assert len(piece) <= size
        taken.append(bytes(piece))
    assert b"".join(taken) == b"".join(steps)


def test_large_ones_are_not_copied() -> None:
    """They come out as they went in, and of a part of one there is a view."""
    large = bytes(SMALL_BYTES)
    pieces = Pieces()
    for piece in (large, b"s", large):
        pieces.add(piece)
    first, small, second = pieces.take()
    assert first is large
    assert small == b"s"
    assert second is large
    pieces.add(large)
    (part,) = pieces.take(5)
    assert isinstance(part, memoryview)
    assert part.obj is large


def test_small_ones_are_put_together() -> None:
    """A trickle of single bytes does not take an object for each."""
    pieces = Pieces()
    for _ in range(3 * SMALL_BYTES):
        pieces.add(b"x")
    assert [len(piece) for piece in pieces.first(100)] == [SMALL_BYTES] * 3
    assert size_of(pieces.take()) == 3 * SMALL_BYTES


def test_what_one_had_is_gone_after_a_part_was_taken() -> None:
    """A piece that grows may not be one of which somebody has a view."""
    pieces = Pieces()
    pieces.add(b"ab")
    pieces.add(b"cd")
    taken = pieces.take(3)
    pieces.add(b"ef")
    assert b"".join(taken) == b"abc"
    assert b"".join(pieces.take()) == b"def"
