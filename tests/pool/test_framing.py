"""Chunked framing is taken off, however it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botod.pool.framing import Unframer


def framed(chunks: list[bytes], extension: bytes = b";") -> bytes:
    """A body in chunks as boto writes them."""
    whole = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return whole + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1)), st.lists(st.integers(1, 10)))
def test_the_body_comes_out_whole(chunks: list[bytes], sizes: list[int]) -> None:
    """Wherever the framed bytes are cut, also in the middle of a size."""
    wire = framed(chunks)
    unframer = Unframer()
    body = b""
    for size in [*sizes, len(wire)]:
        assert not wire or not unframer.ended
        body += b"".join(unframer.feed(wire[:size]))
        wire = wire[size:]
    assert body == b"".join(chunks)
    assert unframer.ended


@given(st.binary())
def test_anything_else_is_an_error_or_more_is_awaited(data: bytes) -> None:
    """Never another exception, never a body out of nothing."""
    unframer = Unframer()
    try:
        body = b"".join(unframer.feed(data))
    except ValueError:
        return
    assert len(body) < max(1, len(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x\r\n", "is not the size"),
        (b"-1\r\n", "is not the size"),
        (b"+1\r\n", "is not the size"),
        (b"1_0\r\n", "is not the size"),
        (b"\r\n", "is not the size"),
        (b"1\r\nab\r\n", "the end of a chunk expected"),
        (b"0\r\nContent-MD5: x\r\n\r\n", "trailer"),
        (b"0\r\n\r\nmore", "had ended"),
        (b"1" * 2000, "a line of over 1024"),
        (b"1;" + b"x" * 2000 + b"\r\n", "a line of over 1024"),
    ],
)
def test_what_is_no_framing_is_named(data: bytes, words: str) -> None:
    """A caller that said chunked and frames nothing would send something else than it thinks."""
    with pytest.raises(ValueError, match=words):
        b"".join(Unframer().feed(data))


def test_extensions_are_left_out() -> None:
    """They are for the hop that they were written for."""
    assert b"".join(Unframer().feed(framed([b"abc"], b";name=value"))) == b"abc"
