"""A body on its way into curl: whole, in order, no longer than was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool.upload import HIGH_BYTES, Upload


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_what_is_pulled_is_what_was_fed(chunks: list[bytes], size: int) -> None:
    """curl gets the body whole, in pieces of at most what it asks for, then the end."""
    upload = Upload(sum(map(len, chunks)))
    for chunk in chunks:
        upload.feed(chunk)
    pulled = b""
    while piece := upload.pull(size):
        assert len(piece) <= size
        pulled += piece
    assert pulled == b"".join(chunks)
    assert upload.unsent_bytes == 0


def test_more_than_the_announced_length_is_refused() -> None:
    """A body longer than its Content-Length would be read as the next request."""
    upload = Upload(3)
    upload.feed(b"ab")
    with pytest.raises(ValueError, match="longer than its Content-Length of 3"):
        upload.feed(b"cd")


def test_a_full_upload_says_so() -> None:
    """A producer can see that it is far enough ahead."""
    upload = Upload(2 * HIGH_BYTES)
    upload.feed(b"x" * (HIGH_BYTES - 1))
    assert not upload.full
    upload.feed(b"x")
    assert upload.full
